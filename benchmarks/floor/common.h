/* What the floors and the clients share: end loudly, read numbers, clocks, listen, frames of a file.
 *
 * A file of frames: for each frame its length as u16 little endian, then its bytes.
 */
#ifndef TOCSIN_FLOOR_COMMON_H
#define TOCSIN_FLOOR_COMMON_H

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
    SOCKET_BUFFER_BYTES = 4 << 20,   /* asked for; the kernel cuts it to net.core.[rw]mem_max */
    REPLY_BYTES = 40,                /* an acknowledgement with receiver, line and account; ends with CR */
    FRAMES_MAX = 1 << 20,
    FRAME_BYTES_MAX = 4106,
};

static const char FLOOR_REPLY[REPLY_BYTES + 1] = "\n9048001E\"ACK\"0001R000001L000000#0000[]\r";

typedef struct {
    uint32_t count;
    uint32_t longest;                /* bytes */
    uint8_t **start;                 /* owned, as the bytes under them */
    uint16_t *size;
} Frames;

static void stop_unless(int good, const char *what)
{
    if (good)
        return;
    fprintf(stderr, "%s: %s\n", what, errno ? strerror(errno) : "bad value");
    exit(2);
}

static inline int64_t monotonic_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000000000LL + now.tv_nsec;
}

static inline double own_cpu_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return now.tv_sec + now.tv_nsec / 1e9;
}

/* CPU seconds of all threads of a process, user and system; 0 when pid is 0. Source: proc(5), fields 14 and 15. */
static inline double process_cpu_s(int pid)
{
    char path[64], text[1024];
    unsigned long user = 0, system = 0;
    if (pid == 0)
        return 0;
    snprintf(path, sizeof path, "/proc/%d/stat", pid);
    FILE *file = fopen(path, "r");
    stop_unless(file != NULL, path);
    size_t size = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    text[size] = 0;
    const char *after_name = strrchr(text, ')');   /* the name may hold blanks and brackets */
    stop_unless(after_name && sscanf(after_name + 2, "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu",
                                     &user, &system) == 2, path);
    return (double)(user + system) / sysconf(_SC_CLK_TCK);
}

/* The number that stands behind `--name`, or `otherwise`. */
static inline double option(int count, char **words, const char *name, double otherwise)
{
    for (int i = 1; i + 1 < count; i++) {
        if (strcmp(words[i], name) == 0) {
            char *end;
            errno = 0;
            double value = strtod(words[i + 1], &end);
            stop_unless(*end == 0 && end != words[i + 1] && value >= 0, name);
            return value;
        }
    }
    return otherwise;
}

static inline const char *option_text(int count, char **words, const char *name)
{
    for (int i = 1; i + 1 < count; i++)
        if (strcmp(words[i], name) == 0)
            return words[i + 1];
    errno = 0;
    stop_unless(0, name);
    return NULL;
}

static inline void widen_buffers(int socket_fd)
{
    int size = SOCKET_BUFFER_BYTES;
    setsockopt(socket_fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
    setsockopt(socket_fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
}

static inline struct sockaddr_in loopback(int port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
}

/* A socket bound to a free port of the loopback; prints `port N` for whoever started us. */
static inline int bind_and_tell(int type)
{
    struct sockaddr_in address = loopback(0);
    socklen_t size = sizeof address;
    int fd = socket(AF_INET, type, 0);
    stop_unless(fd >= 0 && bind(fd, (struct sockaddr *)&address, size) == 0, "bind");
    if (type == SOCK_STREAM)
        stop_unless(listen(fd, 1024) == 0, "listen");
    stop_unless(getsockname(fd, (struct sockaddr *)&address, &size) == 0, "getsockname");
    printf("port %d\n", ntohs(address.sin_port));
    fflush(stdout);
    return fd;
}

static void leave(int signal_number)
{
    (void)signal_number;
    _exit(0);                        /* nothing to flush; safe inside a handler */
}

static inline void leave_on_terminate(void)
{
    signal(SIGTERM, leave);
    signal(SIGINT, leave);
    signal(SIGPIPE, SIG_IGN);
}

static inline Frames read_frames(const char *path)
{
    Frames frames = {0};
    uint8_t head[2];
    FILE *file = fopen(path, "rb");
    stop_unless(file != NULL, path);
    frames.start = malloc(FRAMES_MAX * sizeof *frames.start);
    frames.size = malloc(FRAMES_MAX * sizeof *frames.size);
    stop_unless(frames.start && frames.size, "memory");
    errno = 0;
    while (fread(head, 1, 2, file) == 2) {
        uint16_t size = (uint16_t)(head[0] | head[1] << 8);
        stop_unless(frames.count < FRAMES_MAX && size > 0 && size <= FRAME_BYTES_MAX, "frames of the file");
        uint8_t *bytes = malloc(size);
        stop_unless(bytes && fread(bytes, 1, size, file) == size, "frames of the file");
        frames.start[frames.count] = bytes;
        frames.size[frames.count++] = size;
        if (size > frames.longest)
            frames.longest = size;
    }
    fclose(file);
    stop_unless(frames.count > 0, "frames of the file");
    return frames;
}

#endif

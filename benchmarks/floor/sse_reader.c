/* A subscriber that costs as little as one can: reads the stream of events and counts the lines that begin with `id: `.
 *
 *   sse_reader --to PORT --events N [--seconds 60]
 *
 * HTTP/1.0, so that the stream comes without chunk framing. Prints `ready` when the first block is there (it has the
 * position to resume from, and is not counted), then one JSON object: when all N have come, when the stream ends, or
 * when the time is over. `last_s` is the monotonic clock at the last read that brought one.
 */
#include "common.h"

enum { READ_BYTES = 1 << 18, MARK_BYTES = 5 };

static const char MARK[MARK_BYTES + 1] = "\nid: ";
static const char QUESTION[] = "GET /v1/alarms/stream HTTP/1.0\r\nHost: localhost\r\n\r\n";
static char bytes[READ_BYTES + MARK_BYTES];

static int connect_to(int port, double seconds)
{
    struct sockaddr_in server = loopback(port);
    struct timeval longest = {.tv_sec = (time_t)seconds + 1};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    stop_unless(fd >= 0 && connect(fd, (struct sockaddr *)&server, sizeof server) == 0, "connect");
    widen_buffers(fd);
    stop_unless(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &longest, sizeof longest) == 0, "timeout");
    stop_unless(write(fd, QUESTION, sizeof QUESTION - 1) == (ssize_t)sizeof QUESTION - 1, "write");
    return fd;
}

/* Count the marks; one that two reads share is found in the second, which begins with the end of the first. */
static uint64_t marks(const char *from, size_t size)
{
    uint64_t found = 0;
    const char *end = from + size, *at = from;
    while ((at = memmem(at, (size_t)(end - at), MARK, MARK_BYTES)) != NULL) {
        found++;
        at += MARK_BYTES;
    }
    return found;
}

int main(int argc, char **argv)
{
    int port = (int)option(argc, argv, "--to", 0);
    uint64_t wanted = (uint64_t)option(argc, argv, "--events", 0), found = 0, read_bytes = 0;
    double seconds = option(argc, argv, "--seconds", 60);
    int64_t until_ns = monotonic_ns() + (int64_t)(seconds * 1e9), last_ns = 0;
    stop_unless(port > 0 && port < 65536, "--to");
    leave_on_terminate();
    int fd = connect_to(port, seconds);
    size_t kept = 0;
    double begun_s = 0;
    while (found < wanted + 1 && monotonic_ns() < until_ns) {
        ssize_t size = read(fd, bytes + kept, READ_BYTES);
        if (size <= 0)
            break;
        read_bytes += (uint64_t)size;
        uint64_t more = marks(bytes, kept + (size_t)size);
        if (more && !found) {
            printf("ready\n");
            fflush(stdout);
            begun_s = own_cpu_s();
        }
        if (more)
            last_ns = monotonic_ns();
        found += more;
        size_t whole = kept + (size_t)size;
        kept = whole < MARK_BYTES - 1 ? whole : MARK_BYTES - 1;
        memmove(bytes, bytes + whole - kept, kept);
    }
    printf("{\"events\": %llu, \"bytes\": %llu, \"last_s\": %.6f, \"cpu_s\": %.4f}\n",
           (unsigned long long)(found ? found - 1 : 0), (unsigned long long)read_bytes, (double)last_ns / 1e9,
           own_cpu_s() - begun_s);
    return 0;
}

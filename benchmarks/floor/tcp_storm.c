/* A province that comes back: N connections at once, each with one frame; then they stay, and say nothing.
 *
 *   tcp_storm --to PORT --frames FILE --connections N [--watch PID]
 *
 * Frame i goes over connection i, from one of 200 addresses of the loopback: no source may have all places. A reply ends
 * with CR. Up to 1,024 connections are on their way at any time, fewer than
 * a listener lets wait. Prints one JSON object when each has its reply, and ends when its standard input does.
 */
#include "common.h"

enum { CONNECTIONS_MAX = 60000, READY_MAX = 256, ON_THEIR_WAY_MAX = 1024, READ_BYTES = 4096,
       SOURCES = 200 };

typedef struct { int fd; int said; } Connection;

static Frames frames;
static Connection connections[CONNECTIONS_MAX];
static uint32_t opened, answered;

static void open_next(int port, int waiter)
{
    struct sockaddr_in server = loopback(port), source = loopback(0);
    Connection *c = &connections[opened];
    int one = 1;
    source.sin_addr.s_addr = htonl(INADDR_LOOPBACK + 1 + opened % SOURCES);
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    stop_unless(c->fd >= 0, "socket");
    setsockopt(c->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one);
    stop_unless(bind(c->fd, (struct sockaddr *)&source, sizeof source) == 0, "bind");
    int done = connect(c->fd, (struct sockaddr *)&server, sizeof server);
    stop_unless(done == 0 || errno == EINPROGRESS, "connect");
    struct epoll_event event = {EPOLLIN | EPOLLOUT, {.u32 = opened++}};
    stop_unless(epoll_ctl(waiter, EPOLL_CTL_ADD, c->fd, &event) == 0, "epoll");
}

static void say(uint32_t index, int waiter)
{
    Connection *c = &connections[index];
    int error = 0;
    socklen_t size = sizeof error;
    getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &size);
    errno = error;
    stop_unless(error == 0, "connect");
    stop_unless(send(c->fd, frames.start[index], frames.size[index], 0) == frames.size[index], "send");
    c->said = 1;
    struct epoll_event event = {EPOLLIN, {.u32 = index}};
    stop_unless(epoll_ctl(waiter, EPOLL_CTL_MOD, c->fd, &event) == 0, "epoll");
}

static void hear(uint32_t index)
{
    static uint8_t bytes[READ_BYTES];
    ssize_t count = recv(connections[index].fd, bytes, READ_BYTES, MSG_DONTWAIT);
    errno = count == 0 ? ECONNRESET : errno;
    stop_unless(count > 0, "a connection was closed");
    answered += bytes[count - 1] == '\r';
}

int main(int argc, char **argv)
{
    struct epoll_event ready[READY_MAX];
    int port = (int)option(argc, argv, "--to", 0), watched = (int)option(argc, argv, "--watch", 0);
    uint32_t count = (uint32_t)option(argc, argv, "--connections", 100);
    stop_unless(port > 0 && port < 65536, "--to");
    frames = read_frames(option_text(argc, argv, "--frames"));
    stop_unless(count >= 1 && count <= CONNECTIONS_MAX && count <= frames.count, "--connections");
    leave_on_terminate();
    int waiter = epoll_create1(0);
    int64_t begin_ns = monotonic_ns();
    double watched_s = process_cpu_s(watched);
    while (answered < count) {
        while (opened < count && opened - answered < ON_THEIR_WAY_MAX)
            open_next(port, waiter);
        int events = epoll_wait(waiter, ready, READY_MAX, 1000);
        for (int i = 0; i < events; i++) {
            if (!connections[ready[i].data.u32].said && ready[i].events & (EPOLLOUT | EPOLLERR | EPOLLHUP))
                say(ready[i].data.u32, waiter);
            else if (ready[i].events & EPOLLIN)
                hear(ready[i].data.u32);
        }
    }
    printf("{\"connections\": %u, \"elapsed_s\": %.6f, \"server_cpu_s\": %.4f}\n", count,
           (double)(monotonic_ns() - begin_ns) / 1e9, process_cpu_s(watched) - watched_s);
    fflush(stdout);
    while (getchar() != EOF)
        continue;
    return 0;
}

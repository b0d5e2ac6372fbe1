/* The floor under TCP: epoll, one read of what is there, 40 bytes of reply for each `--frame-bytes` that came.
 *
 * Reads nothing of the frames, but counts bytes for each connection, so that a frame cut by a read is answered once.
 * Ends by SIGTERM.
 */
#include "common.h"

enum { READ_BYTES = 65536, READY_MAX = 256, CONNECTIONS_MAX = 65536, REPLIES_AT_ONCE = READ_BYTES / 16 };

static uint8_t received[READ_BYTES], replies[REPLIES_AT_ONCE * REPLY_BYTES];
static uint32_t part[CONNECTIONS_MAX];   /* bytes of a frame begun, by descriptor */

static void take_connection(int listener, int waiter)
{
    int one = 1, fd = accept4(listener, NULL, NULL, 0);
    stop_unless(fd >= 0 && fd < CONNECTIONS_MAX, "accept");
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    part[fd] = 0;
    stop_unless(epoll_ctl(waiter, EPOLL_CTL_ADD, fd, &(struct epoll_event){EPOLLIN, {.fd = fd}}) == 0, "epoll");
}

/* Blocks while the peer does not read: a floor answers, it does not shed. */
static void answer(int fd, uint32_t frame_bytes)
{
    ssize_t count = recv(fd, received, READ_BYTES, MSG_DONTWAIT);
    if (count <= 0) {
        if (count == 0 || (errno != EAGAIN && errno != EINTR))
            close(fd);
        return;
    }
    part[fd] += (uint32_t)count;
    size_t size = (size_t)(part[fd] / frame_bytes) * REPLY_BYTES, sent = 0;
    part[fd] %= frame_bytes;
    while (sent < size) {
        ssize_t now = send(fd, replies + sent, size - sent, 0);
        if (now < 0)
            return;                  /* gone; the next read closes it */
        sent += (size_t)now;
    }
}

int main(int argc, char **argv)
{
    struct epoll_event ready[READY_MAX];
    uint32_t frame_bytes = (uint32_t)option(argc, argv, "--frame-bytes", 0);
    stop_unless(frame_bytes >= 16 && frame_bytes <= FRAME_BYTES_MAX, "--frame-bytes");
    leave_on_terminate();
    for (int i = 0; i < REPLIES_AT_ONCE; i++)
        memcpy(replies + i * REPLY_BYTES, FLOOR_REPLY, REPLY_BYTES);
    int listener = bind_and_tell(SOCK_STREAM), waiter = epoll_create1(0);
    struct epoll_event event = {EPOLLIN, {.fd = listener}};
    stop_unless(epoll_ctl(waiter, EPOLL_CTL_ADD, listener, &event) == 0, "epoll");
    for (;;) {
        int count = epoll_wait(waiter, ready, READY_MAX, -1);
        for (int i = 0; i < count; i++) {
            if (ready[i].data.fd == listener)
                take_connection(listener, waiter);
            else
                answer(ready[i].data.fd, frame_bytes);
        }
    }
}

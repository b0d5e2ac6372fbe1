/* One TCP client for floor and engine: N connections, each with P frames on their way at all times.
 *
 *   tcp_client --to PORT --frames FILE [--connections 100] [--pipeline 16] [--seconds 3] [--warm-up 0.5] [--watch PID]
 *              [--reply-end 13] [--hello FILE --hello-reply-bytes N]
 *
 * All frames of the file must be of equal size; frame i goes over connection i modulo connections. A reply ends with CR
 * (or the byte whose number --reply-end gives) and holds no other. When half of a connection's pipeline is answered it
 * is filled again by one send.
 * With --hello connection i first sends frame i of that file and reads N bytes: a protocol's own greeting.
 * Prints one JSON object. Counts are those of the measured time, after the warm-up.
 */
#include "common.h"

enum { CONNECTIONS_MAX = 10000, READY_MAX = 256, READ_BYTES = 65536, PIPELINE_MAX = 1024 };

typedef struct {
    int fd;
    uint32_t next;                   /* index of the frame to send next */
    uint32_t open;                   /* frames without a reply */
    uint8_t *ring;                   /* owned; this connection's frames one behind the other */
    uint32_t frames;                 /* of the ring */
} Connection;

static Frames frames;
static Connection connections[CONNECTIONS_MAX];
static uint32_t connection_count, pipeline, frame_bytes;
static uint64_t sent, received;
static uint8_t reply_end;

static void greet(int fd, const uint8_t *hello, uint16_t size, size_t reply_bytes)
{
    uint8_t reply[FRAME_BYTES_MAX];
    stop_unless(send(fd, hello, size, 0) == size, "hello");
    stop_unless(recv(fd, reply, reply_bytes, MSG_WAITALL) == (ssize_t)reply_bytes, "the reply to hello");
}

static void open_all(int port, int waiter, const Frames *hello, size_t hello_reply_bytes)
{
    struct sockaddr_in server = loopback(port);
    int one = 1;
    for (uint32_t i = 0; i < connection_count; i++) {
        Connection *c = &connections[i];
        c->frames = (frames.count - i + connection_count - 1) / connection_count;
        c->ring = malloc((size_t)c->frames * frame_bytes);
        c->fd = socket(AF_INET, SOCK_STREAM, 0);
        stop_unless(c->ring && c->fd >= 0 && connect(c->fd, (struct sockaddr *)&server, sizeof server) == 0, "connect");
        setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        if (hello->count > 0)
            greet(c->fd, hello->start[i], hello->size[i], hello_reply_bytes);
        for (uint32_t at = 0; at < c->frames; at++)
            memcpy(c->ring + (size_t)at * frame_bytes, frames.start[i + at * connection_count], frame_bytes);
        struct epoll_event event = {EPOLLIN, {.u32 = i}};
        stop_unless(epoll_ctl(waiter, EPOLL_CTL_ADD, c->fd, &event) == 0, "epoll");
    }
}

/* Send whole frames until the pipeline is full; the socket's buffer holds a pipeline, so this hardly blocks. */
static void fill(Connection *c)
{
    while (c->open < pipeline) {
        uint32_t count = pipeline - c->open, left = c->frames - c->next;
        if (count > left)
            count = left;
        const uint8_t *at = c->ring + (size_t)c->next * frame_bytes;
        size_t size = (size_t)count * frame_bytes, went = 0;
        while (went < size) {
            ssize_t now = send(c->fd, at + went, size - went, 0);
            stop_unless(now > 0, "send");
            went += (size_t)now;
        }
        c->next = (c->next + count) % c->frames;
        c->open += count;
        sent += count;
    }
}

static void take_replies(Connection *c)
{
    static uint8_t bytes[READ_BYTES];
    ssize_t count = recv(c->fd, bytes, READ_BYTES, MSG_DONTWAIT);
    errno = count == 0 ? ECONNRESET : errno;
    stop_unless(count > 0 || (count < 0 && errno == EAGAIN), "a connection was closed");
    for (ssize_t i = 0; i < count; i++) {
        if (bytes[i] == reply_end) {
            errno = 0;
            stop_unless(c->open > 0, "more replies than frames");
            c->open--;
            received++;
        }
    }
    if (c->open <= pipeline / 2)
        fill(c);
}

static void run_until(int64_t end_ns, int waiter)
{
    struct epoll_event ready[READY_MAX];
    while (monotonic_ns() < end_ns) {
        int count = epoll_wait(waiter, ready, READY_MAX, 10);
        for (int i = 0; i < count; i++)
            take_replies(&connections[ready[i].data.u32]);
    }
}

int main(int argc, char **argv)
{
    int port = (int)option(argc, argv, "--to", 0), watched = (int)option(argc, argv, "--watch", 0);
    double seconds = option(argc, argv, "--seconds", 3);
    connection_count = (uint32_t)option(argc, argv, "--connections", 100);
    pipeline = (uint32_t)option(argc, argv, "--pipeline", 16);
    stop_unless(port > 0 && port < 65536, "--to");
    stop_unless(pipeline >= 1 && pipeline <= PIPELINE_MAX, "--pipeline");
    frames = read_frames(option_text(argc, argv, "--frames"));
    frame_bytes = frames.longest;
    for (uint32_t i = 0; i < frames.count; i++)
        stop_unless(frames.size[i] == frame_bytes, "frames of equal size");
    stop_unless(connection_count >= 1 && connection_count <= CONNECTIONS_MAX && connection_count <= frames.count,
                "--connections");
    leave_on_terminate();
    reply_end = (uint8_t)option(argc, argv, "--reply-end", '\r');
    size_t hello_reply_bytes = (size_t)option(argc, argv, "--hello-reply-bytes", 0);
    Frames hello = {0};
    if (hello_reply_bytes > 0) {
        stop_unless(hello_reply_bytes <= FRAME_BYTES_MAX, "--hello-reply-bytes");
        hello = read_frames(option_text(argc, argv, "--hello"));
        stop_unless(hello.count >= connection_count, "--hello");
    }
    int waiter = epoll_create1(0);
    open_all(port, waiter, &hello, hello_reply_bytes);
    for (uint32_t i = 0; i < connection_count; i++)
        fill(&connections[i]);

    run_until(monotonic_ns() + (int64_t)(option(argc, argv, "--warm-up", 0.5) * 1e9), waiter);
    sent = received = 0;
    int64_t begin_ns = monotonic_ns();
    double own_s = own_cpu_s(), watched_s = process_cpu_s(watched);
    run_until(begin_ns + (int64_t)(seconds * 1e9), waiter);
    double elapsed_s = (double)(monotonic_ns() - begin_ns) / 1e9;
    printf("{\"sent\": %llu, \"received\": %llu, \"lost\": 0, \"late\": 0, \"elapsed_s\": %.6f, \"rate\": %.1f, "
           "\"client_cpu_s\": %.4f, \"server_cpu_s\": %.4f}\n",
           (unsigned long long)sent, (unsigned long long)received, elapsed_s, (double)received / elapsed_s,
           own_cpu_s() - own_s, process_cpu_s(watched) - watched_s);
    return 0;
}

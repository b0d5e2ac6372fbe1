/* One client for floor and engine: keeps a deep window of frames outstanding, so that the server never waits for it.
 *
 *   udp_client --to PORT --frames FILE [--sockets 16] [--window 1024] [--seconds 3] [--warm-up 0.5]
 *              [--segment 16] [--rate 0] [--timeout-ms 100] [--linger-ms 0] [--count 0] [--watch PID]
 *   udp_client --to PORT --draw ACCOUNTS [--drawn 2097152] [--seed 1] ...
 *
 * Each socket has its own share of the frames (frame i goes out of socket i modulo sockets), its own part of the
 * window and its own turn. A reply is counted, not read: whose it is does not matter here. What is not answered
 * within the time-out is written off as lost and its place in the window is filled again; a reply that comes after
 * that is counted as late.
 *
 * --draw N      sends heartbeats of N accounts in random order instead of a file's frames: --drawn of them, by --seed,
 *               and then the same again.
 * --rate N      offers N frames a second whatever comes back (the window then does not hold it).
 * --segment N   hands up to N frames of equal size to the kernel as one UDP_SEGMENT send. The server still receives
 *               single datagrams; the client's own cost falls, so that the server is what is measured. 1 turns it off.
 * --linger-ms N after the last frame goes on counting replies until none is missing, at most for N ms; the measured
 *               time then ends with the last reply.
 * --count N     sends N frames, each once where the file has as many, and ends when each is answered or written off;
 *               without a warm-up, and --seconds only says when to give up.
 * --watch PID   adds the CPU seconds that process spent during the measured time.
 *
 * Prints one JSON object. Counts are those of the measured time, after the warm-up; `begin_s` is the monotonic clock.
 */
#include "drawn.h"

enum { SOCKETS_MAX = 256, SENDS_MAX = 64, SEGMENT_FRAMES_MAX = 64, REPLIES_MAX = 256, REPLY_BYTES_MAX = 512,
       SEND_BYTES_MAX = 60000 };        /* of one segmented send: an IP packet's own limit, less some */

typedef struct {
    int fd;
    uint32_t next;                   /* index of the frame to send next */
    uint64_t sent, closed;           /* closed: answered or written off; sent - closed is outstanding */
    uint64_t sent_max;               /* then it is done */
    uint64_t sent_before;            /* sent, as it stood at the last look for losses */
} Line;

typedef struct { uint64_t sent, received, lost, late; } Counts;

static Frames frames;
static Line lines[SOCKETS_MAX];
static uint32_t line_count, segment_frames;
static Counts counts;

static struct mmsghdr sends[SENDS_MAX], replies[REPLIES_MAX];
static struct iovec send_spans[SENDS_MAX][SEGMENT_FRAMES_MAX], reply_spans[REPLIES_MAX];
static uint8_t reply_bytes[REPLIES_MAX][REPLY_BYTES_MAX];
static union { char bytes[CMSG_SPACE(sizeof(uint16_t))]; struct cmsghdr align; } control[SENDS_MAX];

static void connect_all(int port, uint64_t count)
{
    struct sockaddr_in server = loopback(port);
    for (uint32_t i = 0; i < line_count; i++) {
        lines[i].fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
        lines[i].next = i;
        lines[i].sent_max = count > 0 ? (count + line_count - 1 - i) / line_count : UINT64_MAX;
        stop_unless(lines[i].fd >= 0, "socket");
        stop_unless(connect(lines[i].fd, (struct sockaddr *)&server, sizeof server) == 0, "connect");
        widen_buffers(lines[i].fd);
    }
    for (int i = 0; i < REPLIES_MAX; i++) {
        reply_spans[i] = (struct iovec){reply_bytes[i], REPLY_BYTES_MAX};
        replies[i].msg_hdr = (struct msghdr){.msg_iov = &reply_spans[i], .msg_iovlen = 1};
    }
}

static uint32_t following(uint32_t index, uint32_t first)
{
    index += line_count;
    return index < frames.count ? index : first;
}

/* Fill one send with frames of equal size, at most `room`; return how many and leave `*next` behind them. */
static uint32_t fill_send(uint32_t slot, uint32_t *next, uint32_t first, uint32_t room)
{
    uint16_t size = frames.size[*next];
    uint32_t count = 0, most = room < segment_frames ? room : segment_frames;
    if (most > 1 && most * size > SEND_BYTES_MAX)
        most = SEND_BYTES_MAX / size;
    while (count < most && frames.size[*next] == size) {
        send_spans[slot][count++] = (struct iovec){frames.start[*next], size};
        *next = following(*next, first);
    }
    struct msghdr *head = &sends[slot].msg_hdr;
    *head = (struct msghdr){.msg_iov = send_spans[slot], .msg_iovlen = count};
    if (count > 1) {
        head->msg_control = control[slot].bytes;
        head->msg_controllen = sizeof control[slot].bytes;
        struct cmsghdr *part = CMSG_FIRSTHDR(head);
        part->cmsg_level = SOL_UDP;
        part->cmsg_type = UDP_SEGMENT;
        part->cmsg_len = CMSG_LEN(sizeof(uint16_t));
        memcpy(CMSG_DATA(part), &size, sizeof size);
    }
    return count;
}

/* Send up to `room` frames of one socket; return how many went. */
static uint32_t send_some(Line *line, uint32_t first, uint32_t room)
{
    uint32_t next = line->next, filled[SENDS_MAX], after[SENDS_MAX], slots = 0, went = 0;
    while (room > 0 && slots < SENDS_MAX) {
        filled[slots] = fill_send(slots, &next, first, room);
        after[slots] = next;
        room -= filled[slots++];
    }
    if (slots == 0)
        return 0;
    int done = sendmmsg(line->fd, sends, slots, 0);
    stop_unless(done >= 0 || errno == EAGAIN || errno == ENOBUFS, "sendmmsg");
    for (int i = 0; i < done; i++)
        went += filled[i];
    if (done > 0)
        line->next = after[done - 1];
    line->sent += went;
    counts.sent += went;
    return went;
}

static uint32_t receive_some(Line *line)
{
    int count = recvmmsg(line->fd, replies, REPLIES_MAX, MSG_DONTWAIT, NULL);
    if (count <= 0) {
        stop_unless(count == 0 || errno == EAGAIN || errno == EINTR, "recvmmsg");
        return 0;
    }
    uint64_t open = line->sent - line->closed, in_time = (uint64_t)count < open ? (uint64_t)count : open;
    line->closed += in_time;
    counts.received += in_time;
    counts.late += (uint64_t)count - in_time;
    return (uint32_t)count;
}

/* What was sent before the last look and is still open has had a whole time-out. */
static void write_off(void)
{
    for (uint32_t i = 0; i < line_count; i++) {
        Line *line = &lines[i];
        if (line->sent_before > line->closed) {
            counts.lost += line->sent_before - line->closed;
            line->closed = line->sent_before;
        }
        line->sent_before = line->sent;
    }
}

static int all_done(void)
{
    for (uint32_t i = 0; i < line_count; i++)
        if (lines[i].closed < lines[i].sent_max)
            return 0;
    return 1;
}

/* One turn over all sockets with a full window; return whether anything moved. */
static int turn_by_window(uint32_t window)
{
    int moved = 0;
    for (uint32_t i = 0; i < line_count; i++) {
        Line *line = &lines[i];
        moved |= receive_some(line) > 0;
        uint32_t room = window - (uint32_t)(line->sent - line->closed);
        uint64_t left = line->sent_max - line->sent;
        if (room > 0 && room >= window / 4)      /* in handfuls: a call for each frame would measure the client */
            moved |= send_some(line, i, room < left ? room : (uint32_t)left) > 0;
    }
    return moved;
}

/* One turn at a fixed rate: send what is due by now, spread over the sockets. */
static int turn_by_rate(double rate, int64_t since_ns, uint64_t sent_since)
{
    uint64_t due = (uint64_t)(rate * (double)(monotonic_ns() - since_ns) / 1e9);
    uint32_t missing = due > sent_since ? (uint32_t)(due - sent_since) : 0, moved = 0;
    static uint32_t turn;
    while (missing > 0) {
        uint32_t index = turn++ % line_count, share = missing < 64 ? missing : 64;
        uint32_t went = send_some(&lines[index], index, share);
        if (went == 0)
            break;
        missing -= went;
        moved = 1;
    }
    for (uint32_t i = 0; i < line_count; i++)
        moved |= receive_some(&lines[i]) > 0;
    return (int)moved;
}

static void run_until(int64_t end_ns, double rate, uint32_t window, int64_t timeout_ns, int waiter)
{
    int64_t begin_ns = monotonic_ns(), look_ns = begin_ns + timeout_ns, now_ns;
    uint64_t sent_at_begin = counts.sent;
    struct epoll_event ready[1];
    while ((now_ns = monotonic_ns()) < end_ns && !all_done()) {
        if (now_ns >= look_ns) {
            write_off();
            look_ns = now_ns + timeout_ns;
        }
        int moved = rate > 0 ? turn_by_rate(rate, begin_ns, counts.sent - sent_at_begin) : turn_by_window(window);
        if (!moved)
            epoll_wait(waiter, ready, 1, 1);
    }
}

static uint64_t outstanding(void)
{
    uint64_t open = 0;
    for (uint32_t i = 0; i < line_count; i++)
        open += lines[i].sent - lines[i].closed;
    return open;
}

/* Send no more; count what still comes until nothing is missing; return when the last one came, or `begin_ns`. */
static int64_t linger_until(int64_t begin_ns, int64_t end_ns, int waiter)
{
    struct epoll_event ready[1];
    int64_t last_ns = begin_ns;
    while (outstanding() > 0 && monotonic_ns() < end_ns) {
        uint32_t came = 0;
        for (uint32_t i = 0; i < line_count; i++)
            came += receive_some(&lines[i]);
        if (came > 0)
            last_ns = monotonic_ns();
        else
            epoll_wait(waiter, ready, 1, 1);
    }
    return last_ns;
}

int main(int argc, char **argv)
{
    int port = (int)option(argc, argv, "--to", 0), watched = (int)option(argc, argv, "--watch", 0);
    double seconds = option(argc, argv, "--seconds", 3), rate = option(argc, argv, "--rate", 0);
    double warm_up = option(argc, argv, "--warm-up", 0.5), count = option(argc, argv, "--count", 0);
    uint32_t window = (uint32_t)option(argc, argv, "--window", 1024);
    int64_t timeout_ns = (int64_t)(option(argc, argv, "--timeout-ms", 100) * 1e6);
    line_count = (uint32_t)option(argc, argv, "--sockets", 16);
    segment_frames = (uint32_t)option(argc, argv, "--segment", 16);
    stop_unless(port > 0 && port < 65536, "--to");
    stop_unless(segment_frames >= 1 && segment_frames <= SEGMENT_FRAMES_MAX, "--segment");
    uint32_t accounts = (uint32_t)option(argc, argv, "--draw", 0);
    frames = accounts ? draw_heartbeats(accounts, (uint32_t)option(argc, argv, "--drawn", 1 << 21),
                                        (uint64_t)option(argc, argv, "--seed", 1))
                      : read_frames(option_text(argc, argv, "--frames"));
    stop_unless(line_count >= 1 && line_count <= SOCKETS_MAX && line_count <= frames.count, "--sockets");
    stop_unless(window >= line_count, "--window");
    connect_all(port, (uint64_t)count);
    int waiter = epoll_create1(0);
    for (uint32_t i = 0; i < line_count; i++) {
        struct epoll_event event = {.events = EPOLLIN};
        stop_unless(epoll_ctl(waiter, EPOLL_CTL_ADD, lines[i].fd, &event) == 0, "epoll");
    }
    window /= line_count;

    if (count == 0)
        run_until(monotonic_ns() + (int64_t)(warm_up * 1e9), rate, window, timeout_ns, waiter);
    counts = (Counts){0};
    int64_t begin_ns = monotonic_ns();
    double own_s = own_cpu_s(), watched_s = process_cpu_s(watched);
    run_until(begin_ns + (int64_t)(seconds * 1e9), rate, window, timeout_ns, waiter);
    int64_t end_ns = monotonic_ns();
    end_ns = linger_until(end_ns, end_ns + (int64_t)(option(argc, argv, "--linger-ms", 0) * 1e6), waiter);
    double elapsed_s = (double)(end_ns - begin_ns) / 1e9;
    printf("{\"sent\": %llu, \"received\": %llu, \"lost\": %llu, \"late\": %llu, \"elapsed_s\": %.6f, \"rate\": %.1f, "
           "\"client_cpu_s\": %.4f, \"server_cpu_s\": %.4f, \"begin_s\": %.6f}\n",
           (unsigned long long)counts.sent, (unsigned long long)counts.received, (unsigned long long)counts.lost,
           (unsigned long long)counts.late, elapsed_s, (double)counts.received / elapsed_s, own_cpu_s() - own_s,
           process_cpu_s(watched) - watched_s, (double)begin_ns / 1e9);
    return 0;
}

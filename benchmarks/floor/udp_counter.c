/* Counts UDP frames and answers none: what a generator is measured with.
 *
 *   udp_counter [--whole 1]
 *
 * --whole 1  asks the kernel for messages as they were sent (UDP_GRO), not cut into datagrams: then counting costs less
 *            than any way of sending, and the frames of a message are told by its segment size. 0 takes each datagram.
 *
 * SIGUSR1: reads what still waits, prints one line "counted {...}" and begins again from 0. `elapsed_s` is from the
 * first frame to the last; `drops` are datagrams that the socket had no room for. Ends by SIGTERM.
 */
#include "common.h"

#ifndef UDP_GRO
#define UDP_GRO 104
#endif

enum { BATCH_MESSAGES = 64, MESSAGE_BYTES_MAX = 65536, CONTROL_BYTES = 64, LOOK_EVERY_US = 20000, MEMINFO_OPTION = 55,
       MEMINFO_NUMBERS = 9, MEMINFO_DROPS = 8 };

static uint8_t bytes[BATCH_MESSAGES][MESSAGE_BYTES_MAX];
static union { char bytes[CONTROL_BYTES]; struct cmsghdr align; } control[BATCH_MESSAGES];
static struct iovec spans[BATCH_MESSAGES];
static struct mmsghdr in[BATCH_MESSAGES];
static volatile sig_atomic_t asked;
static uint64_t frames, messages;
static int64_t first_ns, last_ns;

static void ask(int signal_number)
{
    (void)signal_number;
    asked = 1;
}

static uint64_t frames_of(struct mmsghdr *message)
{
    struct cmsghdr *head = CMSG_FIRSTHDR(&message->msg_hdr);
    int size = 0;
    if (head != NULL && head->cmsg_level == SOL_UDP && head->cmsg_type == UDP_GRO)
        memcpy(&size, CMSG_DATA(head), sizeof size);
    return size > 0 ? (message->msg_len + (unsigned)size - 1) / (unsigned)size : 1;
}

static int receive(int fd, int flags)
{
    for (int i = 0; i < BATCH_MESSAGES; i++) {
        spans[i] = (struct iovec){bytes[i], MESSAGE_BYTES_MAX};
        in[i].msg_hdr = (struct msghdr){.msg_iov = &spans[i], .msg_iovlen = 1, .msg_control = control[i].bytes,
                                        .msg_controllen = CONTROL_BYTES};
    }
    int count = recvmmsg(fd, in, BATCH_MESSAGES, flags, NULL);
    if (count <= 0)
        return count;
    last_ns = monotonic_ns();
    if (first_ns == 0)
        first_ns = last_ns;
    for (int i = 0; i < count; i++)
        frames += frames_of(&in[i]);
    messages += (uint64_t)count;
    return count;
}

static uint32_t drops(int fd)
{
    uint32_t numbers[MEMINFO_NUMBERS];
    socklen_t size = sizeof numbers;
    stop_unless(getsockopt(fd, SOL_SOCKET, MEMINFO_OPTION, numbers, &size) == 0, "drops");
    return numbers[MEMINFO_DROPS];
}

static void tell(int fd)
{
    static uint32_t drops_before;
    asked = 0;                       /* first: the next question may follow the answer at once */
    while (receive(fd, MSG_DONTWAIT) > 0)
        ;
    uint32_t dropped = drops(fd);
    printf("counted {\"frames\": %llu, \"messages\": %llu, \"drops\": %u, \"elapsed_s\": %.6f}\n",
           (unsigned long long)frames, (unsigned long long)messages, dropped - drops_before,
           (double)(last_ns - first_ns) / 1e9);
    fflush(stdout);
    drops_before = dropped;
    frames = messages = 0;
    first_ns = last_ns = 0;
}

int main(int argc, char **argv)
{
    int whole = (int)option(argc, argv, "--whole", 0);
    struct sigaction action = {.sa_handler = ask};
    struct timeval look = {.tv_usec = LOOK_EVERY_US};
    leave_on_terminate();
    stop_unless(sigaction(SIGUSR1, &action, NULL) == 0, "sigaction");
    int fd = bind_and_tell(SOCK_DGRAM);
    widen_buffers(fd);
    stop_unless(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &look, sizeof look) == 0, "time-out");
    stop_unless(setsockopt(fd, SOL_UDP, UDP_GRO, &whole, sizeof whole) == 0, "--whole");
    for (;;) {
        int count = receive(fd, MSG_WAITFORONE);
        stop_unless(count >= 0 || errno == EAGAIN || errno == EINTR, "recvmmsg");
        if (asked)
            tell(fd);
    }
}

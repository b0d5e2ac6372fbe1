/* The floor under UDP: what the kernel alone costs.
 *
 * Receives with recvmmsg, reads nothing of what came, answers each datagram with the same 40 bytes by sendmmsg.
 * An engine that parses, looks the path up and builds a reply is measured against this on the same client.
 * Blocks for the first datagram of a batch, then takes what is there. Ends by SIGTERM.
 *
 *   udp_floor [--silent 1]    takes the datagrams and answers none: the floor under servers that do not answer
 */
#include "common.h"

enum { BATCH_DATAGRAMS = 256, DATAGRAM_BYTES_MAX = 4352 };

static uint8_t received[BATCH_DATAGRAMS][DATAGRAM_BYTES_MAX];
static uint8_t reply[BATCH_DATAGRAMS][REPLY_BYTES];
static struct sockaddr_in peer[BATCH_DATAGRAMS];
static struct iovec spans_in[BATCH_DATAGRAMS], spans_out[BATCH_DATAGRAMS];
static struct mmsghdr in[BATCH_DATAGRAMS], out[BATCH_DATAGRAMS];

static void prepare(void)
{
    for (int i = 0; i < BATCH_DATAGRAMS; i++) {
        spans_in[i] = (struct iovec){received[i], DATAGRAM_BYTES_MAX};
        spans_out[i] = (struct iovec){reply[i], REPLY_BYTES};
        in[i].msg_hdr = (struct msghdr){.msg_name = &peer[i], .msg_iov = &spans_in[i], .msg_iovlen = 1};
        out[i].msg_hdr = (struct msghdr){.msg_name = &peer[i], .msg_namelen = sizeof peer[i],
                                         .msg_iov = &spans_out[i], .msg_iovlen = 1};
    }
}

static void answer(int fd, int count)
{
    int sent = 0;
    for (int i = 0; i < count; i++)
        memcpy(reply[i], FLOOR_REPLY, REPLY_BYTES);
    while (sent < count) {
        int now = sendmmsg(fd, out + sent, (unsigned)(count - sent), 0);
        sent += now > 0 ? now : 1;   /* one that cannot be sent is left out, as any UDP server does */
    }
}

int main(int argc, char **argv)
{
    int silent = option(argc, argv, "--silent", 0) > 0;
    leave_on_terminate();
    prepare();
    int fd = bind_and_tell(SOCK_DGRAM);
    widen_buffers(fd);
    for (;;) {
        for (int i = 0; i < BATCH_DATAGRAMS; i++)
            in[i].msg_hdr.msg_namelen = sizeof peer[i];
        int count = recvmmsg(fd, in, BATCH_DATAGRAMS, MSG_WAITFORONE, NULL);
        if (count > 0 && !silent)
            answer(fd, count);
        else if (count <= 0)
            stop_unless(errno == EINTR || errno == ECONNREFUSED, "recvmmsg");
    }
}

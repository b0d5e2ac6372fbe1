/* The floor under a generator: frames that are ready, out of one core as fast as the kernel takes them.
 *
 *   udp_sender --to PORT --frames FILE [--seconds 2] [--segment 64] [--batch 8] [--sockets 8]
 *
 * All frames have one size and lie one behind the other. A message holds --segment of them (UDP_SEGMENT; 1 turns that
 * off), a call to the kernel --batch messages (sendmmsg); calls go round the sockets. Nothing is written, read or
 * awaited. Prints one JSON object.
 */
#include "common.h"

enum { SOCKETS_MAX = 256, SEGMENT_FRAMES_MAX = 64, BATCH_MAX = 64, MESSAGE_BYTES_MAX = 60000 };

static struct mmsghdr out[BATCH_MAX];
static struct iovec spans[BATCH_MAX];
static union { char bytes[CMSG_SPACE(sizeof(uint16_t))]; struct cmsghdr align; } control[BATCH_MAX];

static uint8_t *packed(const Frames *frames)
{
    uint8_t *all = malloc((size_t)frames->count * frames->longest);
    stop_unless(all != NULL, "memory");
    for (uint32_t i = 0; i < frames->count; i++) {
        stop_unless(frames->size[i] == frames->longest, "frames of one size");
        memcpy(all + (size_t)i * frames->longest, frames->start[i], frames->longest);
    }
    return all;
}

static void prepare(uint32_t batch, uint32_t segment, uint16_t size)
{
    for (uint32_t i = 0; i < batch; i++) {
        spans[i].iov_len = (size_t)segment * size;
        out[i].msg_hdr = (struct msghdr){.msg_iov = &spans[i], .msg_iovlen = 1};
        if (segment == 1)
            continue;
        out[i].msg_hdr.msg_control = control[i].bytes;
        out[i].msg_hdr.msg_controllen = sizeof control[i].bytes;
        struct cmsghdr *head = CMSG_FIRSTHDR(&out[i].msg_hdr);
        head->cmsg_level = SOL_UDP;
        head->cmsg_type = UDP_SEGMENT;
        head->cmsg_len = CMSG_LEN(sizeof(uint16_t));
        memcpy(CMSG_DATA(head), &size, sizeof size);
    }
}

int main(int argc, char **argv)
{
    int port = (int)option(argc, argv, "--to", 0), fds[SOCKETS_MAX];
    int64_t seconds_ns = (int64_t)(option(argc, argv, "--seconds", 2) * 1e9);
    uint32_t segment = (uint32_t)option(argc, argv, "--segment", 64), batch = (uint32_t)option(argc, argv, "--batch", 8);
    uint32_t sockets = (uint32_t)option(argc, argv, "--sockets", 8);
    stop_unless(port > 0 && port < 65536, "--to");
    stop_unless(segment >= 1 && segment <= SEGMENT_FRAMES_MAX, "--segment");
    stop_unless(batch >= 1 && batch <= BATCH_MAX, "--batch");
    stop_unless(sockets >= 1 && sockets <= SOCKETS_MAX, "--sockets");
    Frames frames = read_frames(option_text(argc, argv, "--frames"));
    stop_unless(frames.count >= segment && segment * frames.longest <= MESSAGE_BYTES_MAX, "frames for one message");
    uint8_t *all = packed(&frames);
    uint32_t next = 0;
    struct sockaddr_in receiver = loopback(port);
    for (uint32_t i = 0; i < sockets; i++) {
        fds[i] = socket(AF_INET, SOCK_DGRAM, 0);
        stop_unless(fds[i] >= 0 && connect(fds[i], (struct sockaddr *)&receiver, sizeof receiver) == 0, "connect");
        widen_buffers(fds[i]);
    }
    prepare(batch, segment, (uint16_t)frames.longest);
    int64_t begin_ns = monotonic_ns(), now_ns = begin_ns;
    double cpu_s = own_cpu_s();
    uint64_t sent = 0, turn = 0;
    for (; now_ns - begin_ns < seconds_ns; now_ns = monotonic_ns()) {
        for (uint32_t i = 0; i < batch; i++) {
            if (next + segment > frames.count)
                next = 0;
            spans[i].iov_base = all + (size_t)next * frames.longest;
            next += segment;
        }
        int done = sendmmsg(fds[turn++ % sockets], out, batch, 0);
        stop_unless(done > 0 || errno == EAGAIN || errno == ENOBUFS, "sendmmsg");
        sent += done > 0 ? (uint64_t)done * segment : 0;
    }
    double elapsed_s = (double)(now_ns - begin_ns) / 1e9;
    printf("{\"frames\": %llu, \"elapsed_s\": %.6f, \"rate\": %.1f, \"cpu_s\": %.4f}\n", (unsigned long long)sent,
           elapsed_s, (double)sent / elapsed_s, own_cpu_s() - cpu_s);
    return 0;
}

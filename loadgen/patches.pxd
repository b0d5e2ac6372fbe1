# Heartbeats by patching: a DC-09 NULL frame is copied, and only what differs from the last one is written into it.
#
#   LF crc 0LLL "NULL" seq L0 #acct [] _HH:MM:SS,MM-DD-YYYY CR
#       ^^^            ^^^      ^^^^
#
# CRC-16/ARC begins with 0 and xors nothing at the end. So the checksum of a frame is that of the frame with noughts for
# digits, xor what each digit adds at its place: a look-up for each digit instead of a pass over the bytes. The frame is
# the same as that of write_heartbeat in dc09_client.

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcpy
from loadgen.dc09_client cimport CLIENT_FRAME_BYTES_MAX, Stamp
from loadgen.digits cimport put_hex

cdef enum:
    ACCOUNT_DIGITS_MAX = 15
    SEQUENCE_DIGITS = 4

cdef struct Patches:
    int64_t  second              # of the stamp in `frame`
    uint32_t size                # of every frame
    uint32_t digits              # of every account
    uint32_t account_at          # its last digit
    uint32_t sequence_at         # its last digit
    uint16_t crc                 # of `frame`
    uint16_t account_crc[ACCOUNT_DIGITS_MAX][16]     # what each digit adds, from the last one on
    uint16_t sequence_crc[SEQUENCE_DIGITS][10]
    uint8_t  frame[CLIENT_FRAME_BYTES_MAX]           # account and sequence 0

cdef inline uint32_t patches_write(const Patches* patches, uint64_t account, uint32_t sequence,
                                   uint8_t* out) noexcept nogil:
    """Write the frame of one account, at most CLIENT_FRAME_BYTES_MAX bytes; return its size."""
    cdef uint32_t i, digit
    cdef uint16_t crc = patches.crc
    memcpy(out, patches.frame, patches.size)
    for i in range(patches.digits):
        digit = account & 15
        out[patches.account_at - i] = digit + (48 if digit < 10 else 55)
        crc ^= patches.account_crc[i][digit]
        account >>= 4
    for i in range(SEQUENCE_DIGITS):
        digit = sequence % 10
        out[patches.sequence_at - i] = 48 + digit
        crc ^= patches.sequence_crc[i][digit]
        sequence //= 10
    put_hex(out + 1, crc, 4)
    return patches.size

# Make ready for accounts of so many digits, 4..ACCOUNT_DIGITS_MAX; patches_stamp has to follow.
cdef void patches_set(Patches* patches, uint32_t digits) noexcept nogil

# Take over a stamp; nothing is done when it is there already.
cdef void patches_stamp(Patches* patches, const Stamp* stamp) noexcept nogil

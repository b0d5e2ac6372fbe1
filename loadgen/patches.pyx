"""Heartbeats by patching; see patches.pxd."""
from codec.crc16 cimport crc16
from loadgen.dc09_client cimport FRAME_HEAD_BYTES, STAMP_BYTES, stamp_set, write_heartbeat

cdef enum:
    NO_SECOND = -1 << 62
    BEHIND_ACCOUNT_BYTES = 3 + STAMP_BYTES   # [], stamp, CR
    ORIGIN_BYTES = 3                         # L0#


cdef uint16_t added(uint32_t at, uint32_t body_end, uint8_t bits) noexcept nogil:
    """Return what `bits` at one place of a frame add to the checksum of its body."""
    cdef uint8_t body[CLIENT_FRAME_BYTES_MAX]
    cdef uint32_t i, size = body_end - at
    for i in range(size):
        body[i] = 0
    body[0] = bits
    return crc16(body, size)     # the bytes before it are noughts, and leave the checksum at 0


cdef void patches_set(Patches* patches, uint32_t digits) noexcept nogil:
    cdef Stamp stamp
    cdef uint32_t i, digit, end
    stamp.second = NO_SECOND
    stamp_set(&stamp, 0)
    patches.second = NO_SECOND
    patches.digits = digits
    patches.size = write_heartbeat(patches.frame, 0, digits, 0, &stamp)
    patches.account_at = patches.size - 1 - BEHIND_ACCOUNT_BYTES
    patches.sequence_at = patches.account_at - digits - ORIGIN_BYTES
    end = patches.size - 1
    for digit in range(16):
        for i in range(digits):
            patches.account_crc[i][digit] = added(patches.account_at - i, end,
                                                  48 ^ (digit + (48 if digit < 10 else 55)))
    for digit in range(10):
        for i in range(SEQUENCE_DIGITS):
            patches.sequence_crc[i][digit] = added(patches.sequence_at - i, end, digit)


cdef void patches_stamp(Patches* patches, const Stamp* stamp) noexcept nogil:
    if patches.second == stamp.second:
        return
    patches.second = stamp.second
    write_heartbeat(patches.frame, 0, patches.digits, 0, stamp)
    patches.crc = crc16(patches.frame + FRAME_HEAD_BYTES, patches.size - FRAME_HEAD_BYTES - 1)


def patched_heartbeat(uint64_t account, uint32_t digits, uint32_t sequence, int64_t second):
    cdef uint8_t out[CLIENT_FRAME_BYTES_MAX]
    cdef Patches patches
    cdef Stamp stamp
    assert 4 <= digits <= ACCOUNT_DIGITS_MAX
    stamp.second = ~second
    stamp_set(&stamp, second)
    patches_set(&patches, digits)
    patches_stamp(&patches, &stamp)
    return out[:patches_write(&patches, account, sequence, out)]

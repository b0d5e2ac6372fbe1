# What frames showed of a path: kept beside the path table, for installers, and for reading the next frame.

from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint32_t
from engine.atomics cimport and_16, load_16, or_16

cdef extern from *:
    """
    #define OFFSET_NONE INT32_MIN    /* no stamp was seen */
    """
    const int32_t OFFSET_NONE

cdef enum Seen:              # habits of a transmitter; kept in snapshots: a bit never changes its meaning
    SEEN_ENCRYPTED = 1
    SEEN_CLEAR = 2
    SEEN_BINARY_CHECKSUM = 4
    SEEN_CHECKSUM_OVER_CR = 8
    SEEN_NO_LINE_NUMBER = 16
    SEEN_NO_HEADER_ACCOUNT = 32
    SEEN_UNREADABLE_TOKEN = 64
    SEEN_BCD_CLOCK = 128
    SEEN_BINARY_CLOCK = 256
    SEEN_REPLAYED = 512

cdef struct Learned:         # 24 bytes; what frames showed of a path, written when they are looked at closely
    int32_t  offset_s        # its clock minus ours, by the last stamp; OFFSET_NONE
    uint16_t seen            # Seen, ored
    uint8_t  refused_status  # Status or Refusal of the last frame that was refused; 0: none ever
    uint8_t  time_learned    # its supervision time is what its own silences showed
    uint32_t refused_count
    uint32_t unused_too
    int64_t  refused_ms      # wall clock of the last one

cdef inline void learned_add(Learned* learned, int seen) noexcept nogil:
    """Add bits; any thread may, and writes only where one is new."""
    if load_16(&learned.seen) & seen != seen:
        or_16(&learned.seen, seen)

cdef inline void learned_remove(Learned* learned, int seen) noexcept nogil:
    and_16(&learned.seen, ~seen)

# ANSI/SIA DC-09 as a transmitter speaks it: frames in clear, and the replies to them.
#
#   LF crc 0LLL "token" seq L0 #acct [ data ] _HH:MM:SS,MM-DD-YYYY CR      a frame
#   LF crc 0LLL "ACK"   seq [Rr] Lp #acct [ ... ] ... CR                   a reply
#
# crc = CRC-16/ARC of the body (first quote up to CR, which is not in it), 4 upper-case hex digits; 0LLL = its bytes
# in hex.

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t

cdef enum:
    STAMP_BYTES = 20             # _HH:MM:SS,MM-DD-YYYY
    FRAME_HEAD_BYTES = 9         # LF, 4 crc, 4 length
    CLIENT_FRAME_BYTES_MAX = 512 # the largest frame that a simulated transmitter writes
    SEQUENCE_MAX = 9999          # then 0001 again

cpdef enum ReplyKind:
    REPLY_NONE = 0               # no reply that we can read
    REPLY_ACK = 1                # ACK, and RSP, which is an ACK that carries something
    REPLY_NAK = 2                # refused for its time; its sequence and account say nothing
    REPLY_DUH = 3                # arrived, not understood

cdef struct Stamp:
    int64_t second               # since 1970 UTC
    uint8_t text[STAMP_BYTES]

cdef struct Reply:
    uint8_t  kind                # ReplyKind
    uint16_t sequence
    uint64_t account             # its hex digits as a number

# Fill `stamp` for `second`; nothing is done when it holds that second already.
cdef void stamp_set(Stamp* stamp, int64_t second) noexcept nogil

# Write a NULL frame, at most CLIENT_FRAME_BYTES_MAX bytes; return its size. Equal digits give equal sizes.
cdef uint32_t write_heartbeat(uint8_t* out, uint64_t account, uint32_t digits, uint32_t sequence,
                              const Stamp* stamp) noexcept nogil

# Write a SIA-DCS frame with one fire alarm in `zone` (1..9999) and the text `run`-`number`; return its size.
# run is borrowed, 1..32 bytes.
cdef uint32_t write_signal(uint8_t* out, uint64_t account, uint32_t digits, uint32_t sequence, const Stamp* stamp,
                           const uint8_t* run, uint32_t run_size, uint32_t number, uint32_t zone) noexcept nogil

# Return the bytes of the frame that begins at data[0] (LF), 0 when more are needed, 1 when none can begin here.
cdef uint32_t frame_size(const uint8_t* data, size_t size) noexcept nogil

# Read one whole frame as a reply; kind is REPLY_NONE when its length, checksum or fields are wrong.
cdef void read_reply(const uint8_t* data, size_t size, Reply* reply) noexcept nogil

# Read a reply's body, from its first quote on; size >= 11 bytes. A star before the token is passed over: whoever
# cares opens what is behind it.
cdef void read_body(const uint8_t* body, size_t size, Reply* reply) noexcept nogil

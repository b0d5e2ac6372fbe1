# Frames out of templates, replies of all kinds in: what a group of like transmitters speaks, other than plain DC-09.
#
#   template   bytes, and the fields among them that differ from frame to frame (account, sequence, time, number)
#   close      how a frame of the group ends: checksum, cipher
#
# shapes.py makes the templates once for a group; here they are filled in. Plain DC-09 has its own writer (dc09_client).

from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from codec.aes cimport AesKey
from loadgen.dc09_client cimport Reply, Stamp

cdef enum:
    TEMPLATE_BYTES_MAX = 200     # sealed, the hex digits of as many and 31 bytes of pad still fit a client's frame
    TEMPLATE_FIELDS_MAX = 16
    SEALED_BYTES_MAX = TEMPLATE_BYTES_MAX + 32
    REPLY_STAMP_S = 60           # how far the time in an encrypted reply may be from ours

cpdef enum FieldKind:
    FIELD_ACCOUNT = 0            # hex digits
    FIELD_SEQUENCE = 1           # decimal digits
    FIELD_STAMP = 2              # STAMP_BYTES
    FIELD_NUMBER = 3             # of the signal, decimal digits
    FIELD_ZONE = 4               # decimal digits
    FIELD_ACCOUNT_LOW = 5        # bytes, the lowest first; likewise the next and the last
    FIELD_SERIAL_LOW = 6
    FIELD_SERIAL_HIGH = 7        # the highest first
    FIELD_TAG = 8                # time of GB/T 26875.3, plain binary
    FIELD_TAG_BCD = 9
    FIELD_NUMBER_LOW = 10
    FIELD_KEY_ID = 11            # bytes, the highest first; likewise the next
    FIELD_COUNTER = 12           # of the Tocsin profile: the group's first one and the sequence
    FIELD_KINDS = 13

cpdef enum Close:
    CLOSE_HEX = 0                # DC-09: LF, checksum as hex digits, 0LLL, template, CR
    CLOSE_BINARY = 1             # DC-09, the checksum as two bytes
    CLOSE_SUM = 2                # GB/T 26875.3: the template, sum, ##
    CLOSE_TAG = 3                # Tocsin profile: the template, its length and checksum filled in, a tag

cdef struct Field:
    uint16_t at
    uint8_t  kind                # FieldKind
    uint8_t  size

cdef struct Template:
    uint32_t size
    uint32_t plain_at            # the bytes from here on are encrypted; 0: none are
    uint32_t fields_count
    Field    fields[TEMPLATE_FIELDS_MAX]
    uint8_t  bytes[TEMPLATE_BYTES_MAX]

cdef struct Values:              # of one frame
    uint64_t account
    uint32_t transmitter         # index in the group
    uint32_t sequence
    uint32_t number
    uint32_t zone

cdef struct Client:
    uint8_t  close               # Close
    uint8_t  tail                # a NUL behind the CR
    uint8_t  over_end            # the checksum takes the CR in
    uint8_t  serial_high         # of GB/T 26875.3: replies carry the serial as we wrote it
    uint64_t account_first
    uint32_t count               # transmitters
    Template heartbeat
    Template signal
    uint32_t counter_first       # of the Tocsin profile: a message's counter is this and its sequence
    AesKey*  keys                # one for each transmitter, NULL: clear
    uint8_t* mac_keys            # of the Tocsin profile: TOCSIN_KEY_BYTES for each transmitter
    int32_t* clocks              # s that each transmitter's clock is ahead, NULL: all are right

# Write one frame, at most CLIENT_FRAME_BYTES_MAX bytes; return its size. The same arguments give the same bytes.
cdef uint32_t client_write(const Client* client, const Template* template, const Values* values, const Stamp* stamp,
                           uint8_t* out) noexcept nogil

# As frame_size and read_reply of dc09_client; an encrypted acknowledgement counts only when it opens under the
# transmitter's key and carries a time within REPLY_STAMP_S of `second`.
cdef uint32_t client_frame_size(const Client* client, const uint8_t* data, size_t size) noexcept nogil
cdef void client_read_reply(const Client* client, const uint8_t* data, size_t size, int64_t second,
                            Reply* reply) noexcept nogil

# Whether an acknowledgement as read proves that `frame` arrived. The tag of the Tocsin profile is over that of the
# request; other replies have shown all that they can.
cdef bint client_proves(const Client* client, const uint8_t* data, const uint8_t* frame, uint32_t size,
                        uint32_t transmitter) noexcept nogil

cdef class Speaker:
    cdef Client client

# GB/T 26875.3-2011: what other modules may use of it. The wire format is drawn in gbt26875.pyx.

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t
from codec.frame cimport Answer, Format, Frame, Profile

cdef enum:
    AT = 0x40                # twice at the start of a frame
    HASH = 0x23              # twice at its end
    GBT_SERIAL_AT = 2
    GBT_TAG_AT = 6
    GBT_SOURCE_AT = 12
    GBT_DESTINATION_AT = 18
    GBT_LENGTH_AT = 24
    GBT_COMMAND_AT = 26
    GBT_DATA_AT = 27
    GBT_TRAILER_BYTES = 3    # checksum and the end mark
    GBT_FRAME_BYTES_MIN = 30
    GBT_DATA_BYTES_MAX = 1024
    GBT_FRAME_BYTES_MAX = 1054

cdef enum Command:           # Frame.token
    COMMAND_RESERVED = 0     # Dahua registers with it
    COMMAND_CONTROL = 1
    COMMAND_SEND = 2
    COMMAND_CONFIRM = 3
    COMMAND_REQUEST = 4
    COMMAND_ANSWER = 5
    COMMAND_DENY = 6
    COMMAND_KEEP_ALIVE = 0xFE

cdef enum DataType:
    TYPE_SYSTEM_STATUS = 1
    TYPE_COMPONENT_STATUS = 2
    TYPE_COMPONENT_ANALOG = 3
    TYPE_SYSTEM_OPERATION = 4
    TYPE_SYSTEM_VERSION = 5
    TYPE_SYSTEM_CONFIGURATION = 6
    TYPE_COMPONENT_CONFIGURATION = 7
    TYPE_SYSTEM_TIME = 8
    TYPE_STATUS = 21         # from here on: of the transmitter itself
    TYPE_OPERATION = 24
    TYPE_VERSION = 25
    TYPE_CONFIGURATION = 26
    TYPE_TIME = 28
    TYPE_VENDOR_RESTORE_FIRST = 134
    TYPE_VENDOR_RESTORE_LAST = 136
    TYPE_VENDOR_HEARTBEAT = 190

cdef enum TagForm:           # Frame.form: how the sender writes times
    FORM_BINARY = 0
    FORM_BCD = 1             # proven: the tag is impossible in binary
    FORM_EITHER = 2          # the tag can be read both ways; decode takes what is nearer to the time of receipt

cdef uint8_t gbt_sum(const uint8_t* bytes, uint32_t size) noexcept nogil
cdef uint32_t gbt_close(uint8_t* out, uint32_t data_size) noexcept nogil

cdef Format GBT26875

# MessagePack, as much of it as the Tocsin profile needs: whole values are read or passed over, nothing is built.
#
# Source: the MessagePack specification (msgpack/spec.md). Every form of a number and of a text is taken where one is
# meant; a number below 0 or with a fraction, a boolean, bytes, a map and an extension are values of kind other.

from libc.stdint cimport uint8_t, uint32_t, uint64_t

cdef enum ValueKind:
    VALUE_NIL = 0
    VALUE_NUMBER = 1             # 0..2^64-1
    VALUE_TEXT = 2
    VALUE_OTHER = 3

cdef struct Value:
    uint8_t  kind                # ValueKind
    uint32_t at                  # of a text: where its bytes begin, and how many
    uint32_t size
    uint64_t number

cdef bint next_array(const uint8_t* bytes, uint32_t* at, uint32_t end, uint32_t* elements) noexcept nogil
cdef bint next_value(const uint8_t* bytes, uint32_t* at, uint32_t end, Value* value) noexcept nogil

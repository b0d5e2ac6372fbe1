# Code -> class, condition and state, as arrays that are filled from the .tsv files at import.

from libc.stdint cimport uint8_t, uint16_t, uint32_t

cdef struct Meaning:
    uint16_t condition       # Condition
    uint8_t  signal_class    # SignalClass
    uint8_t  state           # State
    uint8_t  known           # stands in the table

cdef enum:
    QUALIFIER_NEW = 1        # Contact ID
    QUALIFIER_RESTORE = 3
    QUALIFIER_STATUS = 6     # reported before, still present

cdef bint is_sia_code(uint8_t first, uint8_t second) noexcept nogil
cdef Meaning sia_meaning(uint8_t first, uint8_t second) noexcept nogil
cdef Meaning contact_id_meaning(uint8_t qualifier, uint32_t code) noexcept nogil

# Entries of a journal out of its files' bytes, checked, and joined into batches of thousands of rows.
#
# A quiet engine writes one row an entry. Judged one by one, most of the time would go to handing them over; the filter
# judges row by row, so that rows of consecutive numbers may come in one batch. Layout: engine/journal/layout.py.

from libc.stdint cimport uint8_t, uint32_t, uint64_t

from codec.batch cimport Batch, Columns

cdef enum:
    ENTRY_HEADER = 48                # bytes
    LARGE_BYTES = 4096               # a payload from here on: the library's checksum is faster than ours
    READ_BYTES = 1048576             # asked of the file at once
    GATHER_ROWS = 4096               # a batch that has as many takes no further entry

cdef struct EntryHeader:             # as it stands in the file
    uint8_t  magic[4]
    uint32_t checksum                # of the 40 bytes behind it
    uint32_t payload_bytes
    uint32_t payload_checksum
    uint32_t rows
    uint32_t zero
    uint64_t first
    uint64_t previous
    uint64_t mark

cdef enum Found:
    FOUND_FULL = 0                   # the batch takes no more; the entry at hand stays for the next
    FOUND_LARGE = 1                  # an entry whose payload's checksum is still to be asked
    FOUND_PART = 2                   # an entry, or its header, that goes beyond the bytes at hand
    FOUND_NONE = 3                   # no sound entry

cdef class Gatherer:
    cdef object file                 # open for reading, without a buffer of its own
    cdef readonly uint32_t seed
    cdef uint64_t until              # the bytes that count end here
    cdef uint64_t read_to            # offset in the file behind the last byte in the buffer
    cdef bytearray buffer            # [at, filled) is still to be walked
    cdef size_t at
    cdef size_t filled
    cdef uint64_t after              # rows up to this number are passed over
    cdef uint64_t first              # number of the batch's first row
    cdef readonly uint64_t last      # of the last row walked; 0: not known
    cdef readonly bint ended         # the last `fill` met the end, or what cannot be read

    cdef bint refill(self) except -1
    cdef Found walk(self, Columns* c, const uint8_t* bytes) noexcept nogil
    cdef bint take(self, Columns* c, const uint8_t* at) noexcept nogil

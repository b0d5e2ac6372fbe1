"""A table of 64 bytes a slot, changed in random order: what any table of that size is held against."""
from cpython.bytes cimport PyBytes_AS_STRING
from libc.stdint cimport uint32_t, uint64_t

from engine.memory cimport memory_release, memory_reserve_wide

cdef enum:
    WORDS = 8


cdef class Slots:
    cdef uint64_t* words
    cdef uint32_t count

    def __cinit__(self, uint32_t count):
        self.count = count
        self.words = <uint64_t*>memory_reserve_wide(<size_t>count * WORDS * sizeof(uint64_t))

    def __dealloc__(self):
        memory_release(self.words, <size_t>self.count * WORDS * sizeof(uint64_t))

    def change(self, bytes numbers not None):
        cdef const uint32_t* number = <const uint32_t*>PyBytes_AS_STRING(numbers)
        cdef size_t i, count = <size_t>len(numbers) // sizeof(uint32_t)
        cdef uint64_t* slot
        cdef uint32_t word
        with nogil:
            for i in range(count):
                if number[i] >= self.count:
                    continue
                slot = &self.words[<size_t>number[i] * WORDS]
                for word in range(WORDS):
                    slot[word] += word + 1

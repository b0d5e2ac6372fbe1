# The authentication of the Tocsin profile: BLAKE2s, keyed, 8 bytes of digest. The code is in blake2s.h.

from libc.stdint cimport uint8_t

cdef extern from "blake2s.h" nogil:
    void blake2s_tag(const uint8_t* key, const char* person, const uint8_t* first, size_t first_size,
                     const uint8_t* second, size_t second_size, uint8_t* tag)
    bint blake2s_same(const uint8_t* one, const uint8_t* other)

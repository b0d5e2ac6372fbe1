# Encryption of ANSI/SIA DC-09: opening what came, sealing what goes. The layout is drawn in dc09_encrypted.pyx.

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from codec.aes cimport AesKey
from codec.frame cimport Frame

cdef enum:
    PAD_BYTES_MIN = 16       # of what we send; DC-09-2026 asks for 16..31

cdef inline uint32_t pad_size(uint32_t size) noexcept nogil:
    """Bytes of pad, 16..31, in front of `size` bytes that begin with the bar."""
    return PAD_BYTES_MIN + (16 - size % 16) % 16

cdef bint open_frame(const Frame* frame, const AesKey* key, uint8_t* buffer, Frame* text) noexcept nogil
cdef void put_pad(const AesKey* key, uint64_t entropy, int64_t now_ns, uint8_t* out, uint32_t size) noexcept nogil
cdef uint32_t seal(const AesKey* key, uint8_t* plain, uint32_t size, uint8_t* out) noexcept nogil

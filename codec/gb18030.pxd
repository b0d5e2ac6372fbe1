# GB 18030 text of a fixed field, as UTF-8. The tables are filled at import from Python's own codec.

from libc.stdint cimport uint8_t, uint16_t, uint32_t

cdef uint32_t gb18030_text(const uint8_t* bytes, uint32_t size, uint8_t* out, uint32_t out_max,
                           uint16_t* flags) noexcept nogil

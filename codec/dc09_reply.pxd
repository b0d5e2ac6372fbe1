# Replies of ANSI/SIA DC-09, and what else writes its frames.

from libc.stdint cimport int64_t, uint8_t, uint32_t
from codec.frame cimport Answer, Frame, Profile

cdef uint32_t put_stamp(uint8_t* out, int64_t now_ns) noexcept nogil
cdef uint32_t close_frame(uint8_t* out, uint32_t preamble, uint32_t at) noexcept nogil
cdef uint32_t encode(const Frame* frame, const Profile* profile, Answer answer, int64_t now_ns,
                     uint8_t* out) noexcept nogil

# Memory that is reserved now and committed page by page as it is written: arrays that grow without being copied.

from libc.stddef cimport size_t
from posix.mman cimport MAP_ANONYMOUS, MAP_FAILED, MAP_NORESERVE, MAP_PRIVATE, PROT_READ, PROT_WRITE, mmap, munmap

cdef inline void* memory_reserve(size_t size) except NULL:
    """Reserve `size` bytes of zeros, aligned to a page; raises MemoryError. Freed by memory_release."""
    cdef int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE
    cdef void* memory = mmap(NULL, size or 1, PROT_READ | PROT_WRITE, flags, -1, 0)
    if memory == MAP_FAILED:
        raise MemoryError(f"cannot reserve {size} bytes")
    return memory

cdef inline void memory_release(void* memory, size_t size) noexcept:
    if memory != NULL:
        munmap(memory, size or 1)

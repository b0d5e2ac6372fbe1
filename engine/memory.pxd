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

cdef extern from "<sys/mman.h>":
    int MADV_HUGEPAGE
    int madvise(void* address, size_t size, int advice) nogil

cdef inline void* memory_reserve_wide(size_t size) except NULL:
    """Reserve `size` bytes of zeros that are read in random order: on pages of 2 MiB, where the kernel has them.

    On small ones each look into a large table waits twice, for the page's entry and for the line. A touched byte
    commits 2 MiB. Raises MemoryError. Freed by memory_release.
    """
    cdef void* memory = memory_reserve(size)
    madvise(memory, size, MADV_HUGEPAGE)     # where it is refused, the table is slower and right
    return memory

cdef inline void memory_release(void* memory, size_t size) noexcept:
    if memory != NULL:
        munmap(memory, size or 1)

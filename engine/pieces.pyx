"""Arrays as the bytes of a snapshot: copied piece by piece, on any thread, while their owner goes on."""
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from libc.stdint cimport uintptr_t
from libc.string cimport memcpy

PIECE_BYTES = 1 << 18            # copied at once: it stays in a processor's cache until it is written


cdef bytes copied(const char* start, size_t size):
    """Copy memory into an object that nobody else has yet, off the interpreter's lock: the loop goes on meanwhile."""
    copy = PyBytes_FromStringAndSize(NULL, size)
    cdef char* out = PyBytes_AS_STRING(copy)
    with nogil:
        memcpy(out, start, size)
    return copy


def pieces(owner, list arrays not None, size_t count, size_t chunk):
    """Yield `chunk` records of each array in turn until there were `count`.

    owner   is kept alive meanwhile;  arrays  [(address, bytes of a record)]
    """
    cdef size_t at = 0, size, length, offset
    cdef uintptr_t start
    while at < count:
        size = min(chunk, count - at)
        for address, record in arrays:
            start, length = <uintptr_t>address + at * <size_t>record, size * <size_t>record
            for offset in range(0, length, PIECE_BYTES):
                yield copied(<const char*>(start + offset), min(<size_t>PIECE_BYTES, length - offset))
        at += size

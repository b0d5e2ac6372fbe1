# Touching a path: it was heard. Where receiver threads may, the loop does it as they do.

from libc.stdint cimport int64_t, uint32_t
from engine.atomics cimport add_16, load_16, load_32, raise_64, store_32, store_64
from engine.paths cimport Path

cdef enum:
    SILENCE_MS_MAX = 0x7FFFFFFF      # 24 days
    FRAMES_SHARED_MAX = 0xFF00       # where counting stops: as far from the end as there may never be threads

cdef inline void path_touch(Path* path, int64_t heard_ms, int64_t seen_ms) noexcept nogil:
    """Note that the path lives: one line of memory, no timer."""
    cdef int64_t silence = heard_ms - path.heard_ms
    if silence > path.silence_ms:
        path.silence_ms = <uint32_t>silence if silence <= SILENCE_MS_MAX else SILENCE_MS_MAX
    path.heard_ms = heard_ms
    path.seen_ms = seen_ms
    if path.frames != 0xFFFF:
        path.frames += 1

cdef inline void path_touch_shared(Path* path, int64_t heard_ms, int64_t seen_ms) noexcept nogil:
    """Do the same while other threads may. Whoever looks at `state` behind it, ordered, misses no fault: see settle."""
    cdef int64_t silence = heard_ms - raise_64(&path.heard_ms, heard_ms)
    if silence > load_32(&path.silence_ms):
        store_32(&path.silence_ms, <uint32_t>silence if silence <= SILENCE_MS_MAX else SILENCE_MS_MAX)
    store_64(&path.seen_ms, seen_ms)

cdef inline void path_count_shared(Path* path) noexcept nogil:
    if load_16(&path.frames) < FRAMES_SHARED_MAX:
        add_16(&path.frames, 1)

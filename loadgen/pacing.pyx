"""The plan of an open loop; see pacing.pxd."""


cdef void pace_set(Pace* pace, int64_t start_ns, double rate, int64_t frames, uint64_t seed, double share):
    pace.start_ns = start_ns
    pace.period_ns = 1e9 / rate
    pace.frames = frames
    pace.seed = seed
    pace.share = <uint64_t>(share * 9007199254740992.0)


def due_ns(double rate, int64_t number, int64_t start_ns=0):
    cdef Pace pace
    pace_set(&pace, start_ns, rate, 0, 0, 0.0)
    return pace_due(&pace, number)


def signal_numbers(uint64_t seed, double share, int64_t frames):
    cdef Pace pace
    cdef int64_t k
    pace_set(&pace, 0, 1.0, frames, seed, share)
    return [k for k in range(frames) if pace_is_signal(&pace, k)]


def count_signals(uint64_t seed, double share, int64_t frames):
    cdef Pace pace
    cdef int64_t k, count = 0
    pace_set(&pace, 0, 1.0, frames, seed, share)
    if pace.share:
        with nogil:
            for k in range(frames):
                count += pace_is_signal(&pace, k)
    return count

"""Listening time: what supervision counts in.

A transmitter can only be late by time in which we would have heard it. So this clock stands while the engine is
down (it goes on from its saved value) and while its loop is stalled.
"""

MS = 1_000_000


cdef class ListeningClock:
    def __cinit__(self, int64_t start_ms, int64_t monotonic_ns, int64_t stall_ns=1_000_000_000):
        self.now_ms = start_ms
        self.seen_ns = monotonic_ns
        self.stall_ns = stall_ns

    @property
    def listening_ms(self):
        return self.now_ms

    cdef int64_t update(self, int64_t monotonic_ns) noexcept nogil:
        """Bring the clock to `monotonic_ns` and return it. Of a longer gap only `stall_ns` count."""
        cdef int64_t passed_ns = monotonic_ns - self.seen_ns
        cdef int64_t passed_ms
        if passed_ns > self.stall_ns:
            self.credited_ms += (passed_ns - self.stall_ns) // 1000000
            self.seen_ns = monotonic_ns - self.stall_ns
            passed_ns = self.stall_ns
        passed_ms = passed_ns // 1000000
        self.now_ms += passed_ms
        self.seen_ns += passed_ms * 1000000
        return self.now_ms

    def advance_to(self, int64_t monotonic_ns):
        return self.update(monotonic_ns)

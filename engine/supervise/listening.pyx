"""Listening time: what supervision counts in.

A transmitter can only be late by time in which we would have heard it. So this clock stands while the engine is
down (it goes on from its saved value) and while its loop is stalled: of many stalls in an hour only for ten minutes,
so that what makes us stall cannot keep us from noticing anything.
"""

MS = 1_000_000

cdef enum:
    CREDIT_MS_MAX = 600_000          # in an hour; time that is lost beyond it counts as listened

cdef int64_t HOUR_NS = 3_600_000_000_000


cdef class ListeningClock:
    def __cinit__(self, int64_t start_ms, int64_t monotonic_ns, int64_t stall_ns=1_000_000_000):
        self.now_ms = start_ms
        self.seen_ns = monotonic_ns
        self.stall_ns = stall_ns
        self.hour_ns = monotonic_ns

    @property
    def listening_ms(self):
        return self.now_ms

    @property
    def overdrawn(self):
        return bool(self.hour_overdrawn and self.seen_ns - self.hour_ns < HOUR_NS)

    cdef int64_t update(self, int64_t monotonic_ns) noexcept nogil:
        """Bring the clock to `monotonic_ns` and return it. Of a longer gap only `stall_ns` count."""
        cdef int64_t passed_ns = monotonic_ns - self.seen_ns
        cdef int64_t passed_ms
        if passed_ns > self.stall_ns:
            passed_ns -= self.credit(monotonic_ns, passed_ns - self.stall_ns)
            self.seen_ns = monotonic_ns - passed_ns
        passed_ms = passed_ns // 1000000
        self.now_ms += passed_ms
        self.seen_ns += passed_ms * 1000000
        return self.now_ms

    cdef int64_t credit(self, int64_t monotonic_ns, int64_t lost_ns) noexcept nogil:
        """Return how much of the lost time does not count: all, as far as this hour's credit reaches."""
        cdef int64_t credited_ms
        if monotonic_ns - self.hour_ns >= HOUR_NS:
            self.hour_ns = monotonic_ns
            self.hour_credited_ms = 0
            self.hour_overdrawn = False
        credited_ms = lost_ns // 1000000
        if self.hour_credited_ms:        # one stall alone is credited whole, however long
            credited_ms = min(credited_ms, max(0, CREDIT_MS_MAX - self.hour_credited_ms))
        self.hour_overdrawn = self.hour_overdrawn or credited_ms < lost_ns // 1000000
        self.hour_credited_ms += credited_ms
        self.credited_ms += credited_ms
        return credited_ms * 1000000

    def advance_to(self, int64_t monotonic_ns):
        return self.update(monotonic_ns)

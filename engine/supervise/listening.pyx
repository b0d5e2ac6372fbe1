"""Listening time: what supervision counts in.

A transmitter can only be late by time in which we would have heard it. So this clock stands while the engine is
down (it goes on from its saved value) and while its loop is stalled: of many stalls in an hour only for ten minutes,
so that what makes us stall cannot keep us from noticing anything.

Receiver threads hear beside the loop, each with a follower of this clock. One that has not been at its socket for
longer than a stall is deaf, and the clock stands as if the loop were: its paths cannot be told from those of others.
"""
from libc.stdint cimport INT64_MAX

from engine.atomics cimport load_64, store_64

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
        self.publish()

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
        if self.ears and passed_ns > 0 and self.deaf_at(monotonic_ns):
            passed_ns -= self.credit(monotonic_ns, passed_ns)
            self.seen_ns = monotonic_ns - passed_ns
        elif passed_ns > self.stall_ns:
            passed_ns -= self.credit(monotonic_ns, passed_ns - self.stall_ns)
            self.seen_ns = monotonic_ns - passed_ns
        passed_ms = passed_ns // 1000000
        self.now_ms += passed_ms
        self.seen_ns += passed_ms * 1000000
        self.publish()
        return self.now_ms

    cdef void publish(self) noexcept nogil:
        """Let followers know how listening time stands to the monotonic clock, and how far it goes without us."""
        store_64(&self.ahead_ns, self.now_ms * 1000000 - self.seen_ns)
        store_64(&self.limit_ms, self.now_ms + self.stall_ns // 1000000)

    cdef bint deaf_at(self, int64_t monotonic_ns) noexcept nogil:
        """Tell whether a receiver thread has not been at its socket for longer than a stall."""
        cdef int i
        for i in range(self.ears):
            if monotonic_ns - load_64(&self.heard_ns[i].at) > self.stall_ns:
                return True
        return False

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

    def follow(self, int64_t monotonic_ns):
        """Return a clock for one more thread, which hears from now on."""
        if self.ears == EARS_MAX:
            raise ValueError(f"more than {EARS_MAX} receiver threads")
        cdef Follower follower = Follower(self.now_ms, monotonic_ns, self.stall_ns)
        follower.leader = self
        follower.place = self.ears
        store_64(&self.heard_ns[self.ears].at, monotonic_ns)
        self.ears += 1
        return follower


cdef class Follower(ListeningClock):
    cdef int64_t update(self, int64_t monotonic_ns) noexcept nogil:
        """Note that this thread hears; return listening time by what the leader last said, never far beyond that."""
        store_64(&self.leader.heard_ns[self.place].at, monotonic_ns)
        return min((monotonic_ns + load_64(&self.leader.ahead_ns)) // 1000000, load_64(&self.leader.limit_ms))

    def deaf_ms(self, int64_t monotonic_ns):
        """Return for how long this thread has not been at its socket; 0 up to a stall, which is nothing."""
        cdef int64_t passed_ns = monotonic_ns - load_64(&self.leader.heard_ns[self.place].at)
        return passed_ns // 1000000 if passed_ns > self.stall_ns else 0

    def retire(self):
        """Expect nothing more of this thread: it has ended in order."""
        store_64(&self.leader.heard_ns[self.place].at, INT64_MAX)

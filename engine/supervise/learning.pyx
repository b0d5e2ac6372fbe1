"""Learning: supervision times from what paths showed, proposed or applied."""
from libc.stdio cimport snprintf
from libc.string cimport memset

from codec.batch cimport TIME_NONE, Row, batch_has_room, batch_push, batch_text
from codec.words cimport ROW_ENROLMENT
from engine.atomics cimport load_16, load_32, load_64
from engine.intake cimport Mark
from engine.observed cimport FRAMES_MIN, interval_of
from engine.paths cimport PATH_TEXT_BYTES_MAX, PATH_UP, Path, PathText

from engine.supervise.presets import smallest_preset

cdef enum:
    ROW_BYTES_MAX = PATH_TEXT_BYTES_MAX + 48
    STEP_COUNT = 26

cdef uint32_t* STEPS_MS = [
    5_000, 10_000, 15_000, 20_000, 30_000, 45_000, 60_000, 90_000, 120_000, 180_000, 300_000, 450_000, 600_000,
    900_000, 1_200_000, 1_800_000, 2_700_000, 3_600_000, 7_200_000, 10_800_000, 21_600_000, 43_200_000, 90_000_000,
    180_000_000, 691_200_000, 2_764_800_000]


cdef class Learner:
    def __cinit__(self, PathTable paths not None, Intake intake not None, Clock clock not None, str mode not None,
                  uint32_t min_ms, uint32_t max_ms):
        self.paths = paths
        self.intake = intake
        self.clock = clock
        self.mode = mode
        self.min_ms = min_ms
        self.max_ms = max_ms
        paths.observing = mode != "off"

    def turn(self):
        """Look at the next paths; hand over the rows of those that are to have another time. One batch at a time."""
        cdef uint32_t upto, time_ms
        cdef int64_t wall_ns
        if self.mode != "apply" or self.intake.durable < self.ticket:
            return
        wall_ns = self.clock.wall_now()
        if self.at >= self.paths.count:
            self.at = 0
        upto = min(self.paths.count, self.at + <uint32_t>SLICE_PATHS)
        with nogil:
            while self.at < upto:
                time_ms = self.wanted_ms(self.at)
                if time_ms and not self.push(self.at, time_ms, wall_ns):
                    break                # no room: from here on the next time
                self.at += 1

    cdef Interval interval(self, uint32_t number) noexcept nogil:
        cdef const Path* path = &self.paths.path[number]
        return interval_of(&self.paths.observed[number], load_16(&path.frames), load_32(&path.silence_ms),
                           load_64(&path.heard_ms))

    cdef bint named(self, uint32_t number) noexcept nogil:
        """Tell whether somebody gave the path's transmitter its times."""
        cdef uint32_t at = self.paths.role_at[number]
        return at != 0 and self.paths.role[at - 1].times.primary_ms != 0

    cdef uint32_t proposed_ms(self, const Interval* interval) noexcept nogil:
        """Return the time into which three usual silences fit, within the bounds; 0 when too little was seen."""
        cdef int64_t needed_ms = <int64_t>interval.usual_ms * POLLS
        cdef uint32_t i = 0
        if interval.frames < FRAMES_MIN:
            return 0
        needed_ms -= needed_ms // JITTER_PARTS
        while i < STEP_COUNT - 1 and STEPS_MS[i] < needed_ms:
            i += 1
        return min(max(STEPS_MS[i], self.min_ms), self.max_ms)

    cdef uint32_t wanted_ms(self, uint32_t number) noexcept nogil:
        """Return the time that a path is to have instead of its own, or 0.

        Longer as soon as it shows that it needs it; shorter when that is half or less: no path goes to and fro.
        """
        cdef const Path* path = &self.paths.path[number]
        cdef Interval interval
        cdef uint32_t time_ms
        if path.state < PATH_UP or path.supervision_ms == 0 or self.named(number) or self.paths.expected(number):
            return 0
        interval = self.interval(number)
        time_ms = self.proposed_ms(&interval)
        if time_ms == 0 or time_ms == path.supervision_ms:
            return 0
        if self.paths.learned[number].time_learned and path.supervision_ms // 2 < time_ms < path.supervision_ms:
            return 0
        return time_ms

    cdef bint push(self, uint32_t number, uint32_t time_ms, int64_t wall_ns) noexcept nogil:
        """Hand over the row that gives a known path its time; False without room."""
        cdef char out[ROW_BYTES_MAX]
        cdef Mark mark = self.intake.mark()
        cdef PathText text
        cdef Row row
        if not self.intake.has_room_for_own() or not batch_has_room(self.intake.rows, 1, ROW_BYTES_MAX):
            return False
        text = self.paths.write_text(number, out)
        text.size += snprintf(out + text.size, 48, b" supervision=%u learned", time_ms)
        memset(&row, 0, sizeof(Row))
        row.kind = ROW_ENROLMENT
        row.received_ns = wall_ns
        row.occurred_ns = TIME_NONE
        row.path = number
        row.protocol = self.paths.path[number].key.protocol
        row.native = batch_text(self.intake.rows, <const unsigned char*>out, text.size)
        row.account.at = row.native.at + text.account_at
        row.account.size = self.paths.path[number].key.account_size
        row.realm.at = row.native.at + text.realm_at if text.realm_size else 0
        row.realm.size = text.realm_size
        batch_push(self.intake.rows, &row)
        self.ticket = self.intake.offer(mark).ticket
        self.learned += 1
        return True

    def proposals(self, after, uint32_t limit):
        cdef uint32_t number, time_ms
        cdef Interval interval
        found = []
        for number in range(0 if after is None else after + 1, self.paths.count):
            if self.paths.path[number].state < PATH_UP or self.paths.path[number].key.account_size == 0:
                continue
            interval = self.interval(number)
            time_ms = self.proposed_ms(&interval)
            if time_ms == 0:
                continue
            found.append({
                "number": number, "transmitter": self.paths.transmitter_text(number),
                "path": self.paths.key_text(number), "frames": interval.frames,
                "typical_ms": interval.typical_ms or None, "usual_ms": interval.usual_ms,
                "longest_ms": interval.longest_ms,
                "supervision_ms": self.paths.path[number].supervision_ms or None,
                "named": bool(self.named(number)), "learned": bool(self.paths.learned[number].time_learned),
                "proposed_ms": time_ms, "preset": smallest_preset(time_ms)})
            if len(found) == limit:
                break
        return found

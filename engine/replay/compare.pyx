"""Two outcomes of the same rows, side by side. What counts as a difference stands in `compare.pxd`."""
from libc.stdlib cimport free, realloc
from libc.stdint cimport uint8_t
from libc.string cimport memcmp

from codec.batch cimport Batch, Text
from codec.words cimport ROW_SIGNAL
from engine.filter.outcome cimport NO_ROW, Events
from engine.words cimport EVENT_RAISED, VERIFICATION_CANARY

from engine.words import EVENT_TEXT, REASON_TEXT, VERDICT_TEXT, VERIFICATION_TEXT

assert max(VERDICT_TEXT) < VERDICTS and max(REASON_TEXT) < REASONS
assert max(EVENT_TEXT) < TYPES and max(VERIFICATION_TEXT) < VERIFICATIONS


cdef inline bint says_the_same(const Events* was, int64_t i, const Events* would, int64_t j) noexcept nogil:
    return was.alarm[i] == would.alarm[j] and was.type[i] == would.type[j] \
        and was.signal_class[i] == would.signal_class[j] and was.verification[i] == would.verification[j] \
        and was.priority[i] == would.priority[j] and was.reason[i] == would.reason[j] \
        and was.accepted[i] == would.accepted[j]


cdef inline bint is_the_same(const Events* was, int64_t i, const Events* would, int64_t j) noexcept nogil:
    """Tell whether two events that no row made are about the same."""
    return was.alarm[i] == would.alarm[j] and was.type[i] == would.type[j] and was.reason[i] == would.reason[j] \
        and was.received_ns[i] == would.received_ns[j]


cdef inline bint begins(const uint8_t* at, const uint8_t* end, const char* area, uint32_t size) noexcept nogil:
    """Tell whether an area stands there, up to a slash or the end."""
    return end - at >= size and memcmp(at, area, size) == 0 and (end - at == size or at[size] == c'/')


cdef inline int64_t next_without_row(Outcome outcome, int64_t event) noexcept nogil:
    while event < outcome.events_count and outcome.events.row[event] != NO_ROW:
        event += 1
    return event


cdef int64_t sought_ahead(const Events* event, int64_t at, Outcome among, int64_t start) noexcept nogil:
    """Return the next event without a row that is about the same, or -1; not very far ahead."""
    cdef int64_t other = start
    cdef int tries
    for tries in range(AHEAD):
        if other >= among.events_count:
            return -1
        if is_the_same(event, at, &among.events, other):
            return other
        other = next_without_row(among, other + 1)
    return -1


cdef class Comparison:
    def __cinit__(self, int64_t since_ns, int64_t until_ns, str area not None=""):
        self.since_ns = since_ns
        self.until_ns = until_ns
        self.area_text = area.encode()
        self.area = self.area_text
        self.area_size = <uint32_t>len(self.area_text)
        self.parts = area.count("/") + 1

    def __dealloc__(self):
        free(self.found)

    def compare(self, Batch batch not None, Outcome was not None, Outcome would not None):
        cdef const Columns* c = &batch.columns
        cdef size_t i
        if was.rows != c.count or would.rows != c.count:
            raise ValueError(f"outcomes of {was.rows} and {would.rows} rows; the batch has {c.count}")
        self.reserve(<size_t>c.count + was.events_count + would.events_count)
        with nogil:
            self.found_count = 0
            self.count_rows(c, was, would)
            self.count_events(&self.was, was)
            self.count_events(&self.would, would)
            self.compare_rows(c, was, would)
            self.compare_rest(was, would)
            self.differences += self.found_count
        return [(None if self.found[i].row == NO_ROW else self.found[i].row,
                 None if self.found[i].was < 0 else self.found[i].was,
                 None if self.found[i].would < 0 else self.found[i].would,
                 was.events.alarm[self.found[i].was] if self.found[i].was >= 0
                 else would.events.alarm[self.found[i].would] if self.found[i].would >= 0 else None)
                for i in range(self.found_count)]

    cdef int reserve(self, size_t wanted) except -1:
        cdef void* larger
        if wanted > self.found_max:
            larger = realloc(self.found, wanted * sizeof(Difference))
            if larger == NULL:
                raise MemoryError()
            self.found = <Difference*>larger
            self.found_max = wanted
        return 0

    cdef void count_rows(self, const Columns* c, Outcome was, Outcome would) noexcept nogil:
        """Count signals by verdict and reason; with an area, those of the whole country would say nothing."""
        cdef uint32_t row
        if self.area_size:
            return
        for row in range(c.count):
            if c.kind[row] == ROW_SIGNAL and self.looks_at(c.received_ns[row]):
                self.signals += 1
                self.was.verdicts[(was.verdicts.verdict[row] & (VERDICTS - 1)) * REASONS
                                  + (was.verdicts.reason[row] & (REASONS - 1))] += 1
                self.would.verdicts[(would.verdicts.verdict[row] & (VERDICTS - 1)) * REASONS
                                    + (would.verdicts.reason[row] & (REASONS - 1))] += 1

    cdef void count_events(self, Tally* tally, Outcome outcome) noexcept nogil:
        cdef const Events* e = &outcome.events
        cdef uint32_t i
        for i in range(outcome.events_count):
            if e.verification[i] == VERIFICATION_CANARY or not self.looks_at(e.received_ns[i]) \
                    or not self.is_here(outcome, i):
                continue
            tally.events[(e.type[i] & (TYPES - 1)) * VERIFICATIONS + (e.verification[i] & (VERIFICATIONS - 1))] += 1
            if e.type[i] == EVENT_RAISED:
                tally.priorities[e.priority[i] & (PRIORITIES - 1)] += 1

    cdef void compare_rows(self, const Columns* c, Outcome was, Outcome would) noexcept nogil:
        """Find the rows that differ, and the events that they made."""
        cdef const Events* a = &was.events
        cdef const Events* b = &would.events
        cdef int64_t i = 0, j = 0
        cdef uint32_t row
        cdef bint in_was, in_would, same, eventless
        for row in range(c.count):
            same = was.verdicts.verdict[row] == would.verdicts.verdict[row] \
                and was.verdicts.reason[row] == would.verdicts.reason[row]
            eventless = True
            while True:
                while i < was.events_count and a.row[i] == NO_ROW:
                    i += 1
                while j < would.events_count and b.row[j] == NO_ROW:
                    j += 1
                in_was = i < was.events_count and a.row[i] == row
                in_would = j < would.events_count and b.row[j] == row
                if not in_was and not in_would:
                    break
                eventless = False
                if self.looks_at(c.received_ns[row]) \
                        and not (same and in_was and in_would and says_the_same(a, i, b, j)) \
                        and (in_was and self.is_here(was, i) or in_would and self.is_here(would, j)):
                    self.note(row, i if in_was else -1, j if in_would else -1)
                i += in_was
                j += in_would
            if eventless and not same and self.area_size == 0 and self.looks_at(c.received_ns[row]):
                self.note(row, -1, -1)

    cdef void compare_rest(self, Outcome was, Outcome would) noexcept nogil:
        """Find the events that differ and that no row made: a deadline did, or what people changed."""
        cdef int64_t i = next_without_row(was, 0), j = next_without_row(would, 0), ahead, one, other
        while i < was.events_count or j < would.events_count:
            one = i if i < was.events_count else -1
            other = j if j < would.events_count else -1
            if one >= 0 and other >= 0 and not is_the_same(&was.events, i, &would.events, j):
                ahead = sought_ahead(&was.events, i, would, j)
                if ahead >= 0:
                    one = -1             # what stands before the one that fits is in `would` alone
                else:
                    other = -1
            if not (one >= 0 and other >= 0 and says_the_same(&was.events, i, &would.events, j)) \
                    and (one >= 0 and self.looks_at(was.events.received_ns[i]) and self.is_here(was, i)
                         or other >= 0 and self.looks_at(would.events.received_ns[j]) and self.is_here(would, j)):
                self.note(NO_ROW, one, other)
            if one >= 0:
                i = next_without_row(was, i + 1)
            if other >= 0:
                j = next_without_row(would, j + 1)

    cdef void note(self, uint32_t row, int64_t was, int64_t would) noexcept nogil:
        self.found[self.found_count].row = row
        self.found[self.found_count].was = was
        self.found[self.found_count].would = would
        self.found_count += 1

    cdef bint looks_at(self, int64_t ns) noexcept nogil:
        return self.since_ns <= ns < self.until_ns

    cdef bint is_here(self, Outcome outcome, int64_t event) noexcept nogil:
        """Tell whether an event is of the area asked for, as subscribers ask for one: the whole of its own, its first
        parts, or any one part. One without an area is of every one."""
        cdef Text text = outcome.events.area[event]
        cdef const uint8_t* at = outcome.arena + text.at
        cdef const uint8_t* end = at + text.size
        if self.area_size == 0 or text.size == 0:
            return True
        if begins(at, end, self.area, self.area_size):
            return True
        if self.parts > 1:
            return False
        while at < end:
            while at < end and at[0] != c'/':
                at += 1
            at += 1
            if at < end and begins(at, end, self.area, self.area_size):
                return True
        return False

    def tallies(self):
        return side(&self.was), side(&self.would)


cdef dict side(const Tally* tally):
    return {
        "verdicts": {(verdict, reason): tally.verdicts[number * REASONS + cause]
                     for number, verdict in VERDICT_TEXT.items() for cause, reason in REASON_TEXT.items()
                     if tally.verdicts[number * REASONS + cause]},
        "events": {(type, verification): tally.events[number * VERIFICATIONS + other]
                   for number, type in EVENT_TEXT.items() for other, verification in VERIFICATION_TEXT.items()
                   if tally.events[number * VERIFICATIONS + other]},
        "priorities": {number: tally.priorities[number] for number in range(PRIORITIES) if tally.priorities[number]},
    }

"""One transmitter's rows among all of a journal. The two ways stand in `past.pxd`."""
cimport cython
from libc.stdint cimport int64_t, uint16_t, uint64_t
from libc.string cimport memcmp

from codec.batch cimport Batch, Text
from codec.limits cimport POINT_BYTES_MAX
from codec.words cimport (
    CLASS_SUPERVISORY, CLASS_TEST, CONDITION_LINE_FAULT, ROW_SIGNAL, STATE_CLEARED, STATE_RAISED,
)
from engine.filter.states cimport (
    STATE_CHANGE_NONE, STATES_PER_TRANSMITTER_MAX, StateItem, states_create, states_destroy, states_note,
    states_note_row,
)
from engine.filter.states_view cimport states_rows
from engine.words cimport REASON_MASS_LOSS, REASON_STATE

from codec.words import CLASS_TEXT, CONDITION_TEXT

cdef enum:
    LOST_MAX = 4 * STATES_PER_TRANSMITTER_MAX


@cython.final
cdef class Past:
    def __cinit__(self, uint8_t protocol, bytes account not None, bytes realm not None):
        states_create(&self.states, 1, STATES_PER_TRANSMITTER_MAX)
        self.protocol = protocol
        self.account = account
        self.realm = realm
        self.account_text = self.account
        self.realm_text = self.realm
        self.account_size = <uint32_t>len(account)
        self.realm_size = <uint32_t>len(realm)
        self.lost = []
        self.sure = True

    def __dealloc__(self):
        states_destroy(&self.states)

    def seed(self, uint8_t signal_class, uint16_t condition, bytes point not None, uint64_t signal):
        states_note(&self.states, 0, signal_class, condition, STATE_RAISED, <const uint8_t*>point,
                    <uint32_t>len(point), signal, 0)

    cdef bint is_change(self, const Columns* c, Outcome outcome, uint32_t row) noexcept nogil:
        """Whether a row is this transmitter's and changed what is open."""
        cdef Text account = c.account[row], realm = c.realm[row]
        cdef uint8_t reason = outcome.verdicts.reason[row]
        return c.protocol[row] == self.protocol and c.kind[row] == ROW_SIGNAL \
            and CLASS_SUPERVISORY <= c.signal_class[row] <= CLASS_TEST \
            and (c.state[row] == STATE_RAISED or c.state[row] == STATE_CLEARED) \
            and (reason == REASON_STATE or reason == REASON_MASS_LOSS) \
            and account.size == self.account_size and realm.size == self.realm_size \
            and memcmp(c.arena + account.at, self.account_text, account.size) == 0 \
            and memcmp(c.arena + realm.at, self.realm_text, realm.size) == 0

    cdef StateItem* find(self, const Columns* c, uint32_t row) noexcept nogil:
        """What is known to be open of a row's class and condition at exactly its point, or NULL."""
        cdef StateItem* item
        cdef Text point = c.point[row]
        cdef uint32_t i, at = self.states.slots[0].first, size = min(point.size, <uint32_t>POINT_BYTES_MAX)
        for i in range(self.states.slots[0].items):
            item = &self.states.items[at]
            if item.signal_class == c.signal_class[row] and item.condition == c.condition[row] \
                    and item.point_size == size and memcmp(item.point, c.arena + point.at, size) == 0:
                return item
            at = item.next
        return NULL

    cdef bint ends_one(self, const Columns* c, uint32_t row) noexcept nogil:
        """Whether a restore ends just what it names, and that is known to be open."""
        return (c.point[row].size != 0 or c.level[row] != 0 or c.condition[row] == CONDITION_LINE_FAULT) \
            and self.find(c, row) != NULL

    def undo(self, uint64_t first, Batch batch not None, Outcome outcome not None, uint64_t after, uint64_t until):
        cdef const Columns* c = &batch.columns
        cdef uint32_t row
        cdef bint able = True
        with nogil:
            for row in range(c.count):
                if not after < first + row <= until or not self.is_change(c, outcome, row):
                    continue
                if c.state[row] == STATE_CLEARED and not self.ends_one(c, row):
                    able = False
                    break
                states_note_row(&self.states, 0, c, row, first + row)
        return able

    def replay(self, uint64_t first, Batch batch not None, Outcome outcome not None, uint64_t after, uint64_t until,
               bint asked):
        cdef const Columns* c = &batch.columns
        cdef uint32_t row
        cdef bint certain
        cdef StateItem* item
        with nogil:
            for row in range(c.count):
                if not after < first + row <= until or not self.is_change(c, outcome, row):
                    continue
                certain = c.state[row] == STATE_RAISED or self.ends_one(c, row)
                item = self.find(c, row) if c.state[row] == STATE_RAISED else NULL
                if item != NULL:         # it was ended by a restore that seemed to end something else
                    item.signal = first + row
                    item.since_ns = c.received_ns[row]
                elif states_note_row(&self.states, 0, c, row, first + row) == STATE_CHANGE_NONE and asked:
                    with gil:
                        self.lose(c, row)
                if asked and not certain:
                    self.sure = False

    cdef int lose(self, const Columns* c, uint32_t row) except -1:
        """Note what a restore ended although it is not known."""
        cdef Text point = c.point[row]
        text = (<bytes>c.arena[point.at:point.at + point.size]).decode("utf-8", "replace")
        lost = (CLASS_TEXT[c.signal_class[row]], CONDITION_TEXT.get(c.condition[row], "unknown"), text or None)
        if lost not in self.lost and len(self.lost) < LOST_MAX:
            self.lost.append(lost)

    def rows(self):
        return states_rows(&self.states, 0)


def row_after(uint64_t first, Batch batch not None, int64_t at_ns, uint64_t after):
    cdef const Columns* c = &batch.columns
    cdef uint32_t row
    for row in range(c.count):
        if first + row > after and c.received_ns[row] > at_ns:
            return first + row
    return None


def begun_ns(Batch batch not None):
    return batch.columns.received_ns[0]

"""The counter windows of the Tocsin profile; see windows.pxd.

After a restart they come back from the snapshot, and from the messages with signals that the journal kept since. A
heartbeat that came after the last snapshot is in neither: recorded, it can prove life once more.
"""
import struct

from cpython.bytes cimport PyBytes_AS_STRING
from libc.string cimport memcpy

from codec.batch cimport Batch
from codec.tocsin cimport (TOCSIN_COUNTER_AT, TOCSIN_FRAME_BYTES_MIN, TOCSIN_KEY_ID_AT, TOCSIN_TAG_BYTES,
                           number_at)
from codec.words cimport PROTOCOL_TOCSIN, ROW_SIGNAL
from engine.memory cimport memory_release, memory_reserve

WINDOWS_VERSION = 1


cdef class Windows:
    def __cinit__(self, uint32_t keys):
        """keys: how many may be known; twice as many places, so that looking is short."""
        self.slots = 16
        while self.slots < 2 * keys:
            self.slots *= 2
        self.windows = <Window*>memory_reserve(<size_t>self.slots * sizeof(Window))

    def __dealloc__(self):
        memory_release(self.windows, <size_t>self.slots * sizeof(Window))

    cdef Window* window_of(self, uint32_t key_id) noexcept nogil:
        """Return the window of a key, a new one if need be; NULL when there is no place."""
        cdef uint32_t at = key_id * <uint32_t>0x9E3779B1 & (self.slots - 1)
        while self.windows[at].key_id != key_id:
            if self.windows[at].key_id == 0:
                if 2 * self.count >= self.slots:
                    return NULL
                self.windows[at].key_id = key_id
                self.count += 1
                break
            at = (at + 1) & (self.slots - 1)
        return &self.windows[at]

    cdef Standing judge(self, uint32_t key_id, uint32_t counter, const uint8_t* tag, uint32_t* highest) noexcept nogil:
        """Take an authentic message into its key's window and say how it stands.

        highest  filled with the highest counter of the key, this one included
        """
        cdef Window* window = self.window_of(key_id)
        cdef uint32_t mark, behind
        memcpy(&mark, tag, 4)
        highest[0] = counter
        self.judged = window
        if window == NULL:                   # more keys than were known at the start: nothing can be told
            return STANDING_NEW
        self.highest_before, self.came_before = window.highest, window.came
        self.tag_before = window.tags[counter % WINDOW_COUNTERS]
        if window.came == 0 or counter > window.highest:
            behind = counter - window.highest
            window.came = window.came << behind if window.came and behind < WINDOW_COUNTERS else 0
            window.came |= 1
            window.highest = counter
            window.tags[counter % WINDOW_COUNTERS] = mark
            return STANDING_NEW
        highest[0] = window.highest
        behind = window.highest - counter
        if behind < WINDOW_COUNTERS:
            if not window.came >> behind & 1:
                window.came |= <uint64_t>1 << behind
                window.tags[counter % WINDOW_COUNTERS] = mark
                return STANDING_NEW
            if window.tags[counter % WINDOW_COUNTERS] == mark:
                self.repeated += 1
                return STANDING_AGAIN
        self.stale += 1
        return STANDING_STALE

    cdef void take_back(self, uint32_t counter, int standing) noexcept nogil:
        """Undo the last judgement, once, where `judged` is set: its message will be offered again."""
        self.repeated -= standing == STANDING_AGAIN
        self.stale -= standing == STANDING_STALE
        self.judged.highest, self.judged.came = self.highest_before, self.came_before
        self.judged.tags[counter % WINDOW_COUNTERS] = self.tag_before
        self.judged = NULL

    cdef void replay(self, const Columns* c, uint32_t row) noexcept nogil:
        """Take a journalled message in: raw has all of it."""
        cdef const uint8_t* raw = c.arena + c.raw[row].at
        cdef uint32_t highest
        if c.raw[row].size >= TOCSIN_FRAME_BYTES_MIN:
            self.judge(number_at(raw + TOCSIN_KEY_ID_AT, 3), number_at(raw + TOCSIN_COUNTER_AT, 4),
                       raw + c.raw[row].size - TOCSIN_TAG_BYTES, &highest)

    def apply(self, Batch batch not None):
        """Take in the messages of a journalled batch, after a restart."""
        cdef Columns* c = &batch.columns
        cdef uint32_t row
        for row in range(c.count):
            if c.kind[row] == ROW_SIGNAL and c.protocol[row] == PROTOCOL_TOCSIN:
                self.replay(c, row)
        self.repeated = self.stale = 0       # the rows of one message are no retransmissions

    def save(self):
        cdef uint32_t at
        parts = [struct.pack("<II", WINDOWS_VERSION, self.count)]
        for at in range(self.slots):
            if self.windows[at].key_id:
                parts.append((<const char*>&self.windows[at])[:sizeof(Window)])
        return b"".join(parts)

    def load(self, bytes saved not None):
        cdef const char* start = PyBytes_AS_STRING(saved)
        cdef Window one
        cdef Window* window
        cdef uint32_t at, count
        if len(saved) < 8:
            raise ValueError("counter windows of the wrong version or length")
        version, count = struct.unpack_from("<II", saved)
        if version != WINDOWS_VERSION or len(saved) != 8 + count * sizeof(Window):
            raise ValueError("counter windows of the wrong version or length")
        for at in range(count):
            memcpy(&one, start + 8 + at * sizeof(Window), sizeof(Window))
            window = self.window_of(one.key_id) if one.key_id else NULL
            if window != NULL:               # a key that is not configured any more may find no place
                window[0] = one

"""The intake: rows that wait for their append, and the tickets of the replies that wait with them."""
from libc.stdint cimport int64_t, uint8_t

from codec.limits cimport FRAME_BYTES_MAX
from codec.words cimport CLASS_FIRE, CLASS_GAS, CLASS_INFO, CLASS_PREALARM, CLASS_TEST, ROW_SIGNAL
from engine.histogram cimport Histogram, histogram_add


cdef class Intake:
    def __cinit__(self, uint32_t rows_max, uint32_t arena_max, *args):
        if rows_max < 1024 or arena_max < 64 * FRAME_BYTES_MAX:
            raise ValueError(f"an intake of {rows_max} rows and {arena_max} bytes is too small")
        self.batch = Batch(rows_max, arena_max)
        self.rows = &self.batch.columns
        # What must wait, waits in this order: test and info, our own line faults, other signals, and never a fire.
        self.full_for[<int>URGENCY_DEFERRABLE] = Mark(rows_max // 2, arena_max // 2)
        self.full_for_own = Mark(rows_max - rows_max // 8 * 3, arena_max - arena_max // 8 * 3)
        self.full_for[<int>URGENCY_NORMAL] = Mark(rows_max - rows_max // 8, arena_max - arena_max // 8)
        self.full_for[<int>URGENCY_FIRE] = Mark(rows_max, arena_max)

    def __len__(self):
        return self.rows.count

    cdef Mark mark(self) noexcept nogil:
        cdef Mark mark
        mark.row = self.rows.count
        mark.arena = self.rows.arena_used
        return mark

    cdef void withdraw(self, Mark mark) noexcept nogil:
        """Take out every row since `mark`."""
        self.rows.count = mark.row
        self.rows.arena_used = mark.arena

    cdef bint crowded(self) noexcept nogil:
        """Tell whether the room that is left is kept for fire."""
        return not self.fits(self.full_for[<int>URGENCY_NORMAL])

    cdef bint fits(self, Mark full) noexcept nogil:
        return self.rows.count <= full.row and self.rows.arena_used <= full.arena

    cdef bint has_room(self, Urgency urgency) noexcept nogil:
        """Tell whether rows of this urgency may come in, or stay in when they were just added."""
        return urgency >= self.urgency_min and self.fits(self.full_for[<int>urgency])

    cdef bint has_room_later(self, Urgency urgency) noexcept nogil:
        """Tell whether rows that found no room are to wait for the next append, which takes what is here.

        Not those that are shed to keep room for others, nor those for which the journal itself is too full.
        """
        return self.rows.count != 0 and urgency != URGENCY_DEFERRABLE and urgency >= self.urgency_min

    cdef bint has_room_for_own(self) noexcept nogil:
        """Tell whether a row that the engine itself finds may come in; transmitters' signals go first."""
        return URGENCY_NORMAL >= self.urgency_min and self.fits(self.full_for_own)

    cdef Urgency urgency_since(self, Mark mark) noexcept nogil:
        """Return the urgency of the most urgent row since `mark`."""
        cdef Urgency urgency = URGENCY_DEFERRABLE
        cdef uint32_t row
        cdef uint8_t signal_class
        for row in range(mark.row, self.rows.count):
            signal_class = self.rows.signal_class[row]
            if signal_class == CLASS_FIRE or signal_class == CLASS_GAS or signal_class == CLASS_PREALARM:
                return URGENCY_FIRE
            if signal_class != CLASS_TEST and signal_class != CLASS_INFO:
                urgency = URGENCY_NORMAL
        return urgency

    cdef Offered offer(self, Mark mark) noexcept nogil:
        """Hand over the rows since `mark` as those of one frame."""
        cdef Offered offered
        offered.ticket = TICKET_DURABLE
        offered.outcome = OFFER_NO_ROOM
        self.urgency = self.urgency_since(mark)
        if self.has_room(self.urgency):
            self.offered += self.rows.count - mark.row
            offered.ticket = self.offered
            offered.outcome = OFFER_NEW
        else:
            self.withdraw(mark)
        return offered

    def offer_frame(self, *rows):
        cdef Mark mark = self.mark()
        cdef Offered offered
        for row in rows:
            if not self.batch.add(**row):
                self.withdraw(mark)
                return None
        with nogil:
            offered = self.offer(mark)
        return None if offered.outcome == OFFER_NO_ROOM else (offered.ticket, offered.outcome == OFFER_NEW)

    def take(self):
        """Return the ticket up to which the batch reaches. The caller has encoded it; the rows are forgotten."""
        self.batch.clear()
        return self.offered

    def record_durable(self, Batch batch not None, Histogram histogram not None, int64_t wall_ns):
        cdef uint32_t row
        for row in range(batch.columns.count):
            if batch.columns.kind[row] == ROW_SIGNAL:
                histogram_add(&histogram.data, wall_ns - batch.columns.received_ns[row], 1)

    def release(self, uint64_t ticket):
        """Note that every row up to `ticket` is durable."""
        self.durable = ticket

    def fail(self, uint64_t ticket):
        """Note that the rows up to `ticket` that were not durable before never will be."""
        self.durable = ticket

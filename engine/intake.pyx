"""The intake: rows that wait for their append, and the tickets of the replies that wait with them."""
from codec.limits cimport FRAME_BYTES_MAX


cdef class Intake:
    def __cinit__(self, uint32_t rows_max, uint32_t arena_max, *args):
        if rows_max < 1024 or arena_max < 64 * FRAME_BYTES_MAX:
            raise ValueError(f"an intake of {rows_max} rows and {arena_max} bytes is too small")
        self.batch = Batch(rows_max, arena_max)
        self.rows = &self.batch.columns
        # The last eighth is kept for fire, gas and prealarm: they are the last to be refused.
        self.rows_urgent = rows_max - rows_max // 8
        self.arena_urgent = arena_max - arena_max // 8

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

    cdef bint has_room(self, bint urgent) noexcept nogil:
        """Tell whether what was just added may stay, or whether the room that is left is for urgent rows."""
        return urgent or (self.rows.count <= self.rows_urgent and self.rows.arena_used <= self.arena_urgent)

    cdef Offered offer(self, Mark mark) noexcept nogil:
        """Hand over the rows since `mark` as those of one frame."""
        cdef Offered offered
        self.offered += self.rows.count - mark.row
        offered.ticket = self.offered
        offered.is_new = True
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
        return offered.ticket, offered.is_new

    def take(self):
        """Return the ticket up to which the batch reaches. The caller has encoded it; the rows are forgotten."""
        self.batch.clear()
        return self.offered

    def release(self, uint64_t ticket):
        """Note that every row up to `ticket` is durable."""
        self.durable = ticket

    def fail(self, uint64_t ticket):
        """Note that the rows up to `ticket` that were not durable before never will be."""
        self.durable = ticket

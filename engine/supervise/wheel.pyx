"""The timing wheel of supervision; `wheel.pxd` tells how it works.

Rejected: a binary heap (a million entries of 16 bytes, log n cache misses a step), one timer object a path, cascading
within the wheel (it would have to keep every deadline, and would move ids whose deadline has long moved on), and
two arrays for next and prev (two cache lines an id instead of one).
"""
cimport cython
from libc.stdlib cimport abort
from posix.mman cimport (
    MAP_ANONYMOUS, MAP_FAILED, MAP_NORESERVE, MAP_PRIVATE, PROT_READ, PROT_WRITE, mmap, munmap,
)

cdef extern from *:
    """
    #define DEADLINE_MS_MAX (INT64_MAX / 2)      /* later ones are taken as this one; rounding up must not overflow */
    """
    const int64_t DEADLINE_MS_MAX

DUE_MAX = 65536                      # ids that collect() fetches at once


@cython.final
cdef class Wheel:
    def __cinit__(self, uint32_t ids_max, int64_t now_ms=0):
        cdef uint32_t sentinel
        if not 0 < ids_max <= WHEEL_IDS_MAX:
            raise ValueError(f"a wheel of {ids_max} ids: 1..{WHEEL_IDS_MAX} are possible")
        self.reserved_bytes = (<size_t>FIRST_ID + ids_max) * sizeof(Link)
        memory = mmap(NULL, self.reserved_bytes, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)
        if memory == MAP_FAILED:
            raise MemoryError()
        self.links = <Link*>memory
        self.ids_max = ids_max
        self.current = now_ms >> TICK_SHIFT
        for sentinel in range(1, FIRST_ID):
            self.links[sentinel].next = self.links[sentinel].prev = sentinel

    def __dealloc__(self):
        if self.links != NULL:
            munmap(self.links, self.reserved_bytes)

    # -- the C side ----------------------------------------------------------------------------------------------

    cdef void file(self, uint32_t id, int64_t deadline_ms) noexcept nogil:
        cdef uint32_t index = FIRST_ID + id, slot
        cdef Link* link = &self.links[index]
        if id >= self.ids_max:
            abort()
        if link.next:
            self.unlink(link)
        else:
            self.filed_count += 1
            if id >= self.ids_touched:
                self.ids_touched = id + 1
        slot = self.slot_of(deadline_ms)
        link.next = slot
        link.prev = self.links[slot].prev
        self.links[link.prev].next = index
        self.links[slot].prev = index

    cdef void remove(self, uint32_t id) noexcept nogil:
        if id >= self.ids_max:
            abort()
        cdef Link* link = &self.links[FIRST_ID + id]
        if link.next:
            self.unlink(link)
            link.next = link.prev = 0
            self.filed_count -= 1

    cdef bint filed(self, uint32_t id) noexcept nogil:
        if id >= self.ids_max:
            abort()
        return self.links[FIRST_ID + id].next != 0

    cdef uint32_t slot_of(self, int64_t deadline_ms) noexcept nogil:
        """The sentinel of the finest slot that a deadline fits into; a past one fits the next tick.

        The next tick and not the current one: who files what is overdue again and again would never leave advance().
        """
        cdef int64_t tick, at = self.current
        cdef uint32_t level
        if deadline_ms > DEADLINE_MS_MAX:
            deadline_ms = DEADLINE_MS_MAX
        if deadline_ms <= at << TICK_SHIFT:
            tick = at + 1
        else:
            tick = (deadline_ms + TICK_MS - 1) >> TICK_SHIFT
        for level in range(LEVELS):
            if tick - at < LEVEL_SLOTS:
                return 1 + level * LEVEL_SLOTS + (tick & (LEVEL_SLOTS - 1))
            if level < LEVELS - 1:
                tick >>= LEVEL_SHIFT
                at >>= LEVEL_SHIFT
        return 1 + (LEVELS - 1) * LEVEL_SLOTS + ((at + LEVEL_SLOTS - 1) & (LEVEL_SLOTS - 1))

    cdef void unlink(self, Link* link) noexcept nogil:
        self.links[link.prev].next = link.next
        self.links[link.next].prev = link.prev

    cdef uint32_t advance(self, int64_t now_ms, uint32_t* due, uint32_t due_max) noexcept nogil:
        cdef int64_t target = now_ms >> TICK_SHIFT, tick
        cdef uint32_t count = self.fetch(due, due_max), budget = SLOTS_VISITED_MAX, level
        while count < due_max and self.current < target and budget:
            if not self.filed_count:
                self.current = target
                break
            budget -= 1
            tick = self.current = self.current + 1
            self.release(1 + (tick & (LEVEL_SLOTS - 1)))
            for level in range(1, LEVELS):
                if tick & (LEVEL_SLOTS - 1):
                    break
                tick >>= LEVEL_SHIFT
                self.release(1 + level * LEVEL_SLOTS + (tick & (LEVEL_SLOTS - 1)))
            count += self.fetch(due + count, due_max - count)
        return count

    cdef bint behind(self, int64_t now_ms) noexcept nogil:
        return self.current < now_ms >> TICK_SHIFT or self.links[PENDING].next != PENDING

    cdef void release(self, uint32_t slot) noexcept nogil:
        """Hang the whole list of a slot behind what is pending; the slot is free for a new round."""
        cdef uint32_t first = self.links[slot].next, last = self.links[slot].prev, tail
        if first == slot:
            return
        tail = self.links[PENDING].prev
        self.links[tail].next = first
        self.links[first].prev = tail
        self.links[last].next = PENDING
        self.links[PENDING].prev = last
        self.links[slot].next = self.links[slot].prev = slot

    cdef uint32_t fetch(self, uint32_t* due, uint32_t due_max) noexcept nogil:
        """Move ids from the front of what is pending into `due`."""
        cdef uint32_t index = self.links[PENDING].next, count = 0
        cdef Link* link
        while index != PENDING and count < due_max:
            link = &self.links[index]
            due[count] = index - FIRST_ID
            count += 1
            index = link.next
            link.next = link.prev = 0
        self.links[PENDING].next = index
        self.links[index].prev = PENDING
        self.filed_count -= count
        return count

    # -- the Python side -----------------------------------------------------------------------------------------

    def add(self, uint32_t id, int64_t deadline_ms):
        self.known(id)
        self.file(id, deadline_ms)

    def discard(self, uint32_t id):
        self.known(id)
        self.remove(id)

    def __contains__(self, uint32_t id):
        return self.filed(self.known(id))

    def __len__(self):
        return self.filed_count

    def is_behind(self, int64_t now_ms):
        return self.behind(now_ms)

    def collect(self, int64_t now_ms, uint32_t due_max=4096):
        cdef uint32_t[65536] due
        cdef uint32_t count, i
        if not 0 < due_max <= DUE_MAX:
            raise ValueError(f"due_max={due_max}: 1..{DUE_MAX}")
        with nogil:
            count = self.advance(now_ms, due, due_max)
        return [due[i] for i in range(count)]

    def check(self):
        cdef uint32_t sentinel, index, count = 0, unfiled = 0
        for sentinel in range(1, FIRST_ID):
            index = sentinel
            while True:
                assert self.links[self.links[index].next].prev == index, f"link {index} of list {sentinel} is torn"
                index = self.links[index].next
                if index == sentinel:
                    break
                assert FIRST_ID <= index < FIRST_ID + self.ids_touched, f"link {index} was never filed"
                count += 1
                assert count <= self.filed_count, "a list runs in a circle or holds more than was filed"
        assert count == self.filed_count
        assert self.links[0].next == self.links[0].prev == 0
        for index in range(FIRST_ID, FIRST_ID + self.ids_touched):
            unfiled += self.links[index].next == 0
        assert unfiled + self.filed_count == self.ids_touched, "an id says that it is filed and is in no list"

    cdef uint32_t known(self, uint32_t id) except? 0xFFFFFFFF:
        if id >= self.ids_max:
            raise IndexError(f"id {id} of a wheel of {self.ids_max}")
        return id

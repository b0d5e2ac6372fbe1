"""The book of the simulated transmitters; see transmitters.pxd.

Rejected: a hash of outstanding frames (a lookup and an insert per frame; the slot is one multiplication away), and a
heap of retransmissions (all signals at the same try wait equally long, so one queue for each try is sorted by itself).
"""
from libc.stdlib cimport calloc, free
from libc.string cimport memcpy
from loadgen.client cimport (CLOSE_TAG, Speaker, Values, client_frame_size, client_proves, client_read_reply,
                             client_write)
from loadgen.dc09_client cimport (CLIENT_FRAME_BYTES_MAX, REPLY_ACK, REPLY_DUH, REPLY_NAK, REPLY_NONE, SEQUENCE_MAX,
                                  Reply, frame_size, read_reply, stamp_set, write_heartbeat, write_signal)

cdef int64_t[5] RETRY_NS = [1000000000, 2000000000, 4000000000, 4000000000, 4000000000]
RETRY_SECONDS = (1, 2, 4, 4, 4)  # the last one: how long the fifth try waits before the signal is given up
SLOTS_EACH_MIN = 4
SLOTS_EACH_MAX = 4096


cdef Slot* take(Book* book, uint32_t transmitter) noexcept nogil:
    """Move to the next sequence whose slot holds no waiting signal; return its slot, NULL when none is free."""
    cdef Transmitter* owner = &book.transmitters[transmitter]
    cdef Slot* slot
    cdef uint32_t i, sequence
    for i in range(book.slots_each):
        sequence = 1 if owner.sequence >= SEQUENCE_MAX else owner.sequence + 1
        owner.sequence = sequence
        slot = &book.slots[<size_t>transmitter * book.slots_each + (sequence & (book.slots_each - 1))]
        if slot.state == SLOT_WAITS:
            if slot.signal != NO_SIGNAL:
                continue
            book.counts.heartbeats_evicted += 1
        slot.sequence = sequence
        slot.state = SLOT_WAITS
        return slot
    book.counts.withheld += 1
    return NULL


cdef uint32_t speak(Book* book, uint32_t transmitter, uint32_t sequence, const Signal* signal, uint32_t number,
                    const Stamp* stamp, uint8_t* out) noexcept nogil:
    """Write a frame of a group that does not speak plain DC-09: a heartbeat where `signal` is NULL."""
    cdef Values values
    values.account = book.account_first + transmitter
    values.transmitter = transmitter
    values.sequence = sequence
    values.number = number
    values.zone = 0 if signal == NULL else signal.zone
    return client_write(book.client, &book.client.heartbeat if signal == NULL else &book.client.signal, &values, stamp,
                        out)


cdef uint32_t book_heartbeat(Book* book, uint32_t transmitter, int64_t due_ns, const Stamp* stamp,
                             uint8_t* out) noexcept nogil:
    cdef Slot* slot = take(book, transmitter)
    if slot == NULL:
        return 0
    slot.due_ns = due_ns
    slot.signal = NO_SIGNAL
    book.counts.heartbeats += 1
    if book.client != NULL:
        return speak(book, transmitter, slot.sequence, NULL, 0, stamp, out)
    return write_heartbeat(out, book.account_first + transmitter, book.digits, slot.sequence, stamp)


cdef void enqueue(Book* book, uint32_t index, int64_t now_ns) noexcept nogil:
    """File a signal that was just sent under the number of its tries."""
    cdef Signal* signal = &book.signals[index]
    cdef Queue* queue = &book.queues[signal.tries - 1]
    signal.retry_ns = now_ns + RETRY_NS[signal.tries - 1]
    signal.next = NO_SIGNAL
    if queue.head == NO_SIGNAL:
        queue.head = index
    else:
        book.signals[queue.tail].next = index
    queue.tail = index


cdef uint32_t write(Book* book, uint32_t index, const Stamp* stamp, uint8_t* out) noexcept nogil:
    cdef Signal* signal = &book.signals[index]
    if book.client != NULL:
        return speak(book, signal.transmitter, signal.sequence, signal, book.number_first + index, stamp, out)
    return write_signal(out, book.account_first + signal.transmitter, book.digits, signal.sequence, stamp,
                        book.run, book.run_size, book.number_first + index, signal.zone)


cdef uint32_t book_signal(Book* book, uint32_t transmitter, int64_t due_ns, int64_t now_ns, const Stamp* stamp,
                          uint8_t* out) noexcept nogil:
    assert book.signals_used < book.signals_max
    cdef uint32_t index = book.signals_used
    cdef Signal* signal = &book.signals[index]
    cdef Transmitter* owner = &book.transmitters[transmitter]
    cdef Slot* slot = take(book, transmitter)
    book.signals_used += 1
    if slot == NULL:
        signal.outcome = OUTCOME_WITHHELD
        return 0
    owner.zone = 1 if owner.zone >= ZONE_MAX else owner.zone + 1
    slot.due_ns = due_ns
    slot.signal = index
    signal.due_ns = due_ns
    signal.second = stamp.second
    signal.transmitter = transmitter
    signal.sequence = slot.sequence
    signal.zone = owner.zone
    signal.tries = 1
    signal.outcome = OUTCOME_WAITS
    book.counts.signals += 1
    enqueue(book, index, now_ns)
    return write(book, index, stamp, out)


cdef void give_up(Book* book, Signal* signal) noexcept nogil:
    signal.outcome = OUTCOME_GIVEN_UP
    book.counts.given_up += 1
    book.slots[<size_t>signal.transmitter * book.slots_each
               + (signal.sequence & (book.slots_each - 1))].state = SLOT_FREE


cdef uint32_t book_retry_due(Book* book, int64_t now_ns) noexcept nogil:
    cdef uint32_t tries, index
    cdef Queue* queue
    cdef Signal* signal
    for tries in range(TRIES_MAX):
        queue = &book.queues[tries]
        while queue.head != NO_SIGNAL:
            index = queue.head
            signal = &book.signals[index]
            if signal.outcome == OUTCOME_WAITS and signal.retry_ns > now_ns:
                break
            queue.head = signal.next
            if signal.outcome != OUTCOME_WAITS:
                continue
            if signal.tries < TRIES_MAX:
                return index
            give_up(book, signal)
    return NO_SIGNAL


cdef uint32_t book_retry(Book* book, uint32_t signal, int64_t now_ns, uint8_t* out) noexcept nogil:
    cdef Stamp stamp
    stamp.second = ~book.signals[signal].second
    stamp_set(&stamp, book.signals[signal].second)
    book.signals[signal].tries += 1
    book.counts.retransmissions += 1
    enqueue(book, signal, now_ns)
    return write(book, signal, &stamp, out)


cdef void settle(Book* book, Slot* slot, int64_t now_ns) noexcept nogil:
    """Close a waiting slot with its reply."""
    slot.state = SLOT_ANSWERED
    if slot.signal == NO_SIGNAL:
        book.counts.heartbeats_answered += 1
        latency_record(book.heartbeat_latency, now_ns - slot.due_ns)
        return
    book.counts.acknowledged += 1
    book.signals[slot.signal].outcome = OUTCOME_ACKNOWLEDGED
    latency_record(book.signal_latency, now_ns - slot.due_ns)


cdef uint32_t book_reply_size(const Book* book, const uint8_t* data, size_t size) noexcept nogil:
    return frame_size(data, size) if book.client == NULL else client_frame_size(book.client, data, size)


cdef bint proved(Book* book, uint32_t transmitter, const Slot* slot, const uint8_t* data) noexcept nogil:
    """Whether an acknowledgement is of the very frame that went out: the frame is made again to see."""
    cdef uint8_t frame[CLIENT_FRAME_BYTES_MAX]
    cdef Stamp stamp
    if book.client.close != CLOSE_TAG:
        return True
    stamp.second = 0                 # of no use there
    cdef const Signal* signal = NULL if slot.signal == NO_SIGNAL else &book.signals[slot.signal]
    cdef uint32_t number = 0 if signal == NULL else book.number_first + slot.signal
    cdef uint32_t size = speak(book, transmitter, slot.sequence, signal, number, &stamp, frame)
    return client_proves(book.client, data, frame, size, transmitter)


cdef void book_reply(Book* book, const uint8_t* data, size_t size, int64_t now_ns) noexcept nogil:
    cdef Reply reply
    cdef Slot* slot
    if book.client == NULL:
        read_reply(data, size, &reply)
    else:
        client_read_reply(book.client, data, size, book.second, &reply)
    if reply.kind == REPLY_NONE:
        book.counts.unreadable += 1
        return
    if reply.kind == REPLY_NAK:
        book.counts.naks += 1
        return
    cdef uint64_t transmitter = reply.account - book.account_first
    if transmitter >= book.count:  # an account below the first wraps to a number beyond the last
        book.counts.unexpected += 1
        return
    slot = &book.slots[transmitter * book.slots_each + (reply.sequence & (book.slots_each - 1))]
    if slot.sequence != reply.sequence or slot.state == SLOT_FREE:
        book.counts.unexpected += 1
    elif reply.kind == REPLY_ACK and book.client != NULL and not proved(book, transmitter, slot, data):
        book.counts.unreadable += 1
    elif slot.state == SLOT_ANSWERED:
        book.counts.doubles += 1
    elif reply.kind == REPLY_DUH:
        book.counts.refused += 1
    else:
        settle(book, slot, now_ns)


def slots_each(transmitters, rate):
    """Return how many frames of one transmitter may be outstanding: two seconds of its share, a power of two."""
    wanted, slots = 2 * rate / transmitters, SLOTS_EACH_MIN
    while slots < wanted and slots < SLOTS_EACH_MAX:
        slots *= 2
    return slots


cdef class Transmitters:
    def __cinit__(self, uint64_t account_first, uint32_t digits, uint32_t count, uint32_t slots, uint32_t signals_max,
                  bytes run not None, *, Speaker speaker=None, uint32_t number_first=0):
        if not (1 <= len(run) <= RUN_BYTES_MAX and 4 <= digits <= 15 and count and slots and not slots & (slots - 1)):
            raise ValueError("transmitters: run of 1 to 32 bytes, accounts of 4 to 15 digits, slots a power of two")
        cdef Book* book = &self.book
        book.account_first = account_first
        book.digits = digits
        book.count = count
        book.number_first = number_first
        if speaker is not None:
            if speaker.client.account_first != account_first or speaker.client.count != count:
                raise ValueError("transmitters: the speaker is another group's")
            self.speaker = speaker
            book.client = &self.speaker.client
        book.slots_each = slots
        book.signals_max = signals_max
        book.run_size = len(run)
        memcpy(book.run, <const uint8_t*>run, len(run))
        for tries in range(TRIES_MAX):
            book.queues[tries].head = book.queues[tries].tail = NO_SIGNAL
        book.transmitters = <Transmitter*>calloc(count, sizeof(Transmitter))
        book.slots = <Slot*>calloc(<size_t>count * slots, sizeof(Slot))
        book.signals = <Signal*>calloc(signals_max + 1, sizeof(Signal))
        if book.transmitters == NULL or book.slots == NULL or book.signals == NULL:
            raise MemoryError()
        self.heartbeat_latency = Recorder()
        self.signal_latency = Recorder()
        book.heartbeat_latency = &self.heartbeat_latency.latency
        book.signal_latency = &self.signal_latency.latency

    def __dealloc__(self):
        free(self.book.transmitters)
        free(self.book.slots)
        free(self.book.signals)

    def heartbeat(self, uint32_t transmitter, int64_t due_ns, int64_t second):
        cdef uint8_t out[CLIENT_FRAME_BYTES_MAX]
        cdef Stamp stamp
        assert transmitter < self.book.count
        stamp.second = ~second
        stamp_set(&stamp, second)
        return out[:book_heartbeat(&self.book, transmitter, due_ns, &stamp, out)]

    def signal(self, uint32_t transmitter, int64_t due_ns, int64_t now_ns, int64_t second):
        cdef uint8_t out[CLIENT_FRAME_BYTES_MAX]
        cdef Stamp stamp
        assert transmitter < self.book.count
        stamp.second = ~second
        stamp_set(&stamp, second)
        return out[:book_signal(&self.book, transmitter, due_ns, now_ns, &stamp, out)]

    def retry(self, int64_t now_ns):
        cdef uint8_t out[CLIENT_FRAME_BYTES_MAX]
        cdef uint32_t signal = book_retry_due(&self.book, now_ns)
        return b"" if signal == NO_SIGNAL else out[:book_retry(&self.book, signal, now_ns, out)]

    def reply(self, bytes data not None, int64_t now_ns, int64_t second=0):
        self.book.second = second
        book_reply(&self.book, data, len(data), now_ns)

    def counts(self):
        return self.book.counts

    def outcomes(self):
        cdef uint32_t i
        out = bytearray(self.book.signals_used)
        for i in range(self.book.signals_used):
            out[i] = self.book.signals[i].outcome
        return bytes(out)

# The simulated transmitters: what each has sent and still waits for. No I/O and no clock here.
#
#   frame out    book_heartbeat, book_signal, book_retry write the bytes and note them in a slot
#   reply in     book_reply finds the slot again by account and sequence and counts the latency
#
# slots[transmitter * slots_each + sequence % slots_each] holds the frame of that sequence. A heartbeat that still
# waits when its slot is needed again counts as unanswered; a signal keeps its slot until it is answered or given up.

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from loadgen.client cimport Client, Speaker
from loadgen.dc09_client cimport Stamp
from loadgen.latency cimport Latency, Recorder, latency_record

cdef enum:
    NO_SIGNAL = 0xFFFFFFFF
    RUN_BYTES_MAX = 32
    TRIES_MAX = 5            # of one signal: at once, then after the pauses of RETRY_SECONDS
    ZONE_MAX = 9999

cdef enum SlotState:
    SLOT_FREE = 0
    SLOT_WAITS = 1
    SLOT_ANSWERED = 2        # kept until reused, to tell a double reply from an unexpected one

cpdef enum Outcome:          # of one signal, as the audit reads it
    OUTCOME_UNSENT = 0
    OUTCOME_WAITS = 1
    OUTCOME_ACKNOWLEDGED = 2
    OUTCOME_GIVEN_UP = 3     # no reply to any of its tries
    OUTCOME_WITHHELD = 4     # every sequence of its transmitter was taken: never sent

cdef struct Slot:
    int64_t  due_ns
    uint32_t signal          # index, or NO_SIGNAL for a heartbeat
    uint16_t sequence
    uint8_t  state           # SlotState

cdef struct Transmitter:
    uint16_t sequence        # the last one used; 0 before the first
    uint16_t zone            # likewise

cdef struct Signal:
    int64_t  due_ns          # latency counts from here, over all tries
    int64_t  retry_ns        # when the next try, or giving up, is due
    int64_t  second          # of its stamp; a retransmission is the same bytes
    uint32_t transmitter
    uint32_t next            # in the queue of its try
    uint16_t sequence
    uint16_t zone
    uint8_t  tries
    uint8_t  outcome         # Outcome

cdef struct Queue:           # of signals with the same number of tries: the same pause, so first in, first due
    uint32_t head            # NO_SIGNAL when empty
    uint32_t tail

cdef struct Counts:
    int64_t heartbeats       # sent
    int64_t heartbeats_answered
    int64_t heartbeats_evicted   # unanswered when their slot was needed again
    int64_t signals          # sent at least once
    int64_t acknowledged
    int64_t given_up
    int64_t withheld         # frames
    int64_t retransmissions
    int64_t doubles          # a second reply to one frame
    int64_t unexpected       # a reply to nothing that is outstanding
    int64_t unreadable       # bytes that are no reply
    int64_t refused          # DUH
    int64_t naks

cdef struct Book:
    const Client* client     # NULL: plain DC-09, the fast path
    int64_t  second          # our clock's, since 1970 UTC: what a reply's time is held against
    uint32_t number_first    # of the first signal: groups of one run share one row of numbers
    uint64_t account_first
    uint32_t digits          # of every account
    uint32_t count           # transmitters
    uint32_t slots_each      # a power of two
    uint32_t signals_max
    uint32_t signals_used
    uint32_t run_size
    uint8_t  run[RUN_BYTES_MAX]
    Transmitter* transmitters
    Slot*    slots
    Signal*  signals
    Queue    queues[TRIES_MAX]
    Counts   counts
    Latency* heartbeat_latency
    Latency* signal_latency

cdef inline int64_t book_heartbeats_waiting(const Book* book) noexcept nogil:
    return book.counts.heartbeats - book.counts.heartbeats_answered - book.counts.heartbeats_evicted

cdef inline int64_t book_signals_waiting(const Book* book) noexcept nogil:
    return book.counts.signals - book.counts.acknowledged - book.counts.given_up

# Each writes one frame to `out` (CLIENT_FRAME_BYTES_MAX bytes) and returns its size; 0: withheld, nothing written.
cdef uint32_t book_heartbeat(Book* book, uint32_t transmitter, int64_t due_ns, const Stamp* stamp,
                             uint8_t* out) noexcept nogil
cdef uint32_t book_signal(Book* book, uint32_t transmitter, int64_t due_ns, int64_t now_ns, const Stamp* stamp,
                          uint8_t* out) noexcept nogil

# Return the next signal whose retransmission is due at `now_ns`, NO_SIGNAL when there is none; gives up what is spent.
cdef uint32_t book_retry_due(Book* book, int64_t now_ns) noexcept nogil

# Write the same bytes of `signal` again; return their size.
cdef uint32_t book_retry(Book* book, uint32_t signal, int64_t now_ns, uint8_t* out) noexcept nogil

# Return the bytes of the reply that begins at data[0], 0 when more are needed, 1 when none can begin here.
cdef uint32_t book_reply_size(const Book* book, const uint8_t* data, size_t size) noexcept nogil

# Take one received frame.
cdef void book_reply(Book* book, const uint8_t* data, size_t size, int64_t now_ns) noexcept nogil

cdef class Transmitters:
    cdef Book book
    cdef Speaker speaker
    cdef readonly Recorder heartbeat_latency, signal_latency

"""The open loop of the load generator; see fleet.pxd.

Frame k is due at start + k / rate whatever the receiver does, and its latency counts from there. The loop sleeps
between turns instead of waking for each reply: a wake-up costs as much as sending a frame, and the receiver under test
shares the machine. Cutting messages up in the kernel (udp.pxd) saves a quarter of the loop's processor time.

Without replies there is nothing to book: a frame's transmitter and sequence follow from its number alone.
"""
from libc.stdint cimport uint8_t, uint64_t
from loadgen.clock cimport monotonic_now, wall_now
from loadgen.dc09_client cimport SEQUENCE_MAX, stamp_set
from loadgen.kernel cimport (EPOLL_CLOEXEC, EPOLL_CTL_ADD, EPOLLIN, PR_SET_TIMERSLACK, epoll_create1, epoll_ctl,
                             epoll_event, epoll_wait, prctl)
from loadgen.pacing cimport pace_due, pace_is_signal, pace_set
from loadgen.patches cimport patches_set, patches_stamp, patches_write
from loadgen.tcp cimport tcp_add, tcp_flush, tcp_receive, tcp_space
from loadgen.transmitters cimport (NO_SIGNAL, book_heartbeat, book_heartbeats_waiting, book_retry, book_retry_due,
                                   book_signal, book_signals_waiting)
from loadgen.udp cimport udp_add, udp_flush, udp_full, udp_receive, udp_space
from posix.time cimport nanosleep, timespec
from posix.unistd cimport close


cdef inline uint32_t link_of(const Loop* loop, uint32_t transmitter) noexcept nogil:
    return transmitter // loop.block % loop.links


cdef inline uint8_t* space(Loop* loop, uint32_t link) noexcept nogil:
    if loop.tcp != NULL:
        return tcp_space(loop.tcp, link)
    if udp_full(loop.udp):
        udp_flush(loop.udp)
    return udp_space(loop.udp)


cdef inline void add(Loop* loop, uint32_t link, uint32_t size) noexcept nogil:
    if loop.tcp != NULL:
        tcp_add(loop.tcp, link, size)
    else:
        udp_add(loop.udp, link, size)


cdef inline void flush(Loop* loop) noexcept nogil:
    if loop.tcp != NULL:
        tcp_flush(loop.tcp)
    else:
        udp_flush(loop.udp)


cdef uint32_t write_unheard(Loop* loop, uint32_t transmitter, uint8_t* out) noexcept nogil:
    """Write a heartbeat whose reply nobody waits for."""
    cdef uint32_t sequence = <uint32_t>(loop.next // loop.book.count % SEQUENCE_MAX) + 1
    loop.book.counts.heartbeats += 1
    return patches_write(loop.patches, loop.book.account_first + transmitter, sequence, out)


cdef void send_next(Loop* loop, int64_t now) noexcept nogil:
    """Write the frame that is next."""
    cdef uint32_t transmitter = loop.next % loop.book.count
    cdef uint32_t link = link_of(loop, transmitter), size
    cdef int64_t due = pace_due(&loop.pace, loop.next)
    cdef uint8_t* out = space(loop, link)
    if loop.patches != NULL:
        size = write_unheard(loop, transmitter, out)
    elif pace_is_signal(&loop.pace, loop.next):
        size = book_signal(loop.book, transmitter, due, now, &loop.stamp, out)
    else:
        size = book_heartbeat(loop.book, transmitter, due, &loop.stamp, out)
    loop.next += 1
    if size:
        add(loop, link, size)
    if now - due > loop.behind_ns and not loop.window:
        loop.behind_ns = now - due


cdef bint window_open(const Loop* loop) noexcept nogil:
    return not loop.window or book_heartbeats_waiting(loop.book) + book_signals_waiting(loop.book) < loop.window


cdef uint32_t send_due(Loop* loop, int64_t now) noexcept nogil:
    """Send what is due, at most TURN_FRAMES_MAX frames; return how many."""
    cdef uint32_t count = 0
    while (count < TURN_FRAMES_MAX and loop.next < loop.pace.frames and pace_due(&loop.pace, loop.next) <= now
           and now < loop.stop_ns and window_open(loop)):
        send_next(loop, now)
        count += 1
    if not loop.sent_ns and (loop.next >= loop.pace.frames or now >= loop.stop_ns):
        loop.sent_ns = now
    return count


cdef void send_again(Loop* loop, int64_t now) noexcept nogil:
    """Repeat the signals that have waited long enough."""
    cdef uint32_t i, signal, link
    for i in range(TURN_RETRIES_MAX):
        signal = book_retry_due(loop.book, now)
        if signal == NO_SIGNAL:
            return
        link = link_of(loop, loop.book.signals[signal].transmitter)
        add(loop, link, book_retry(loop.book, signal, now, space(loop, link)))


cdef int receive(Loop* loop, int timeout_ms) noexcept nogil:
    """Read the replies that have come; return on how many links."""
    cdef epoll_event events[EVENTS_MAX]
    cdef int i, count = epoll_wait(loop.epoll, events, EVENTS_MAX, timeout_ms)
    for i in range(count):
        if loop.tcp != NULL:
            tcp_receive(loop.tcp, events[i].data.u32, loop.book)
        else:
            udp_receive(loop.udp, events[i].data.u32, loop.book)
    return count


cdef void rest(const Loop* loop, int64_t now) noexcept nogil:
    """Sleep until the next frame is due, at least TURN_NS and at most IDLE_NS."""
    cdef int64_t wait = IDLE_NS
    cdef timespec t
    if not loop.sent_ns:
        wait = pace_due(&loop.pace, loop.next) - now
        wait = TURN_NS if wait < TURN_NS else IDLE_NS if wait > IDLE_NS else wait
    t.tv_sec = 0
    t.tv_nsec = wait
    nanosleep(&t, NULL)


cdef bint finished(const Loop* loop, int64_t now) noexcept nogil:
    if loop.patches != NULL or not loop.sent_ns:
        return loop.sent_ns != 0
    if book_signals_waiting(loop.book):
        return False
    return not book_heartbeats_waiting(loop.book) or now - loop.sent_ns > loop.grace_ns


cdef bint run_slice(Loop* loop, int64_t until_ns) noexcept nogil:
    """Turn until `until_ns` or the end; return whether it is the end."""
    cdef int64_t now = monotonic_now()
    cdef uint32_t sent
    while now < until_ns:
        loop.turns += 1
        loop.book.second = wall_now() // 1000000000
        stamp_set(&loop.stamp, loop.book.second)
        if loop.patches != NULL:
            patches_stamp(loop.patches, &loop.stamp)
        sent = send_due(loop, now)
        send_again(loop, now)
        flush(loop)
        if loop.window and not loop.sent_ns:
            receive(loop, 0 if sent else 1)
        else:
            if sent < TURN_FRAMES_MAX:
                rest(loop, monotonic_now())
            if loop.patches == NULL:
                receive(loop, 0)
        now = monotonic_now()
        if finished(loop, now):
            return True
    return False


cdef class Fleet:
    def __cinit__(self, Transmitters transmitters not None, links not None, list fds not None, *, double rate,
                  int64_t frames, uint64_t seed, double share, int64_t window=0, bint replies=True,
                  int64_t grace_ns=2_000_000_000):
        cdef Loop* loop = &self.loop
        loop.epoll = epoll_create1(EPOLL_CLOEXEC)
        if loop.epoll < 0:
            raise OSError("epoll_create1")
        self.transmitters = transmitters
        loop.book = &transmitters.book
        if isinstance(links, UdpSockets):
            self.udp = links
            loop.udp = &self.udp.udp
        else:
            self.tcp = links
            loop.tcp = &self.tcp.tcp
        loop.links = len(fds)
        loop.block = max(1, min(BLOCK_TRANSMITTERS_MAX, transmitters.book.count // loop.links))
        loop.window = window
        if not replies:
            patches_set(&self.patches, transmitters.book.digits)
            loop.patches = &self.patches
        loop.grace_ns = grace_ns
        loop.stamp.second = -1
        pace_set(&loop.pace, 0, rate, frames, seed, share)
        for index, fd in enumerate(fds):
            self.watch(index, fd)

    def __dealloc__(self):
        if self.loop.epoll > 0:
            close(self.loop.epoll)

    def watch(self, uint32_t link, int fd):
        cdef epoll_event event
        event.events = EPOLLIN
        event.data.u64 = link
        if epoll_ctl(self.loop.epoll, EPOLL_CTL_ADD, fd, &event) < 0:
            raise OSError("epoll_ctl")

    def begin(self, int64_t start_ns, int64_t stop_ns):
        self.loop.pace.start_ns = start_ns
        self.loop.stop_ns = stop_ns
        prctl(PR_SET_TIMERSLACK, 1000)

    def run(self, int64_t until_ns):
        cdef bint end
        with nogil:
            end = run_slice(&self.loop, until_ns)
        return end

    @property
    def sent(self):
        return self.loop.next

    @property
    def answered(self):
        return self.loop.book.counts.heartbeats_answered + self.loop.book.counts.acknowledged

    @property
    def sent_ns(self):
        return self.loop.sent_ns

    @property
    def behind_ns(self):
        return self.loop.behind_ns

    @property
    def turns(self):
        return self.loop.turns

"""Receiver threads: UDP on more cores than the loop's; `receivers.pxd` tells who does what.

Rejected: threads that decode signals too (the intake, what ADMIT knows and the tickets would need a lock or a copy for
each thread, to save a few microseconds of what waits for the disk anyway); one socket that all threads read (the
kernel's lock on it is then the limit); a thread that waits in recvmmsg itself (the file may be shared with an engine
that takes over and needs it non-blocking).
"""
import os
import threading

from libc.errno cimport EBADF, EFAULT, EINTR, EINVAL, ENOTSOCK, errno
from libc.stdint cimport uint16_t
from libc.string cimport memcpy, memset
from posix.time cimport nanosleep, timespec
from posix.unistd cimport close, read, write

from codec.batch cimport NO_PATH
from codec.formats cimport format_of, split
from codec.frame cimport ANSWER_NONE, ANSWER_REFUSE, Answer, Origin, Profile, default_profile
from codec.status cimport BATCH_FULL, OK, Status
from codec.words cimport FRAME_HEARTBEAT
from engine.atomics cimport (exchange_ordered_32, load_8, load_16, load_32, load_64, load_ordered_8, store_32,
                             store_64, store_ordered_8)
from engine.clock cimport Clock
from engine.heartbeats cimport heartbeat_note
from engine.histogram cimport Histogram
from engine.listen.address cimport leave_interface_open, note_peer
from engine.listen.counters cimport SHED_HEARTBEAT_REPLY, SHED_SIGNAL
from engine.listen.habits cimport LOOK_EVERY_FRAMES, clocks_shown, learn
from engine.listen.handed cimport (HANDED_BYTES, HANDED_BYTES_FOR_FIRE, handed_control, handed_data, handed_drop,
                                   handed_next, handed_put)
from engine.listen.members cimport carries_alarm
from engine.listen.receiver cimport ACTION_NONE, ACTION_REPLY, PROTOCOL_ANY, Receiver
from engine.listen.sockets cimport POLLIN, POLLNVAL, poll, pollfd
from engine.listen.udp cimport CONTROL_BYTES, DATAGRAM_BYTES_MAX, DATAGRAMS, ROUNDS_MAX
from engine.memory cimport memory_release, memory_reserve
from engine.paths cimport PATH_FAULT, PATH_UP, path_find_hashed
from engine.supervise.listening cimport ListeningClock
from engine.touch cimport path_count_shared, path_touch_shared

STOP_S_MAX = 5.0
SCRATCH_ROWS, SCRATCH_BYTES = 256, 1 << 16

cdef enum:
    ERROR_NS = 1000000


cdef void pause(int64_t ns) noexcept nogil:
    cdef timespec time
    time.tv_sec = 0
    time.tv_nsec = ns
    nanosleep(&time, NULL)


cdef class ReceiverThread(UdpListener):
    def __cinit__(self, Receiver receiver not None, Clock clock not None, Follower listening not None, *more):
        self.tally = receiver.tally()
        self.counters = &self.tally.counters
        self.heartbeats = receiver.heartbeats.part()
        self.follower = listening
        self.scratch = Batch(SCRATCH_ROWS, SCRATCH_BYTES)
        self.ring.bytes = <uint8_t*>memory_reserve(HANDED_BYTES)
        self.wake_fd = self.stop_fd = -1
        self.wake_fd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self.stop_fd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self.frame_ns = GATHER_FRAME_NS_MAX + 1

    def __dealloc__(self):
        memory_release(self.ring.bytes, HANDED_BYTES)
        if self.wake_fd >= 0:
            close(self.wake_fd)
        if self.stop_fd >= 0:
            close(self.stop_fd)

    def start(self):
        self.thread = threading.Thread(target=self.run, name=f"receiver {self.fd}", daemon=True)
        self.thread.start()

    def run(self):
        """Serve until told to stop. An error that nothing can be done about ends the thread, and wakes the loop."""
        cdef int error
        with nogil:
            error = self.serve()
        if error:
            self.failed = error
            os.eventfd_write(self.wake_fd, 1)
        else:
            self.follower.retire()

    def stop(self):
        """Return when the thread has ended; what it was reading is handed over or answered. False: it did not end."""
        store_ordered_8(&self.stopping, 1)
        os.eventfd_write(self.stop_fd, 1)
        if self.thread is not None:
            self.thread.join(STOP_S_MAX)
        return self.thread is None or not self.thread.is_alive()

    cdef int serve(self) noexcept nogil:
        cdef pollfd watched[2]
        cdef int taken, error, errors = 0
        cdef int64_t now_ns
        watched[0].fd = self.fd
        watched[1].fd = self.stop_fd
        watched[0].events = watched[1].events = POLLIN
        while not load_ordered_8(&self.stopping):
            taken = self.receive()
            error = errno
            now_ns = self.clock.monotonic_now()
            self.listening.update(now_ns)
            if taken < 0:
                errors += 1
                if error == EBADF or error == ENOTSOCK or error == EFAULT or error == EINVAL or errors > ERRORS_MAX:
                    return error
                pause(ERROR_NS)          # such as no memory in the kernel, or an ICMP error of a peer that is gone
                continue
            errors = 0
            if taken == DATAGRAMS * ROUNDS_MAX or self.gather(taken, now_ns):
                continue
            if poll(watched, 2, WAIT_MS_MAX) < 0 and errno != EINTR:
                return errno
            if watched[0].revents & POLLNVAL:
                return EBADF
        return 0

    cdef bint gather(self, int taken, int64_t now_ns) noexcept nogil:
        """Sleep a little where frames come so fast that some will be there then; tell whether it was so."""
        if taken == 0:
            return False
        self.window_frames += taken
        if now_ns - self.window_ns >= GATHER_WINDOW_NS:
            self.frame_ns = (now_ns - self.window_ns) // self.window_frames
            self.window_ns = now_ns
            self.window_frames = 0
        if self.frame_ns > GATHER_FRAME_NS_MAX:
            return False
        pause(min(self.frame_ns * GATHER_FRAMES, <int64_t>GATHER_NS_MAX))
        return True

    cdef void take_datagram(self, uint32_t index, Arrival* arrival, Taken* taken) noexcept nogil:
        """Take the heartbeats at the datagram's beginning, and give what follows to the loop.

        Without room there, heartbeats are answered all the same; anything else is dropped and counted, as if the
        kernel had done so.
        """
        cdef const uint8_t* data = self.buffers + index * DATAGRAM_BYTES_MAX
        cdef uint32_t size = self.received[index].msg_len, at = 0
        cdef Look found
        if self.from_called_address:
            leave_interface_open(self.controls + index * CONTROL_BYTES, self.received[index].msg_hdr.msg_controllen)
        note_peer(arrival, &self.peers[index])
        while at < size:
            if at != 0:                  # the first frame was looked at with the others of the round
                self.receiver.peek(data + at, size - at, arrival, &self.peeked[index])
            found = self.look(&self.peeked[index], arrival, False, taken)
            if found != LOOK_TAKEN:
                if self.hand_over(index, at, arrival):
                    break
                if found == LOOK_RETURNED:
                    found = self.look(&self.peeked[index], arrival, True, taken)
            if found != LOOK_TAKEN:
                store_64(&self.dropped, self.dropped + 1)
                self.counters.shed[<int>SHED_SIGNAL] += 1
                at = size
                break
            at += taken.size
            if taken.action == ACTION_REPLY and self.behind:
                self.counters.shed[<int>SHED_HEARTBEAT_REPLY] += 1
            elif taken.action == ACTION_REPLY:
                self.add_reply(index, taken)
        self.counters.bytes += at        # the loop counts what it was given

    cdef Look look(self, const Peeked* peeked, const Arrival* arrival, bint also_returned,
                   Taken* taken) noexcept nogil:
        """Take a clear heartbeat of a path that is up and of which nothing else is to be known.

        also_returned  also of one in fault; the loop then learns of its return by another frame
        taken          filled where LOOK_TAKEN is returned
        """
        cdef const Frame* frame = &peeked.frame
        cdef uint32_t number
        if peeked.status != OK or frame.kind != FRAME_HEARTBEAT or frame.encrypted \
                or arrival.protocol != PROTOCOL_ANY and arrival.protocol != frame.protocol:
            return LOOK_OTHER
        number = path_find_hashed(self.receiver.paths.path, &self.receiver.paths.by_key, peeked.hash, &peeked.key)
        if number == NO_PATH or load_ordered_8(&self.receiver.paths.path[number].state) < PATH_UP \
                or load_8(&self.receiver.paths.path[number].marks) >> 4:
            return LOOK_OTHER
        if not self.touch(frame, number, arrival, also_returned):
            return LOOK_RETURNED
        taken.size = frame.size
        taken.protocol = frame.protocol
        taken.kind = FRAME_HEARTBEAT
        taken.answer = frame.answer
        taken.action = ACTION_NONE
        self.counters.frames[frame.protocol][<int>FRAME_HEARTBEAT] += 1
        if frame.answer != ANSWER_NONE:
            taken.reply_size = format_of(frame.start[0]).encode(frame, NULL, <Answer>frame.answer,
                                                                arrival.received_ns, taken.reply)
            if taken.reply_size:
                taken.action = ACTION_REPLY
        return LOOK_TAKEN

    cdef bint touch(self, const Frame* frame, uint32_t number, const Arrival* arrival,
                    bint also_returned) noexcept nogil:
        """Note that a path lives; False where it is in fault, and nothing was counted.

        A fault that is raised at this moment is seen here, or the loop sees the touch: both are ordered.
        """
        cdef Path* path = &self.receiver.paths.path[number]
        if frame.answer != ANSWER_REFUSE:
            path_touch_shared(path, arrival.heard_ms, arrival.received_ns // 1000000)
        if load_ordered_8(&path.state) == PATH_FAULT and not also_returned:
            return False
        if load_16(&path.frames) % LOOK_EVERY_FRAMES == 0:
            learn(&self.receiver.paths.learned[number], frame, clocks_shown(frame), arrival.received_ns)
        if frame.answer != ANSWER_REFUSE:
            path_count_shared(path)
            heartbeat_note(self.heartbeats, number, arrival.received_ns)
            if load_32(&path.peer) != arrival.peer:
                self.counters.peer_changes += load_32(&path.peer) != 0
                store_32(&path.peer, arrival.peer)
        return True

    cdef bint hand_over(self, uint32_t index, uint32_t at, const Arrival* arrival) noexcept nogil:
        """Give a datagram from byte `at` on to the loop; False where there is no room for it."""
        cdef Handed head
        cdef uint64_t one = 1
        cdef const uint8_t* control = self.controls + index * CONTROL_BYTES
        cdef const uint8_t* data = self.buffers + index * DATAGRAM_BYTES_MAX + at
        head.size = self.received[index].msg_len - at
        head.received_ns = arrival.received_ns
        head.monotonic_ns = arrival.monotonic_ns
        head.heard_ms = arrival.heard_ms
        head.peer = self.peers[index]
        head.peer_size = self.received[index].msg_hdr.msg_namelen
        head.control_size = self.received[index].msg_hdr.msg_controllen if self.from_called_address else 0
        if handed_put(&self.ring, &head, control, data, HANDED_BYTES_FOR_FIRE) == NULL and not (
                self.may_be_fire(data, head.size, arrival)
                and handed_put(&self.ring, &head, control, data, 0) != NULL):
            return False
        self.counters.handed += 1
        if exchange_ordered_32(&self.asked, 1) == 0:
            write(self.wake_fd, &one, sizeof(one))
        return True

    cdef bint may_be_fire(self, const uint8_t* data, uint32_t size, const Arrival* arrival) noexcept nogil:
        """Tell whether a datagram says that fire, gas or a prealarm is there, or may say so: nobody here has keys."""
        cdef Frame frame
        cdef Profile profile = default_profile()
        cdef Origin origin
        cdef Status status
        cdef uint32_t at = 0
        memset(&origin, 0, sizeof(Origin))
        origin.received_ns = arrival.received_ns
        origin.path = NO_PATH
        while at < size and split(data + at, size - at, &frame) == OK:
            at += frame.size
            if frame.kind == FRAME_HEARTBEAT:
                continue
            if frame.encrypted:
                return True
            self.scratch.columns.count = self.scratch.columns.arena_used = 0
            status = format_of(frame.start[0]).decode(&frame, &profile, &origin, &self.scratch.columns)
            if status == BATCH_FULL or status == OK and carries_alarm(&self.scratch.columns, 0):
                return True
        return False


cdef class ReceiverListener(UdpListener):
    def __cinit__(self, Receiver receiver not None, Clock clock not None, ListeningClock listening not None, socket,
                  uint16_t listener, uint32_t held_max, Histogram heartbeat_latency not None,
                  Histogram signal_latency not None, uint8_t protocol=PROTOCOL_ANY):
        receiver.paths.shared = True
        self.hearing = ReceiverThread(receiver, clock, listening.follow(clock.monotonic_ns()), socket, listener, 1,
                                      heartbeat_latency.part(), signal_latency.part(), protocol)

    @property
    def wake_fd(self):
        return self.hearing.wake_fd

    def start(self):
        self.hearing.start()

    def stop(self):
        return self.hearing.stop()

    def deaf_ms(self):
        return self.hearing.follower.deaf_ms(self.clock.monotonic_ns())

    def drops(self):
        return self.kernel_drops() + load_64(&self.hearing.dropped)

    def on_readable(self):
        """Take what the thread has handed over. Raises RuntimeError when the thread has ended by an error."""
        taken = UdpListener.on_readable(self)
        if self.hearing.failed:
            raise RuntimeError(f"a receiver thread ended: {os.strerror(self.hearing.failed)}")
        return taken

    cdef int receive(self) noexcept nogil:
        """Take datagrams from the ring in place of the socket, as many as one wake-up takes from a socket."""
        cdef Arrival arrival
        cdef Taken taken
        cdef const Handed* handed
        cdef uint64_t number = 1
        cdef int count, rounds, total = 0
        memset(&arrival, 0, sizeof(Arrival))
        arrival.listener = self.listener
        arrival.protocol = self.protocol
        self.wakeups += 1
        read(self.hearing.wake_fd, &number, sizeof(number))
        exchange_ordered_32(&self.hearing.asked, 0)
        if self.held_tail != self.held_head:
            self.send_held()
        for rounds in range(ROUNDS_MAX):
            for count in range(DATAGRAMS):
                handed = handed_next(&self.hearing.ring)
                if handed == NULL:
                    self.send_replies()
                    return total
                self.adopt(count, handed)
                arrival.received_ns = handed.received_ns
                arrival.monotonic_ns = handed.monotonic_ns
                arrival.heard_ms = handed.heard_ms
                self.round_ns = handed.monotonic_ns if count == 0 else self.round_ns
                handed_drop(&self.hearing.ring, handed)
                self.receiver.peek(self.buffers + count * DATAGRAM_BYTES_MAX, self.received[count].msg_len, &arrival,
                                   &self.peeked[count])
                self.take_datagram(count, &arrival, &taken)
                total += 1
            self.send_replies()
        number = 1
        write(self.hearing.wake_fd, &number, sizeof(number))     # there may be more; others come first
        return total

    cdef void adopt(self, uint32_t index, const Handed* handed) noexcept nogil:
        """Put a datagram where recvmmsg would have put it."""
        cdef uint8_t* control = self.controls + index * CONTROL_BYTES
        memcpy(self.buffers + index * DATAGRAM_BYTES_MAX, handed_data(handed), handed.size)
        memcpy(control, handed_control(handed), handed.control_size)
        self.peers[index] = handed.peer
        self.received[index].msg_len = handed.size
        self.received[index].msg_hdr.msg_namelen = handed.peer_size
        self.received[index].msg_hdr.msg_controllen = handed.control_size

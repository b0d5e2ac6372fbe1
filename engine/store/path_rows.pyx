"""What the path table has for the database, straight from its records to COPY bytes."""
from libc.stdint cimport uint8_t
from libc.stdio cimport snprintf
from libc.string cimport memset

from codec.batch cimport TIME_NONE
from codec.frame cimport NUMBER_NONE, number_digits, number_value
from engine.atomics cimport acquire_64, exchange_16, exchange_32, load_16, load_64, publish_64
from engine.heartbeats cimport Heartbeat, HeartbeatLog
from engine.observed cimport observed_end_quarter
from engine.paths cimport (CHANGED_MAX, PATH_PENDING, PATH_STATE_COUNT, PATH_TEXT_BYTES_MAX, Path, PathText,
                           path_reported, path_set_reported)
from engine.store.copy cimport HeartbeatRow, RollupRow, Span, copy_heartbeat, copy_path, copy_rollup

from engine.paths import PATH_STATE_TEXT

cdef enum:
    NUMBER_BYTES_MAX = 8
    HURRIED_PATHS = 32768        # looked at in one slice when all have to be: some 15 ms where each has a row

cdef char STATE_TEXT[PATH_STATE_COUNT][16]


cdef int fill_states() except -1:
    cdef bytes text
    for state, name in PATH_STATE_TEXT.items():
        text = name.encode()
        snprintf(STATE_TEXT[<int>state], 16, b"%s", <const char*>text)
    return 0


fill_states()


cdef Span span_of(const char* text) noexcept nogil:
    cdef Span span
    span.at = <const uint8_t*>text
    span.size = 0
    while text[span.size]:
        span.size += 1
    return span


cdef Span number_span(char* out, uint32_t number) noexcept nogil:
    """Write a receiver, line or network number as hex digits; NULL when it is absent."""
    cdef Span span
    span.at = NULL
    span.size = 0
    if number != NUMBER_NONE:
        span.size = snprintf(out, NUMBER_BYTES_MAX, b"%0*X", <int>number_digits(number), number_value(number))
        span.at = <const uint8_t*>out
    return span


cdef Span part(const char* text, uint32_t at, uint32_t size) noexcept nogil:
    cdef Span span
    span.at = <const uint8_t*>text + at
    span.size = size
    return span


cdef class PathChanges(Copy):
    def __init__(self, PathTable paths not None):
        self.paths = paths
        self.look_at_all = True

    cdef int put(self, uint32_t number) except -1:
        """Add the row of one path."""
        cdef Path* path = &self.paths.path[number]
        cdef char key[PATH_TEXT_BYTES_MAX]
        cdef char receiver[NUMBER_BYTES_MAX]
        cdef char line[NUMBER_BYTES_MAX]
        cdef char network[NUMBER_BYTES_MAX]
        cdef PathText text = self.paths.write_text(number, key)
        cdef int64_t seen_ms = load_64(&path.seen_ms)
        cdef PathRow row
        memset(&row, 0, sizeof(PathRow))
        row.key = part(key, 0, text.size)
        row.number = number
        row.transmitter = part(key, 0, text.rest_at - 1)
        row.protocol = part(key, 0, text.account_at - 1)
        row.account = part(key, text.account_at, path.key.account_size)
        row.realm = part(key, text.realm_at, text.realm_size)
        row.listener = span_of(self.paths.listener_text[path.key.listener].name)
        row.receiver = number_span(receiver, path.key.receiver)
        row.line = number_span(line, path.key.line)
        row.network = number_span(network, path.key.network)
        row.state = span_of(STATE_TEXT[path.state])
        row.last_seen_ns = seen_ms * 1000000 if seen_ms else TIME_NONE
        row.supervision_ms = path.supervision_ms
        row.enrolled_ns = self.paths.enrolled_ms[number] * 1000000
        if not copy_path(&self.buffer, &row):
            raise MemoryError()
        self.rows += 1
        path_set_reported(path, path.state)
        return 0

    def gather(self, uint32_t slice_paths, int64_t wall_ms):
        """Add the paths whose state changed, and of the next `slice_paths` those that spoke since the last pass.

        Returns True when every path has to be looked at and there are more.
        """
        cdef uint32_t i, number, upto
        cdef Path* path
        if self.paths.changed_count > CHANGED_MAX:
            self.look_at_all = True
        if self.look_at_all:
            self.look_at_all = False
            self.hurried = True
            self.at = 0
        # A hurried pass finds the changed ones itself; each path has one row.
        for i in range(0 if self.hurried else self.paths.changed_count):
            number = self.paths.changed[i]
            path = &self.paths.path[number]
            if path.state > PATH_PENDING and path_reported(path) != path.state:
                self.put(number)
        self.paths.changed_count = 0
        upto = min(self.paths.count, self.at + (max(slice_paths, <uint32_t>HURRIED_PATHS) if self.hurried
                                                else slice_paths))
        for number in range(self.at, upto):
            path = &self.paths.path[number]
            if path.state > PATH_PENDING and (self.doubted or path_reported(path) != path.state
                                              or load_64(&path.seen_ms) >= self.pass_before_ms):
                self.put(number)
        self.at = upto
        if self.at == self.paths.count:
            self.at = 0
            self.hurried = self.doubted = False
            self.pass_before_ms, self.pass_began_ms = self.pass_began_ms, wall_ms
        return self.hurried

    def failed(self):
        """Note that what was gathered did not reach the database: next time every path is told again."""
        self.doubted = self.look_at_all = True


cdef class Rollups(Copy):
    def __init__(self, PathTable paths not None):
        self.paths = paths

    def gather(self, int64_t quarter_ns, uint32_t paths_max):
        """Add the next `paths_max` paths that spoke in the quarter hour and begin theirs anew; True until all were.

        quarter_ns  begin of the quarter hour that has ended, ns since 1970
        """
        cdef uint32_t upto = min(self.paths.count, self.at + paths_max), number
        cdef char key[PATH_TEXT_BYTES_MAX]
        cdef RollupRow row
        cdef Path* path
        for number in range(self.at, upto):
            path = &self.paths.path[number]
            if load_16(&path.frames) == 0:
                continue
            row.path = part(key, 0, self.paths.write_text(number, key).size)
            row.quarter_ns = quarter_ns
            # Taken out at once: a receiver thread may be counting one more.
            row.frames = exchange_16(&path.frames, 0)
            row.longest_silence_ms = exchange_32(&path.silence_ms, 0)
            if self.paths.observing:
                observed_end_quarter(&self.paths.observed[number], row.frames, row.longest_silence_ms,
                                     load_64(&path.heard_ms))
            if not copy_rollup(&self.buffer, &row):
                raise MemoryError()
            self.rows += 1
        self.at = upto if upto < self.paths.count else 0
        return self.at != 0


cdef class HeartbeatRows(Copy):
    def __init__(self, PathTable paths not None):
        self.paths = paths

    def gather(self, HeartbeatLog log not None, uint32_t rows_max):
        """Add up to `rows_max` heartbeats from the rings and take them out of them."""
        cdef char key[PATH_TEXT_BYTES_MAX]
        cdef Heartbeat* heartbeat
        cdef HeartbeatRow row
        for part_of_log in log.parts:
            self.gather(part_of_log, rows_max)
        while log.tail != acquire_64(&log.head) and self.rows < rows_max:
            heartbeat = &log.ring[log.tail % log.capacity]
            row.path = part(key, 0, self.paths.write_text(heartbeat.path, key).size)
            row.received_ns = heartbeat.received_ns
            if not copy_heartbeat(&self.buffer, &row):
                raise MemoryError()
            self.rows += 1
            publish_64(&log.tail, log.tail + 1)

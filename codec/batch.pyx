"""Batches of rows: what moves from the decoders through the journal to the store.

Rejected: one `cdef` object a row (5 times the cost of columns), and pickling for the journal; the encoded form
is a copy of the columns, so that writing is one pass of memcpy and reading needs no pass at all.
"""
import json

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from libc.stdlib cimport free, malloc
from libc.string cimport memcmp, memcpy, memset
from posix.mman cimport MAP_ANONYMOUS, MAP_FAILED, MAP_PRIVATE, PROT_READ, PROT_WRITE, mmap, mprotect

from codec.limits cimport BATCH_ARENA_BYTES_MAX, BATCH_ROWS_MAX, DETAILS_BYTES_MAX
from codec.words cimport ROW_LEVEL, ROW_SIGNAL
from codec.words import CLASS_TEXT, CONDITION_TEXT, PROTOCOL_TEXT, ROW_KIND_TEXT, STATE_TEXT

cdef inline size_t padded(size_t size) noexcept nogil:
    return (size + 7) & ~<size_t>7


cdef uint32_t[BATCH_COLUMNS] widths          # bytes of a slot, in the order of the struct
widths[:] = [8, 8, 4, 4, 4, 8, 8, 8, 8, 8, 8, 8, 2, 2, 1, 1, 1, 1]
cdef const uint8_t* usual[BATCH_COLUMNS]     # what a column that is left out is read as

cdef enum:
    USUAL_BYTES = BATCH_ROWS_MAX * 8
    COLUMN_OCCURRED_NS = 1
    COLUMN_PATH = 2


cdef int fill_usual() except -1:
    cdef uint8_t* memory = <uint8_t*>mmap(NULL, 3 * USUAL_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
                                          -1, 0)
    cdef uint32_t i
    cdef Columns c
    assert <char*>&c.arena - <char*>&c.received_ns == BATCH_COLUMNS * sizeof(void*)
    assert <char*>&c.occurred_ns - <char*>&c.received_ns == COLUMN_OCCURRED_NS * sizeof(void*)
    assert <char*>&c.path - <char*>&c.received_ns == COLUMN_PATH * sizeof(void*)
    if <void*>memory == MAP_FAILED:
        raise MemoryError()
    for i in range(BATCH_ROWS_MAX):
        (<int64_t*>(memory + USUAL_BYTES))[i] = TIME_NONE
        (<uint32_t*>(memory + 2 * USUAL_BYTES))[i] = NO_PATH
    if mprotect(memory, 3 * USUAL_BYTES, PROT_READ) != 0:
        raise MemoryError()
    for i in range(BATCH_COLUMNS):
        usual[i] = memory
    usual[COLUMN_OCCURRED_NS] = memory + USUAL_BYTES
    usual[COLUMN_PATH] = memory + 2 * USUAL_BYTES
    return 0


fill_usual()


cdef inline uint8_t* column_of(const Columns* c, uint32_t i) noexcept nogil:
    cdef uint8_t* start
    memcpy(&start, <const char*>&c.received_ns + i * sizeof(void*), sizeof(void*))
    return start


cdef size_t columns_layout(Columns* c, uint8_t* memory, uint32_t rows, uint32_t left_out=0) noexcept nogil:
    """Point the columns into `memory` for `rows` slots each, in encoded order; return the bytes they take.

    left_out  those that lie elsewhere, to be read only
    """
    cdef size_t size = 0
    cdef const uint8_t* start
    cdef uint32_t i
    for i in range(BATCH_COLUMNS):
        start = memory + size
        if left_out >> i & 1:
            start = usual[i]
        else:
            size += padded(<size_t>rows * widths[i])
        memcpy(<char*>&c.received_ns + i * sizeof(void*), &start, sizeof(void*))
    return size


cdef uint32_t columns_usual(const Columns* c) noexcept nogil:
    """Return which columns hold what they usually hold in every row."""
    cdef uint32_t left_out = 0, i
    for i in range(BATCH_COLUMNS):
        left_out |= <uint32_t>(memcmp(column_of(c, i), usual[i], <size_t>c.count * widths[i]) == 0) << i
    return left_out


cdef bint header_is_sound(const uint32_t* header) noexcept nogil:
    """Tell whether the 16 bytes before an encoded batch can be what they are to be."""
    return header[1] <= BATCH_ROWS_MAX and header[2] <= BATCH_ARENA_BYTES_MAX and header[3] >> BATCH_COLUMNS == 0 \
        and (header[0] == BATCH_VERSION or header[0] == BATCH_VERSION_WHOLE and header[3] == 0)


cdef Row batch_row(const Columns* c, uint32_t index) noexcept nogil:
    """Read one row back."""
    cdef Row row
    row.received_ns = c.received_ns[index]
    row.occurred_ns = c.occurred_ns[index]
    row.path = c.path[index]
    row.sequence = c.sequence[index]
    row.level = c.level[index]
    row.account = c.account[index]
    row.realm = c.realm[index]
    row.point = c.point[index]
    row.native = c.native[index]
    row.details = c.details[index]
    row.identity = c.identity[index]
    row.raw = c.raw[index]
    row.condition = c.condition[index]
    row.flags = c.flags[index]
    row.kind = c.kind[index]
    row.protocol = c.protocol[index]
    row.signal_class = c.signal_class[index]
    row.state = c.state[index]
    return row


cdef void batch_move(Columns* c, uint32_t source, uint32_t target) noexcept nogil:
    """Copy row `source` over row `target`; used to close gaps when rows are taken out."""
    cdef Row row = batch_row(c, source)
    cdef uint32_t count = c.count
    c.count = target
    batch_push(c, &row)
    c.count = count


cdef void copy_columns(const Columns* source, const Columns* target, uint32_t rows, uint32_t left_out) noexcept nogil:
    cdef uint32_t i
    cdef size_t size
    cdef uint8_t* start
    for i in range(BATCH_COLUMNS):
        if left_out >> i & 1:
            continue
        start = column_of(target, i)
        size = <size_t>rows * widths[i]
        if size:
            memset(start + padded(size) - 8, 0, 8)   # the padding, so that equal batches are equal bytes
        memcpy(start, column_of(source, i), size)


def check_details(str text not None):
    """Raise AssertionError unless `text` is a JSON object that PostgreSQL and a line of a stream can take."""
    assert len(text.encode()) <= DETAILS_BYTES_MAX
    assert not any(ord(character) < 0x20 for character in text)
    found = json.loads(text)
    assert isinstance(found, dict) and found
    plain = json.dumps(found, ensure_ascii=False)    # what stood escaped stands as itself
    plain.encode()                                   # refuses a surrogate
    assert "\\u0000" not in plain.replace("\\\\", "")


cdef class Batch:
    def __cinit__(self, uint32_t rows_max=0, uint32_t arena_max=0):
        if rows_max > BATCH_ROWS_MAX or arena_max > BATCH_ARENA_BYTES_MAX:
            raise ValueError(f"batch of {rows_max} rows, {arena_max} bytes: beyond the limits")
        cdef Columns unplaced
        cdef size_t columns_size = columns_layout(&unplaced, NULL, rows_max)
        if rows_max:
            self.memory = <uint8_t*>malloc(columns_size + arena_max)
            if self.memory == NULL:
                raise MemoryError()
            columns_layout(&self.columns, self.memory, rows_max)
            self.columns.arena = self.memory + columns_size
        self.columns.rows_max = rows_max
        self.columns.arena_max = arena_max
        self.columns.count = 0
        self.columns.arena_used = 0

    def __dealloc__(self):
        free(self.memory)

    def __len__(self):
        return self.columns.count

    @property
    def arena_used(self):
        return self.columns.arena_used

    def clear(self):
        self.columns.count = 0
        self.columns.arena_used = 0

    def encode(self):
        if self.encoded is not None:
            return self.encoded
        cdef Columns* c = &self.columns
        cdef Columns target
        cdef uint32_t left_out = columns_usual(c) if c.count else 0
        cdef size_t columns_size = columns_layout(&target, NULL, c.count, left_out)
        cdef size_t size = BATCH_HEADER_BYTES + columns_size + c.arena_used
        cdef bytes out = PyBytes_FromStringAndSize(NULL, size)
        cdef uint8_t* start = <uint8_t*>PyBytes_AS_STRING(out)
        cdef uint32_t* header = <uint32_t*>start
        with nogil:
            header[0] = BATCH_VERSION
            header[1] = c.count
            header[2] = c.arena_used
            header[3] = left_out
            columns_layout(&target, start + BATCH_HEADER_BYTES, c.count, left_out)
            copy_columns(c, &target, c.count, left_out)
            memcpy(start + BATCH_HEADER_BYTES + columns_size, c.arena, c.arena_used)
        return out

    @staticmethod
    def view(bytes encoded not None):
        cdef Batch batch = Batch()
        cdef uint8_t* start = <uint8_t*>PyBytes_AS_STRING(encoded)
        cdef uint32_t* header = <uint32_t*>start
        cdef size_t size = len(encoded)
        if size < BATCH_HEADER_BYTES or not header_is_sound(header):
            raise ValueError("no encoded batch")
        cdef size_t columns_size = columns_layout(&batch.columns, start + BATCH_HEADER_BYTES, header[1], header[3])
        if size != BATCH_HEADER_BYTES + columns_size + header[2]:
            raise ValueError("encoded batch of the wrong length")
        batch.columns.count = batch.columns.rows_max = header[1]
        batch.columns.arena_used = batch.columns.arena_max = header[2]
        batch.columns.arena = start + BATCH_HEADER_BYTES + columns_size
        batch.encoded = encoded
        return batch

    def check(self):
        """Raise AssertionError unless every span lies in the arena and every word is one."""
        cdef Columns* c = &self.columns
        cdef uint32_t i
        cdef Row row
        assert c.count <= c.rows_max
        assert c.arena_used <= c.arena_max
        for i in range(c.count):
            row = batch_row(c, i)
            for span in (row.account, row.realm, row.point, row.native, row.details, row.identity, row.raw):
                assert <size_t>span.at + span.size <= c.arena_used
            assert row.kind in ROW_KIND_TEXT
            assert row.protocol in PROTOCOL_TEXT
            assert row.signal_class in CLASS_TEXT
            assert row.state in STATE_TEXT
            assert row.condition in CONDITION_TEXT
            assert (row.kind == ROW_SIGNAL or row.kind == ROW_LEVEL) == (row.signal_class != 0)
            assert row.level != 0 or row.kind != ROW_LEVEL
            self.text(row.native).encode()
            self.text(row.point).encode()
            if row.details.size:
                check_details(self.text(row.details))

    cdef str text(self, Text span):
        return self.columns.arena[span.at:span.at + span.size].decode("utf-8")

    def row(self, uint32_t index):
        cdef Columns* c = &self.columns
        if index >= c.count:
            raise IndexError(index)
        cdef Row row = batch_row(c, index)
        return {
            "kind": row.kind, "protocol": row.protocol, "path": row.path, "sequence": row.sequence,
            "level": row.level,
            "received_ns": row.received_ns, "occurred_ns": None if row.occurred_ns == TIME_NONE else row.occurred_ns,
            "account": self.text(row.account), "realm": self.text(row.realm), "point": self.text(row.point),
            "native": self.text(row.native), "details": self.text(row.details),
            "class": row.signal_class, "condition": row.condition,
            "state": row.state, "flags": row.flags,
            "identity": <bytes>c.arena[row.identity.at:row.identity.at + row.identity.size],
            "raw": <bytes>c.arena[row.raw.at:row.raw.at + row.raw.size],
        }

    def add(self, *, int kind=ROW_SIGNAL, int protocol=0, uint32_t path=NO_PATH, uint32_t sequence=0,
            uint32_t level=0, int64_t received_ns=0, occurred_ns=None, str account="", str realm="", str point="",
            str native="", str details="", int signal_class=0, int condition=0, int state=0, int flags=0,
            bytes identity=b"", bytes raw=b""):
        cdef Row row
        texts = [account.encode(), realm.encode(), point.encode(), native.encode(), details.encode(),
                 identity, raw]
        if not batch_has_room(&self.columns, 1, sum(map(len, texts))):
            return False
        row.kind = kind
        row.protocol = protocol
        row.path = path
        row.sequence = sequence
        row.level = level
        row.received_ns = received_ns
        row.occurred_ns = TIME_NONE if occurred_ns is None else <int64_t>occurred_ns
        row.signal_class = signal_class
        row.condition = condition
        row.state = state
        row.flags = flags
        row.account, row.realm, row.point, row.native, row.details, row.identity, row.raw = [
            self.keep(text) for text in texts]
        batch_push(&self.columns, &row)
        return True

    cdef Text keep(self, bytes text):
        return batch_text(&self.columns, <const uint8_t*>PyBytes_AS_STRING(text), len(text))

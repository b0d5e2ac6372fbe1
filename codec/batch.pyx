"""Batches of rows: what moves from the decoders through the journal to the store.

Rejected: one `cdef` object a row (5 times the cost of columns), and pickling for the journal; the encoded form
is a copy of the columns, so that writing is one pass of memcpy and reading needs no pass at all.
"""
import json

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy, memset

from codec.limits cimport BATCH_ARENA_BYTES_MAX, BATCH_ROWS_MAX, DETAILS_BYTES_MAX
from codec.words cimport ROW_LEVEL, ROW_SIGNAL
from codec.words import CLASS_TEXT, CONDITION_TEXT, PROTOCOL_TEXT, ROW_KIND_TEXT, STATE_TEXT

cdef inline size_t padded(size_t size) noexcept nogil:
    return (size + 7) & ~<size_t>7


cdef size_t columns_layout(Columns* c, uint8_t* memory, uint32_t rows) noexcept nogil:
    """Point the columns into `memory` for `rows` slots each, in encoded order; return the bytes they take."""
    cdef uint8_t* at = memory
    cdef size_t eight = padded(<size_t>rows * 8), four = padded(<size_t>rows * 4)
    cdef size_t two = padded(<size_t>rows * 2), one = padded(rows)
    c.received_ns = <int64_t*>at; at += eight
    c.occurred_ns = <int64_t*>at; at += eight
    c.path = <uint32_t*>at; at += four
    c.sequence = <uint32_t*>at; at += four
    c.level = <uint32_t*>at; at += four
    c.account = <Text*>at; at += eight
    c.realm = <Text*>at; at += eight
    c.point = <Text*>at; at += eight
    c.native = <Text*>at; at += eight
    c.details = <Text*>at; at += eight
    c.identity = <Text*>at; at += eight
    c.raw = <Text*>at; at += eight
    c.condition = <uint16_t*>at; at += two
    c.flags = <uint16_t*>at; at += two
    c.kind = at; at += one
    c.protocol = at; at += one
    c.signal_class = at; at += one
    c.state = at; at += one
    return at - memory


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


cdef void copy_columns(const Columns* source, Columns* target, uint32_t rows) noexcept nogil:
    memcpy(target.received_ns, source.received_ns, rows * 8)
    memcpy(target.occurred_ns, source.occurred_ns, rows * 8)
    memcpy(target.path, source.path, rows * 4)
    memcpy(target.sequence, source.sequence, rows * 4)
    memcpy(target.level, source.level, rows * 4)
    memcpy(target.account, source.account, rows * 8)
    memcpy(target.realm, source.realm, rows * 8)
    memcpy(target.point, source.point, rows * 8)
    memcpy(target.native, source.native, rows * 8)
    memcpy(target.details, source.details, rows * 8)
    memcpy(target.identity, source.identity, rows * 8)
    memcpy(target.raw, source.raw, rows * 8)
    memcpy(target.condition, source.condition, rows * 2)
    memcpy(target.flags, source.flags, rows * 2)
    memcpy(target.kind, source.kind, rows)
    memcpy(target.protocol, source.protocol, rows)
    memcpy(target.signal_class, source.signal_class, rows)
    memcpy(target.state, source.state, rows)


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
        cdef size_t columns_size = columns_layout(&target, NULL, c.count)
        cdef size_t size = BATCH_HEADER_BYTES + columns_size + c.arena_used
        cdef bytes out = PyBytes_FromStringAndSize(NULL, size)
        cdef uint8_t* start = <uint8_t*>PyBytes_AS_STRING(out)
        cdef uint32_t* header = <uint32_t*>start
        with nogil:
            memset(start + BATCH_HEADER_BYTES, 0, columns_size)  # the padding, so that equal batches are equal bytes
            header[0] = BATCH_VERSION
            header[1] = c.count
            header[2] = c.arena_used
            header[3] = 0
            columns_layout(&target, start + BATCH_HEADER_BYTES, c.count)
            copy_columns(c, &target, c.count)
            memcpy(start + BATCH_HEADER_BYTES + columns_size, c.arena, c.arena_used)
        return out

    @staticmethod
    def view(bytes encoded not None):
        cdef Batch batch = Batch()
        cdef uint8_t* start = <uint8_t*>PyBytes_AS_STRING(encoded)
        cdef uint32_t* header = <uint32_t*>start
        cdef size_t size = len(encoded)
        if size < BATCH_HEADER_BYTES or header[0] != BATCH_VERSION or header[1] > BATCH_ROWS_MAX:
            raise ValueError("no encoded batch")
        cdef size_t columns_size = columns_layout(&batch.columns, start + BATCH_HEADER_BYTES, header[1])
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

"""Lines of a COPY as rows of the journal; see rows.pxd."""
from cpython.bytes cimport PyBytes_AS_STRING
from libc.string cimport memchr, memcmp, memcpy, memset

from codec.batch cimport TIME_NONE, NO_PATH, Columns, Row, batch_has_room, batch_push, batch_text
from codec.limits cimport ACCOUNT_BYTES_MAX, POINT_BYTES_MAX
from codec.text cimport is_utf8
from codec.words cimport PROTOCOL_COUNT, ROW_CHANGE
from codec.words import PROTOCOL_TEXT
from engine.registry.presets import supervision_ms, window_s
from engine.words cimport (CHANGE_FACILITY, CHANGE_POINT, CHANGE_READ, CHANGE_READING, CHANGE_TRANSMITTER)

LINE_FIELDS = {"facility": 7, "transmitter": 9, "point": 4, "facility_gone": 1, "transmitter_gone": 1, "point_gone": 2}
WINDOW_PAST_S, WINDOW_FUTURE_S = 40, 20      # where the registry says nothing, as in the configuration
SHOWN_BYTES_MAX = 64

cdef enum:
    ID_BYTES_MAX = 36            # of a facility
    AREA_BYTES_MAX = 15
    NAME_BYTES_MAX = 32          # of a realm, a team, a network, a zone: 31, and of a realm 32
    FACILITY_NAME_BYTES_MAX = 96

cdef enum Question:
    ASK_SUPERVISION = 0
    ASK_PAST = 1
    ASK_FUTURE = 2

cdef enum Character:             # where a byte may stand, ored
    IN_ACCOUNT = 1
    IN_ID = 2
    IN_NAME = 4                  # letters, digits and _ . -
    IN_WORD = 8                  # small letters and _
    IN_REALM = 16

cdef uint8_t allowed[256]
cdef uint8_t wanted_fields[LINE_COUNT]
cdef char protocol_name[PROTOCOL_COUNT][16]


cdef int fill_tables() except -1:
    cdef bytes text
    cdef int c
    memset(allowed, 0, sizeof(allowed))
    for c in range(128):
        one = chr(c)
        if one.isdigit() or one.isupper() or one in "._+*-":
            allowed[c] |= IN_ACCOUNT
        if one.isalnum() or one in "_.:-":
            allowed[c] |= IN_ID
        if one.isalnum() or one in "_.-":
            allowed[c] |= IN_NAME
        if one.islower() or one == "_":
            allowed[c] |= IN_WORD
        if one.isdigit() or one.islower() or one in "_.-":
            allowed[c] |= IN_REALM
    for number, name in PROTOCOL_TEXT.items():
        text = name.encode()
        if name != "engine":
            memcpy(protocol_name[<int>number], PyBytes_AS_STRING(text), len(text) + 1)
    for c, count in enumerate(LINE_FIELDS.values()):
        wanted_fields[c] = count
    return 0


fill_tables()


cdef bint consists(const Field* field, uint32_t size_min, uint32_t size_max, uint8_t of) noexcept nogil:
    """Tell whether a field has so many bytes, all of one set."""
    cdef uint32_t i
    if not size_min <= field.size <= size_max:
        return False
    for i in range(field.size):
        if not allowed[field.at[i]] & of:
            return False
    return True


cdef bint is_text(const Field* field, uint32_t size_min, uint32_t size_max) noexcept nogil:
    """Tell whether a field is UTF-8 of so many bytes; that it has no tab, line end and NUL is known."""
    return size_min <= field.size <= size_max and memchr(field.at, 0, field.size) == NULL \
        and is_utf8(field.at, field.size)


cdef bint split_key(const Field* key, int* protocol, Field* account, Field* realm) noexcept nogil:
    """Take a transmitter's key apart; False when it is none."""
    cdef const uint8_t* colon = <const uint8_t*>memchr(key.at, c':', key.size)
    cdef const uint8_t* end = key.at + key.size
    cdef const uint8_t* sign
    cdef uint32_t size, p
    if colon == NULL or colon == key.at:
        return False
    size = <uint32_t>(colon - key.at)
    protocol[0] = 0
    for p in range(1, PROTOCOL_COUNT):
        if protocol_name[p][size] == 0 and size < 16 and memcmp(protocol_name[p], key.at, size) == 0:
            protocol[0] = p
    sign = <const uint8_t*>memchr(colon, c'@', end - colon)
    account.at = colon + 1
    account.size = <uint32_t>((sign if sign != NULL else end) - account.at)
    realm.at = sign + 1 if sign != NULL else end
    realm.size = <uint32_t>(end - realm.at)
    return (protocol[0] != 0 and consists(account, 1, ACCOUNT_BYTES_MAX, IN_ACCOUNT)
            and (sign == NULL or consists(realm, 1, NAME_BYTES_MAX, IN_REALM)))


cdef inline uint32_t end_place(const uint8_t* text, uint32_t size) noexcept nogil:
    """Where an end of a line is kept, by its size, its first, middle and last bytes; it has at least 8."""
    cdef uint64_t first, middle, last
    memcpy(&first, text, 8)
    memcpy(&middle, text + size // 2 - 4, 8)
    memcpy(&last, text + size - 8, 8)
    return <uint32_t>((first ^ middle * 31 ^ last * 961 ^ size) * <uint64_t>0x9E3779B97F4A7C15 >> 40) % ENDS


cdef inline uint32_t put(uint8_t* out, const Answer* answer) noexcept nogil:
    memcpy(out, answer.told, answer.told_size)
    return answer.told_size


cdef class ChangeRows:
    def __cinit__(self, uint32_t rows_max, uint32_t arena_max):
        if arena_max < ROW_BYTES_MAX or rows_max < 1:
            raise ValueError(f"no room for a row in {arena_max} bytes")
        self.batch = Batch(rows_max, arena_max)
        self.named = []

    def begin_reading(self, int64_t received_ns):
        self.batch.clear()
        self.refused = 0
        self.named = []
        self.received_ns = received_ns
        self.partial_size = 0
        self.too_long = False

    def mark(self, int change, str identity not None, int64_t revision):
        added = self.batch.add(kind=ROW_CHANGE, condition=change, received_ns=self.received_ns,
                               native=f"{identity}\t{revision}")
        assert added

    def begin(self, str line not None):
        if self.partial_size or self.too_long:
            raise ValueError("the last line broke off")
        self.line = <Line><int>list(LINE_FIELDS).index(line)

    def feed(self, const uint8_t[::1] data not None, Py_ssize_t at=0):
        if at == data.shape[0]:
            return at
        cdef const uint8_t* start = &data[0]
        cdef const uint8_t* end = start + data.shape[0]
        cdef const uint8_t* here = start + at
        cdef const uint8_t* newline
        cdef const uint8_t* stop
        while here < end and self.has_room():
            newline = <const uint8_t*>memchr(here, c'\n', end - here)
            if newline == NULL or self.partial_size or self.too_long:
                stop = newline if newline != NULL else end
                self.gather(here, <uint32_t>min(stop - here, <Py_ssize_t>LINE_BYTES_MAX + 1))
                here = stop
                if newline != NULL:
                    self.end_gathered()
                    here += 1
                continue
            self.take_line(here, <uint32_t>min(newline - here, <Py_ssize_t>LINE_BYTES_MAX + 1))
            here = newline + 1
        return here - start

    cdef void gather(self, const uint8_t* piece, uint32_t size) noexcept nogil:
        """Keep a piece of a line that comes in pieces."""
        if self.partial_size + size > LINE_BYTES_MAX:
            self.too_long = True
            size = LINE_BYTES_MAX - self.partial_size
        memcpy(self.partial + self.partial_size, piece, size)
        self.partial_size += size

    cdef int end_gathered(self) except -1:
        self.take_line(self.partial, self.partial_size + self.too_long)
        self.partial_size = 0
        self.too_long = False
        return 0

    cdef bint has_room(self) noexcept nogil:
        return batch_has_room(&self.batch.columns, 1, ROW_BYTES_MAX)

    cdef int take_line(self, const uint8_t* line, uint32_t size) except -1:
        """Add the row of a line, or refuse it. size: more than LINE_BYTES_MAX where it is too long."""
        cdef const uint8_t* end = line + min(size, <uint32_t>LINE_BYTES_MAX)
        cdef const uint8_t* tab
        cdef const char* why
        if self.line == LINE_TRANSMITTER and size <= LINE_BYTES_MAX and self.take_known(line, end):
            return 0                     # fast path
        self.fields = 0
        while self.fields < FIELDS_MAX:
            tab = <const uint8_t*>memchr(line, c'\t', end - line) if line < end else NULL
            self.field[self.fields].at = line
            self.field[self.fields].size = <uint32_t>((tab if tab != NULL else end) - line)
            self.fields += 1
            if tab == NULL:
                break
            line = tab + 1
        else:
            self.fields = FIELDS_MAX + 1
        if size > LINE_BYTES_MAX:
            why = b"too long"
        else:
            why = self.push(self.field[0].at, <uint32_t>(end - self.field[0].at))
        if why != NULL:
            self.refuse(&self.field[0], why.decode())
        return 0

    cdef bint take_known(self, const uint8_t* line, const uint8_t* end) noexcept nogil:
        """Add the row of a transmitter's line whose end is known; False when it is not, or the rest is no good."""
        cdef const uint8_t* tab = <const uint8_t*>memchr(line, c'\t', end - line)
        cdef const uint8_t* stop
        cdef const End* known
        cdef Field none = Field(line, 0)
        cdef Field facility, account, realm
        cdef int protocol
        cdef uint32_t size
        cdef uint8_t native[ID_BYTES_MAX + END_BYTES_MAX]
        if tab == NULL:
            return False
        stop = <const uint8_t*>memchr(tab + 1, c'\t', end - tab - 1)
        if stop == NULL or not 8 <= end - stop <= END_BYTES_MAX:
            return False
        size = <uint32_t>(end - stop)
        known = &self.ends[end_place(stop, size)]
        if known.size != size or memcmp(known.text, stop, size) != 0:
            return False
        facility = Field(tab + 1, <uint32_t>(stop - tab - 1))
        self.field[0] = Field(line, <uint32_t>(tab - line))
        if not consists(&facility, 0, ID_BYTES_MAX, IN_ID) \
                or not split_key(&self.field[0], &protocol, &account, &realm):
            return False
        memcpy(native, facility.at, facility.size)
        memcpy(native + facility.size, known.told, known.told_size)
        self.push_row(CHANGE_TRANSMITTER, protocol, &account, &realm, &none, native, facility.size + known.told_size)
        return True

    cdef void keep_end(self, const uint8_t* text, uint32_t size, const uint8_t* told,
                       uint32_t told_size) noexcept nogil:
        cdef End* end
        if not 8 <= size <= END_BYTES_MAX or told_size > END_BYTES_MAX:
            return
        end = &self.ends[end_place(text, size)]
        end.size, end.told_size = <uint8_t>size, <uint8_t>told_size
        memcpy(end.text, text, size)
        memcpy(end.told, told, told_size)

    cdef const char* push(self, const uint8_t* line, uint32_t size) except? NULL:
        """Add the row of a line that was taken apart; return why not, or NULL."""
        cdef Field* field = self.field
        cdef Field none = Field(line, 0)
        if self.fields != wanted_fields[<int>self.line]:
            return b"the number of its columns"
        if memchr(line, c'\\', size) != NULL:
            return b"a character that it cannot have"
        if self.line == LINE_TRANSMITTER:
            return self.push_transmitter()
        if self.line == LINE_TRANSMITTER_GONE:
            return self.push_named(CHANGE_TRANSMITTER, line, 0, &none)
        if self.line == LINE_POINT or self.line == LINE_POINT_GONE:
            if not is_text(&field[1], 1, POINT_BYTES_MAX):
                return b"point"
            if self.line == LINE_POINT_GONE:
                return self.push_named(CHANGE_POINT, line, 0, &field[1])
            if not consists(&field[2], 0, NAME_BYTES_MAX, IN_WORD):
                return b"condition"
            if not is_text(&field[3], 0, NAME_BYTES_MAX - 1):
                return b"zone"
            return self.push_named(CHANGE_POINT, field[2].at, field[2].size + 1 + field[3].size, &field[1])
        if not consists(&field[0], 1, ID_BYTES_MAX, IN_ID):
            return b"id"
        if self.line == LINE_FACILITY:
            if not (consists(&field[1], 0, AREA_BYTES_MAX, IN_NAME) and consists(&field[2], 0, AREA_BYTES_MAX, IN_NAME)
                    and consists(&field[3], 0, NAME_BYTES_MAX - 1, IN_NAME)):
                return b"province, commune or team"
            if not (consists(&field[4], 1, NAME_BYTES_MAX, IN_WORD)
                    and consists(&field[5], 1, NAME_BYTES_MAX, IN_WORD)):
                return b"kind or verification"
            if not is_text(&field[6], 1, FACILITY_NAME_BYTES_MAX):
                return b"name"
        self.push_row(CHANGE_FACILITY, 0, &none, &none, &none, line, size)
        return NULL

    cdef const char* push_transmitter(self) except? NULL:
        cdef Field* field = self.field
        cdef Field none = Field(field[0].at, 0)
        cdef uint8_t native[256]
        cdef const Answer* times
        cdef const Answer* past
        cdef const Answer* future
        cdef uint32_t size = field[1].size
        if field[1].size and not consists(&field[1], 1, ID_BYTES_MAX, IN_ID):
            return b"facility"
        if not consists(&field[3], 0, NAME_BYTES_MAX - 1, IN_NAME):
            return b"network"
        times = self.ask(ASK_SUPERVISION, &field[2])
        if not times.good:
            return b"supervision"
        memcpy(native, field[1].at, size)
        size += put(native + size, times)
        native[size] = c'\t'
        memcpy(native + size + 1, field[3].at, field[3].size)
        size += 1 + field[3].size
        past = self.ask(ASK_PAST, &field[4])
        if not past.good:
            return b"window_past"
        size += put(native + size, past)
        future = self.ask(ASK_FUTURE, &field[5])
        if not future.good:
            return b"window_future"
        size += put(native + size, future)
        if field[6].size != 1 or field[7].size != 1:
            return b"check_clear_stamps or encrypted_only"
        if not (field[8].size == 4 and memcmp(field[8].at, b"late", 4) == 0
                or field[8].size == 6 and memcmp(field[8].at, b"reject", 6) == 0):
            return b"stale"
        memcpy(native + size, b"\t0\t0\t0", 6)
        native[size + 1] += field[6].at[0] == c't'
        native[size + 3] += field[7].at[0] == c't'
        native[size + 5] += field[8].at[0] == c'r'
        self.keep_end(field[2].at - 1, <uint32_t>(field[8].at + field[8].size - field[2].at) + 1,
                      native + field[1].size, size + 6 - field[1].size)
        return self.push_named(CHANGE_TRANSMITTER, native, size + 6, &none)

    cdef const char* push_named(self, int change, const uint8_t* native, uint32_t size, const Field* point) noexcept:
        """Add a row of the transmitter whose key is the first field."""
        cdef Field account, realm
        cdef int protocol
        if not split_key(&self.field[0], &protocol, &account, &realm):
            return b"key"
        self.push_row(change, protocol, &account, &realm, point, native, size)
        return NULL

    cdef void push_row(self, int change, int protocol, const Field* account, const Field* realm, const Field* point,
                       const uint8_t* native, uint32_t size) noexcept nogil:
        cdef Columns* c = &self.batch.columns
        cdef Row row
        memset(&row, 0, sizeof(Row))
        row.kind = ROW_CHANGE
        row.condition = change
        row.received_ns = self.received_ns
        row.occurred_ns = TIME_NONE
        row.path = NO_PATH
        row.protocol = protocol
        row.account = batch_text(c, account.at, account.size)
        row.realm = batch_text(c, realm.at, realm.size)
        row.point = batch_text(c, point.at, point.size)
        row.native = batch_text(c, native, size)
        batch_push(c, &row)

    cdef const Answer* ask(self, int kind, const Field* field) except NULL:
        """Return what a text means, asked once while its place in the table is its own."""
        cdef uint32_t hash = <uint32_t>2166136261 ^ kind, i
        cdef bytes told
        cdef Answer* answer
        for i in range(field.size):
            hash = (hash ^ field.at[i]) * <uint32_t>16777619
        answer = &self.answers[(hash ^ hash >> 15) % ANSWERS]
        if answer.kind == kind + 1 and answer.size == field.size and memcmp(answer.text, field.at, field.size) == 0:
            return answer
        memset(answer, 0, sizeof(Answer))
        if field.size > ANSWER_BYTES_MAX:
            return answer                # no good, and not to be found again
        answer.kind = kind + 1
        answer.size = field.size
        memcpy(answer.text, field.at, field.size)
        try:
            text = (<const char*>field.at)[:field.size].decode("ascii")
            found = supervision_ms(text) if kind == ASK_SUPERVISION else (
                window_s(text, WINDOW_PAST_S if kind == ASK_PAST else WINDOW_FUTURE_S),)
        except ValueError:
            return answer
        told = "".join(f"\t{number}" for number in found).encode()
        assert len(told) <= sizeof(answer.told)
        memcpy(answer.told, PyBytes_AS_STRING(told), len(told))
        answer.told_size = len(told)
        answer.good = True
        return answer

    cdef int refuse(self, const Field* key, str why) except -1:
        self.refused += 1
        if len(self.named) < NAMED_MAX:
            size = min(<int>key.size, <int>SHOWN_BYTES_MAX)
            shown = (<const char*>key.at)[:size].decode("ascii", "replace")
            self.named.append((list(LINE_FIELDS)[<int>self.line].removesuffix("_gone"),
                               "".join(one if one.isprintable() else "?" for one in shown), why))
        return 0

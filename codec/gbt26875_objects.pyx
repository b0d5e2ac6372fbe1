"""The application data of GB/T 26875.3-2011: type, count, objects.

    type                       object                                                       tag   row
    1   system status          sysType sysAddr status(2)                                    yes   level
    2   component status       sysType sysAddr compType compAddr(4) status(2) text(31)      yes   level
    3   component analog       sysType sysAddr compType compAddr(4) kind value(2, signed)   yes   info: value, unit
    4   system operation       sysType sysAddr flags operator                               yes   one for each flag
    5   system version         sysType sysAddr major minor                                  no    info
    6   system configuration   sysType sysAddr size text(size)                              no    info
    7   component config.      sysType sysAddr compType compAddr(4) text(31)                no    info
    21  transmitter status     status(1)                                                    yes   level
    24  transmitter operation  flags operator                                               yes   one for each flag
    25  transmitter version    major minor                                                  no    info
    26  transmitter config.    size text(size)                                              no    info
    134..136  one vendor's (Fubei) restores, in a form that nobody has told us: unread, and of condition reset, so that
           who remembers the words before does not trust them any more
    8, 28  a time: never here, such a frame is a heartbeat; with another length it is unread, as any other type

Point     sysType/sysAddr, sysType/sysAddr/compType-compAddr with the address as 8 hex digits in the order sent (each
          vendor divides it otherwise), or "transmitter" for the transmitter itself; behind it "/operation" where people
          did something. Never nothing: a restore without a point would end the fires of all components, and one with
          the point of a status word that word's.
Flags     manual alarm (bit 2) is fire, raised; alarm over (bit 3) clears it; the others are edges of info and test.

Accepted beyond the standard, because devices send it:
  objects without the tag         the whole is count objects of that size; the header's time then stands for it
  the untagged types with a tag   likewise
  type 2 of 15, 16 and 9 bytes    no text, with the tag; one byte more; no text and no tag
  a count that does not fit       if the bytes are whole objects as the standard has them, all are read, whatever count
                                  says; else as many whole ones as count allows, then the beginning of one that was
                                  cut, if its value is in it. What is left is one row of class info, with its bytes.
"""
from libc.stdint cimport int16_t, int64_t, uint8_t, uint16_t, uint32_t
from libc.string cimport memcpy, strlen

from codec.batch cimport TIME_NONE, Columns, Row, Text, batch_has_room, batch_push, batch_text
from codec.codes.lookup cimport Meaning
from codec.frame cimport Frame, Origin, is_old
from codec.gb18030 cimport gb18030_text
from codec.gbt26875 cimport (COMMAND_ANSWER, COMMAND_SEND, FORM_BCD, GBT_SERIAL_AT, TYPE_COMPONENT_ANALOG,
                             TYPE_COMPONENT_CONFIGURATION, TYPE_COMPONENT_STATUS, TYPE_CONFIGURATION, TYPE_OPERATION,
                             TYPE_STATUS, TYPE_SYSTEM_CONFIGURATION, TYPE_SYSTEM_OPERATION, TYPE_SYSTEM_STATUS,
                             TYPE_SYSTEM_VERSION, TYPE_VENDOR_RESTORE_FIRST, TYPE_VENDOR_RESTORE_LAST,
                             TYPE_VERSION)
from codec.gbt26875_levels cimport level_gist, level_pack, operation_meaning
from codec.gbt26875_time cimport TAG_BYTES, tag_bcd, tag_binary
from codec.limits cimport FRAME_SIGNALS_MAX, NATIVE_BYTES_MAX, POINT_BYTES_MAX
from codec.status cimport BAD_FIELD, BATCH_FULL, OK, Status
from codec.text cimport put_decimal
from codec.words cimport (CLASS_INFO, CONDITION_INFO, CONDITION_RESET, CONDITION_UNKNOWN, FLAG_CUT, FLAG_OLD,
                          FLAG_UNKNOWN_CODE, ROW_LEVEL, ROW_SIGNAL, STATE_INFO)

cdef enum:
    ADDRESSED_BYTES = 2          # sysType sysAddr
    COMPONENT_BYTES = 7          # and compType compAddr
    TEXT_BYTES = 31
    SHORT_BODY_BYTES = 9         # of type 2 without text

cdef struct Shape:               # of a type with objects of one size
    uint32_t body                # bytes of an object without its tag; 0: the type has no such shape
    uint32_t least               # bytes that must be there for its value
    bint     tagged              # as the standard has it

cdef struct Line:                # the native text under construction
    uint32_t size
    uint8_t  bytes[NATIVE_BYTES_MAX]

cdef struct Reader:
    const Frame* frame
    Columns* batch
    uint32_t rows
    uint16_t flags               # the origin's
    Row      row                 # what all rows of the frame share, and the one under construction
    uint32_t point_size
    uint8_t  point[POINT_BYTES_MAX]
    Line     line

cdef struct Quantity:            # an analog kind
    const char* name
    const char* unit
    uint8_t decimals

cdef Quantity QUANTITIES[13]
QUANTITIES[:] = [
    Quantity(b"analog 0", b"", 0), Quantity(b"count", b"", 0), Quantity(b"height", b" m", 2),
    Quantity(b"temperature", b" C", 1), Quantity(b"pressure", b" MPa", 1), Quantity(b"pressure", b" kPa", 1),
    Quantity(b"gas", b" %LEL", 1), Quantity(b"time", b" s", 0), Quantity(b"voltage", b" V", 1),
    Quantity(b"current", b" A", 1), Quantity(b"flow", b" L/s", 1), Quantity(b"air", b" m3/min", 1),
    Quantity(b"wind", b" m/s", 0)]


# ---- texts -----------------------------------------------------------------------------------------------------

cdef inline uint32_t put_text(uint8_t* out, const char* text) noexcept nogil:
    cdef uint32_t size = <uint32_t>strlen(text)
    memcpy(out, text, size)
    return size


cdef inline void say(Line* line, const char* text) noexcept nogil:
    line.size += put_text(line.bytes + line.size, text)


cdef inline void say_number(Line* line, uint32_t value) noexcept nogil:
    line.size += put_decimal(line.bytes + line.size, value)


cdef inline uint32_t put_hex(uint8_t* out, const uint8_t* bytes, uint32_t size) noexcept nogil:
    cdef uint32_t i
    for i in range(size):
        out[2 * i] = <uint8_t>(b"0123456789abcdef"[bytes[i] >> 4])
        out[2 * i + 1] = <uint8_t>(b"0123456789abcdef"[bytes[i] & 15])
    return 2 * size


cdef inline void say_hex(Line* line, const uint8_t* bytes, uint32_t size) noexcept nogil:
    line.size += put_hex(line.bytes + line.size, bytes, size)


cdef inline void say_text(Reader* reader, const uint8_t* bytes, uint32_t size) noexcept nogil:
    """A blank and a GB 18030 field, or nothing when that is empty."""
    cdef Line* line = &reader.line
    cdef uint32_t written = gb18030_text(bytes, size, line.bytes + line.size + 1, NATIVE_BYTES_MAX - line.size - 1,
                                         &reader.row.flags)
    if written:
        line.bytes[line.size] = 0x20
        line.size += 1 + written


cdef inline void name_point(Reader* reader, const uint8_t* object, uint32_t size) noexcept nogil:
    """Set the point from the first bytes of an object: none, ADDRESSED_BYTES or COMPONENT_BYTES of them."""
    cdef uint8_t* out = reader.point
    cdef uint32_t at = 0
    if size == 0:
        at = put_text(out, b"transmitter")
    if size >= ADDRESSED_BYTES:
        at = put_decimal(out, object[0])
        out[at] = 0x2F
        at += 1
        at += put_decimal(out + at, object[1])
    if size >= COMPONENT_BYTES:
        out[at] = 0x2F
        at += 1
        at += put_decimal(out + at, object[2])
        out[at] = 0x2D
        at += 1
        at += put_hex(out + at, object + 3, 4)
    reader.point_size = at


# ---- rows ------------------------------------------------------------------------------------------------------

cdef Status begin(Reader* reader, const Frame* frame, const Origin* origin, Columns* batch) noexcept nogil:
    """Copy the frame, its identity and its account into the arena, and set what all rows share."""
    cdef Row* row = &reader.row
    if not batch_has_room(batch, 1, <uint32_t>frame.size + frame.identity.size + 2 + frame.account_size):
        return BATCH_FULL
    reader.frame = frame
    reader.batch = batch
    reader.rows = 0
    reader.flags = origin.flags
    row.received_ns = origin.received_ns
    row.path = origin.path
    row.realm = origin.realm
    row.details = Text(0, 0)
    row.sequence = frame.sequence
    row.protocol = frame.protocol
    row.raw = batch_text(batch, frame.start, frame.size)
    row.identity = batch_text(batch, frame.start + GBT_SERIAL_AT, 2)
    batch_text(batch, frame.start + frame.identity.at, frame.identity.size)
    row.identity.size += frame.identity.size
    row.account = batch_text(batch, frame.account, frame.account_size)
    return OK


cdef void prepare(Reader* reader, const uint8_t* object, uint32_t point_bytes, int64_t occurred_ns) noexcept nogil:
    """Begin the rows of one object."""
    # Old by the device's own clock: its object happened well before the frame about it was made.
    reader.row.flags = reader.flags | (FLAG_OLD if is_old(occurred_ns, reader.frame.stamp_ns) else 0)
    reader.row.level = 0
    reader.row.kind = ROW_SIGNAL
    reader.row.occurred_ns = occurred_ns
    reader.line.size = 0
    name_point(reader, object, point_bytes)


cdef Status push(Reader* reader, Meaning meaning) noexcept nogil:
    """Add the row under construction.

    Returns  OK | BATCH_FULL | BAD_FIELD (more rows than a frame may have)
    """
    cdef Row* row = &reader.row
    if reader.rows == FRAME_SIGNALS_MAX:
        return BAD_FIELD
    if not batch_has_room(reader.batch, 1, reader.point_size + reader.line.size):
        return BATCH_FULL
    row.signal_class = meaning.signal_class
    row.condition = meaning.condition
    row.state = meaning.state
    row.point = batch_text(reader.batch, reader.point, reader.point_size)
    row.native = batch_text(reader.batch, reader.line.bytes, reader.line.size)
    batch_push(reader.batch, row)
    reader.rows += 1
    return OK


cdef Status push_info(Reader* reader, uint16_t condition) noexcept nogil:
    cdef Meaning meaning
    meaning.signal_class = CLASS_INFO
    meaning.condition = condition
    meaning.state = STATE_INFO
    meaning.known = True
    return push(reader, meaning)


cdef Status push_level(Reader* reader, uint32_t data_type, uint32_t subject, uint32_t word) noexcept nogil:
    """Add a status word; class, condition and state are those of its most urgent bit, until it is expanded."""
    reader.row.kind = ROW_LEVEL
    reader.row.level = level_pack(data_type, subject, word)
    return push(reader, level_gist(reader.row.level))


cdef inline bint is_vendor_restore(const Frame* frame) noexcept nogil:
    return ((frame.token == COMMAND_SEND or frame.token == COMMAND_ANSWER)
            and TYPE_VENDOR_RESTORE_FIRST <= frame.start[frame.data.at] <= TYPE_VENDOR_RESTORE_LAST)


cdef Status push_unread(Reader* reader, const uint8_t* bytes, uint32_t size) noexcept nogil:
    """Add a row for bytes that we cannot read: command and type, then as many of them as fit, in hex."""
    cdef const Frame* frame = reader.frame
    cdef uint32_t shown
    prepare(reader, bytes, 0, frame.stamp_ns)
    reader.point_size = 0
    if frame.token != COMMAND_SEND and frame.token != COMMAND_ANSWER:
        say(&reader.line, b"command ")
        say_number(&reader.line, frame.token)
    else:
        say(&reader.line, b"type ")
        say_number(&reader.line, frame.start[frame.data.at])
        say(&reader.line, b" count ")
        say_number(&reader.line, frame.start[frame.data.at + 1])
    say(&reader.line, b" unread ")
    shown = min(size, (NATIVE_BYTES_MAX - reader.line.size) // 2)
    say_hex(&reader.line, bytes, shown)
    reader.row.flags |= FLAG_UNKNOWN_CODE | (FLAG_CUT if shown < size else 0)
    return push_info(reader, CONDITION_RESET if is_vendor_restore(frame) else CONDITION_UNKNOWN)


# ---- objects ---------------------------------------------------------------------------------------------------

cdef Shape shape_of(uint32_t data_type) noexcept nogil:
    cdef Shape shape
    shape.tagged = True
    shape.body = shape.least = 0
    if data_type == TYPE_SYSTEM_STATUS or data_type == TYPE_SYSTEM_OPERATION or data_type == TYPE_SYSTEM_VERSION:
        shape.body = shape.least = 4
        shape.tagged = data_type != TYPE_SYSTEM_VERSION
    elif data_type == TYPE_COMPONENT_STATUS:
        shape.body = SHORT_BODY_BYTES + TEXT_BYTES
        shape.least = SHORT_BODY_BYTES
    elif data_type == TYPE_COMPONENT_ANALOG:
        shape.body = shape.least = 10
    elif data_type == TYPE_COMPONENT_CONFIGURATION:
        shape.body = COMPONENT_BYTES + TEXT_BYTES
        shape.least = COMPONENT_BYTES + 1
        shape.tagged = False
    elif data_type == TYPE_STATUS:
        shape.body = shape.least = 1
    elif data_type == TYPE_OPERATION or data_type == TYPE_VERSION:
        shape.body = shape.least = 2
        shape.tagged = data_type == TYPE_OPERATION
    return shape


cdef Status push_operation(Reader* reader, uint32_t data_type, uint32_t flags, uint32_t person) noexcept nogil:
    """One row for each flag; one that says as much when none is set."""
    cdef uint8_t byte = <uint8_t>flags
    cdef uint16_t flags_of_row = reader.row.flags
    cdef uint32_t bit
    cdef Meaning meaning
    cdef Status status
    reader.point_size += put_text(reader.point + reader.point_size, b"/operation")
    say(&reader.line, b"operation 0x")
    say_hex(&reader.line, &byte, 1)
    say(&reader.line, b" operator ")
    say_number(&reader.line, person)
    if flags == 0:
        return push_info(reader, CONDITION_UNKNOWN)
    for bit in range(8):
        if flags >> bit & 1:
            meaning = operation_meaning(data_type, bit)
            reader.row.flags = flags_of_row | (0 if meaning.known else FLAG_UNKNOWN_CODE)
            status = push(reader, meaning)
            if status != OK:
                return status
    return OK


cdef void say_analog(Line* line, uint32_t kind, int16_t value) noexcept nogil:
    """Name, value and unit; a kind without a name keeps its number and the value as sent."""
    cdef uint32_t size = -<int>value if value < 0 else value, whole = size, fraction = 0
    cdef bint known = 1 <= kind <= 12
    if known:
        say(line, QUANTITIES[kind].name)
    else:
        say(line, b"analog ")
        say_number(line, kind)
    say(line, b" -" if value < 0 else b" ")
    if known and QUANTITIES[kind].decimals == 1:
        whole, fraction = size // 10, size % 10
    elif known and QUANTITIES[kind].decimals == 2:
        whole, fraction = size // 100, size % 100
    say_number(line, whole)
    if known and QUANTITIES[kind].decimals:
        say(line, b".0" if QUANTITIES[kind].decimals == 2 and fraction < 10 else b".")
        say_number(line, fraction)
    if known:
        say(line, QUANTITIES[kind].unit)


cdef Status push_object(Reader* reader, uint32_t data_type, const uint8_t* at, uint32_t size,
                        int64_t occurred_ns) noexcept nogil:
    """Add the rows of one object of a fixed shape.

    at, size   its bytes without the tag; at least shape_of(data_type).least
    """
    cdef uint32_t word
    cdef uint8_t high_first[2]
    cdef bint component = (data_type == TYPE_COMPONENT_STATUS or data_type == TYPE_COMPONENT_ANALOG
                           or data_type == TYPE_COMPONENT_CONFIGURATION)
    cdef uint32_t addressed = COMPONENT_BYTES if component else 0 if data_type > 20 else ADDRESSED_BYTES
    prepare(reader, at, addressed, occurred_ns)
    if data_type == TYPE_SYSTEM_STATUS or data_type == TYPE_COMPONENT_STATUS or data_type == TYPE_STATUS:
        high_first[1] = at[addressed]
        high_first[0] = 0 if data_type == TYPE_STATUS else at[addressed + 1]
        word = <uint32_t>high_first[0] << 8 | high_first[1]
        say(&reader.line, b"status 0x")
        if data_type == TYPE_STATUS:
            say_hex(&reader.line, high_first + 1, 1)
            return push_level(reader, data_type, 0, word)
        say_hex(&reader.line, high_first, 2)
        if data_type == TYPE_SYSTEM_STATUS:
            return push_level(reader, data_type, at[0], word)
        if size >= SHORT_BODY_BYTES + 2:
            say_text(reader, at + SHORT_BODY_BYTES, size - SHORT_BODY_BYTES)
        return push_level(reader, data_type, at[2], word)
    if data_type == TYPE_COMPONENT_ANALOG:
        say_analog(&reader.line, at[addressed],
                   <int16_t>(<uint16_t>at[addressed + 1] | <uint16_t>at[addressed + 2] << 8))
    elif data_type == TYPE_SYSTEM_OPERATION or data_type == TYPE_OPERATION:
        return push_operation(reader, data_type, at[addressed], at[addressed + 1])
    elif data_type == TYPE_SYSTEM_VERSION or data_type == TYPE_VERSION:
        say(&reader.line, b"version ")
        say_number(&reader.line, at[addressed])
        say(&reader.line, b".")
        say_number(&reader.line, at[addressed + 1])
    else:
        say(&reader.line, b"configuration")
        say_text(reader, at + addressed, size - addressed)
    return push_info(reader, CONDITION_INFO)


cdef int64_t time_of(const Reader* reader, const uint8_t* tag) noexcept nogil:
    """A tag read as the header's was; as the other form where that is impossible; the header's time else."""
    cdef bint bcd_first = reader.frame.form == FORM_BCD
    cdef int64_t found = tag_bcd(tag) if bcd_first else tag_binary(tag)
    if found == TIME_NONE:
        found = tag_binary(tag) if bcd_first else tag_bcd(tag)
    return reader.frame.stamp_ns if found == TIME_NONE else found


cdef Status push_fixed(Reader* reader, uint32_t data_type, const uint8_t* at, uint32_t size,
                       uint32_t count) noexcept nogil:
    """Find out how the objects lie in `size` bytes, and add them; see the last paragraph of the file's comment."""
    cdef Shape shape = shape_of(data_type)
    cdef uint32_t with_tag = shape.body + TAG_BYTES, step = with_tag if shape.tagged else shape.body
    cdef uint32_t body = shape.body, objects, i
    cdef Status status
    if count and size == count * with_tag:
        step = with_tag
    elif count and size == count * shape.body:
        step = shape.body
    elif count and data_type == TYPE_COMPONENT_STATUS and size == count * SHORT_BODY_BYTES:
        step = body = SHORT_BODY_BYTES
    elif count and data_type == TYPE_COMPONENT_STATUS and (
            size == count * (SHORT_BODY_BYTES + TAG_BYTES) or size == count * (SHORT_BODY_BYTES + 1 + TAG_BYTES)):
        step = size // count
        body = step - TAG_BYTES
    objects = size // step
    if count and count < objects and size % step:
        objects = count
    for i in range(objects):
        status = push_object(reader, data_type, at, body,
                             time_of(reader, at + body) if step > body else reader.frame.stamp_ns)
        if status != OK:
            return status
        at += step
    size -= objects * step
    if (objects < count or objects == 0) and size >= shape.least:
        return push_object(reader, data_type, at, min(size, shape.body), reader.frame.stamp_ns)
    return push_unread(reader, at, size) if size else OK


cdef Status push_texts(Reader* reader, uint32_t data_type, const uint8_t* at, uint32_t size,
                       uint32_t count) noexcept nogil:
    """Add configurations, each as long as it says (types 6 and 26); with count 0 as many as there are."""
    cdef uint32_t head = ADDRESSED_BYTES + 1 if data_type == TYPE_SYSTEM_CONFIGURATION else 1
    cdef uint32_t objects = 0, text
    cdef Status status
    while size >= head and (count == 0 or objects < count):
        text = min(<uint32_t>at[head - 1], size - head)
        prepare(reader, at, head - 1, reader.frame.stamp_ns)
        if text < at[head - 1]:
            reader.row.flags |= FLAG_CUT
        say(&reader.line, b"configuration")
        say_text(reader, at + head, text)
        status = push_info(reader, CONDITION_INFO)
        if status != OK:
            return status
        objects += 1
        at += head + text
        size -= head + text
    return push_unread(reader, at, size) if size else OK


cdef Status push_objects(const Frame* frame, const Origin* origin, Columns* batch) noexcept nogil:
    """Append the rows of a frame with data: levels for status words, signals for everything else.

    Returns  OK | BATCH_FULL | BAD_FIELD (more than FRAME_SIGNALS_MAX rows); the batch is as it was unless OK
    """
    cdef Reader reader
    cdef uint32_t rows = batch.count, arena_used = batch.arena_used, size = frame.data.size
    cdef const uint8_t* data = frame.start + frame.data.at
    cdef Status status = begin(&reader, frame, origin, batch)
    if status != OK:
        return status
    if frame.token != COMMAND_SEND and frame.token != COMMAND_ANSWER:
        status = push_unread(&reader, data, size)
    elif data[0] == TYPE_SYSTEM_CONFIGURATION or data[0] == TYPE_CONFIGURATION:
        status = push_texts(&reader, data[0], data + 2, size - 2, data[1])
    elif shape_of(data[0]).body:
        status = push_fixed(&reader, data[0], data + 2, size - 2, data[1])
    else:
        status = push_unread(&reader, data + 2, size - 2)
    if status != OK:
        batch.count = rows
        batch.arena_used = arena_used
    return status

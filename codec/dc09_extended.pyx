"""Extended data of ANSI/SIA DC-09: what a frame says beside its events.

    '[' id text ']'     one upper-case letter, then text; any number of them between data and stamp

Sources: ANSI/SIA DC-09-2013 (draft), 5.5.1.8; DC-09-2026 as the package siadc09 implements it. Text was Windows-1252
and may be UTF-8 since 2026: it is UTF-8 if it can be, else Windows-1252.

    id  key in the details      notes
    A   authentication          a hash, as sent
    C   supervision_category    as CDP
    G   network_path            2026; decimal digits also name the path that the frame came by
    H   -                       time of occurrence, HH:MM:SS,MM-DD-YYYY: the row's `occurred`; what is no time is
                                kept as time_of_occurrence
    I   alarm_text
    J   network_path | json     the path in 2013, JSON in 2026: what begins with '{' or '[' is JSON, kept as JSON if
                                it is (details.pyx says how deep), else as text; anything else is a path
    K   key_given               an encryption key: that one came, never which; in the row's copy of the frame its
                                characters are '*'
    L   location
    M   mac
    N   network_address
    O   building
    P   programming
    R   room
    S   site
    T   trigger                 F fire, G gas, W water, S sensor, C contact, M manual; other letters as sent
    V   url
    X   longitude               093W23.456, and longitude_degrees, decimal, west negative, when it is one
    Y   latitude                45N23.456, and latitude_degrees, likewise
    Z   altitude_m | altitude   a number when it is one (123.2M), else as sent
    any other                   in `other`, under its id

Several fields with one key are an array of all their values, in the order sent. At most FIELDS_MAX fields are read; of
more, and of a field that is too long for the details, FLAG_CUT tells.
"""
from libc.stdint cimport int64_t, uint8_t, uint32_t
from libc.string cimport memset

from codec.batch cimport TIME_NONE
from codec.details cimport (details_begin, details_byte, details_end, details_json, details_put, details_string)
from codec.frame cimport Span, number_pack
from codec.text cimport is_digit, stamp_of

cdef enum:
    STAMP_BYTES = 19
    FIELDS_MAX = 32
    KEYS = 32
    KEY_LONGITUDE = 23           # the letters' own numbers: X - A
    KEY_LATITUDE = 24
    KEY_JSON = 26                # keys that are no letter's
    KEY_ALTITUDE_M = 27
    KEY_OTHER = 28
    KEY_NONE = 29

cdef struct Name:
    const char* text
    uint32_t size

cdef struct Field:
    uint8_t  id
    uint32_t key
    Span     text                # behind the id

cdef struct Fields:
    uint32_t count
    bint     more                # than FIELDS_MAX
    Field    field[FIELDS_MAX]

cdef Name NAMES[KEYS]
cdef Name TRIGGERS[26]

TEXTS = {
    "A": b"authentication", "C": b"supervision_category", "G": b"network_path", "H": b"time_of_occurrence",
    "I": b"alarm_text", "K": b"key_given", "L": b"location", "M": b"mac", "N": b"network_address", "O": b"building",
    "P": b"programming", "R": b"room", "S": b"site", "T": b"trigger", "V": b"url", "X": b"longitude", "Y": b"latitude",
    "Z": b"altitude", "[": b"json", "\\": b"altitude_m", "]": b"other"}       # the letters behind Z: keys 26..28
TRIGGER_TEXTS = {"F": b"fire", "G": b"gas", "W": b"water", "S": b"sensor", "C": b"contact", "M": b"manual"}


cdef int fill(Name* names, dict texts, uint32_t count) except -1:
    memset(names, 0, count * sizeof(Name))
    for letter, text in texts.items():
        names[<int>(ord(letter) - 0x41)] = Name(<const char*>(<bytes>text), <uint32_t>len(text))
    return 0


fill(NAMES, TEXTS, KEYS)
fill(TRIGGERS, TRIGGER_TEXTS, 26)


# ---- reading ---------------------------------------------------------------------------------------------------

cdef uint32_t read_extended(Frame* frame, uint32_t at, uint32_t end) noexcept nogil:
    """Read what the frame itself needs of the fields from `at` on: occurrence and network path.

    Returns  where the fields end; `frame.extended` is what they take
    """
    cdef const uint8_t* data = frame.start
    cdef uint32_t begin = at, closing, digit, value
    while at < end and data[at] == 0x5B:
        closing = closing_bracket(data, at + 1, end)
        if closing == end:
            break
        if data[at + 1] == 0x48 and closing - at - 2 == STAMP_BYTES:
            frame.occurred_ns = stamp_of(data + at + 2)
        elif (data[at + 1] == 0x47 or data[at + 1] == 0x4A) and 1 <= closing - at - 2 <= 6:
            value = 0
            for digit in range(at + 2, closing):
                value = value * 10 + data[digit] - 0x30 if is_digit(data[digit]) else 0x1000000
                if value >= 0x1000000:
                    break
            if value < 0x1000000:
                frame.network = number_pack(value, closing - at - 2)
        at = closing + 1
    frame.extended.at = begin
    frame.extended.size = at - begin
    return at


cdef uint32_t altitude_size(const uint8_t* text, uint32_t size) noexcept nogil:
    """How many bytes of an altitude are a number that JSON takes; 0 when it is no number, or not of metres."""
    cdef uint32_t at = 0, begin
    if size > 0 and text[0] == 0x2D:
        at = 1
    begin = at
    while at < size and is_digit(text[at]):
        at += 1
    if at == begin or at - begin > 6 or (text[begin] == 0x30 and at - begin > 1):
        return 0
    if at + 1 < size and text[at] == 0x2E and is_digit(text[at + 1]):
        begin = at
        at += 1
        while at < size and is_digit(text[at]):
            at += 1
        if at - begin > 7:
            return 0
    if at == size or (at + 1 == size and (text[at] == 0x4D or text[at] == 0x6D)):
        return at
    return 0


cdef uint32_t key_of(const Frame* frame, uint8_t id, Span text) noexcept nogil:
    """The key under which a field is kept."""
    cdef const uint8_t* first = frame.start + text.at
    if id == 0x48 and text.size == STAMP_BYTES and stamp_of(first) != TIME_NONE:
        return KEY_NONE
    if id == 0x4A:
        return KEY_JSON if text.size and (first[0] == 0x7B or first[0] == 0x5B) else 0x47 - 0x41
    if id == 0x5A and altitude_size(first, text.size):
        return KEY_ALTITUDE_M
    return id - 0x41 if 0x41 <= id <= 0x5A and NAMES[id - 0x41].size else KEY_OTHER


cdef void find_fields(const Frame* frame, Fields* fields) noexcept nogil:
    """Find the fields of `frame.extended`."""
    cdef const uint8_t* data = frame.start
    cdef uint32_t at = frame.extended.at, end = at + frame.extended.size, closing
    cdef Field* field
    fields.count = 0
    fields.more = False
    while at < end and data[at] == 0x5B:
        closing = closing_bracket(data, at + 1, end)
        if closing == end:
            break
        if closing > at + 1 and fields.count == FIELDS_MAX:
            fields.more = True
        elif closing > at + 1:
            field = &fields.field[fields.count]
            field.id = data[at + 1]
            field.text.at = at + 2
            if field.id <= 0x20 or field.id >= 0x7F:     # no id: all of it is the text
                field.id = 0x3F
                field.text.at = at + 1
            field.text.size = closing - field.text.at
            field.key = key_of(frame, field.id, field.text)
            fields.count += 1
        at = closing + 1


cdef uint8_t trigger_of(const Frame* frame) noexcept nogil:
    """The letter of the first trigger, 0 when none is given."""
    cdef Fields fields
    cdef uint32_t i
    if frame.extended.size == 0:
        return 0
    find_fields(frame, &fields)
    for i in range(fields.count):
        if fields.field[i].id == 0x54 and fields.field[i].text.size == 1:
            return frame.start[fields.field[i].text.at]
    return 0


cdef void hide_keys(const Frame* frame, uint8_t* copy) noexcept nogil:
    """Overwrite encryption keys in a copy of the frame; however many fields there are."""
    cdef uint32_t at = frame.extended.at, end = at + frame.extended.size, closing, i
    while at < end and frame.start[at] == 0x5B:
        closing = closing_bracket(frame.start, at + 1, end)
        if frame.start[at + 1] == 0x4B:
            for i in range(at + 2, closing):
                copy[i] = 0x2A
        at = closing + 1


# ---- writing ---------------------------------------------------------------------------------------------------

cdef void write_value(Details* d, const Frame* frame, const Field* field) noexcept nogil:
    cdef const uint8_t* text = frame.start + field.text.at
    cdef uint8_t letter = text[0] - 0x41 if field.text.size == 1 else 26
    if field.key == KEY_ALTITUDE_M:
        details_put(d, text, altitude_size(text, field.text.size))
    elif field.id == 0x4B:
        details_put(d, <const char*>b"true", 4)
    elif field.id == 0x54 and letter < 26 and TRIGGERS[letter].size:
        details_byte(d, c'"')
        details_put(d, TRIGGERS[letter].text, TRIGGERS[letter].size)
        details_byte(d, c'"')
    elif field.key != KEY_JSON or not details_json(d, text, field.text.size):
        details_string(d, text, field.text.size)


cdef inline bint is_alike(const Field* first, const Field* second) noexcept nogil:
    """Whether both are kept under one name."""
    return first.key == second.key and (first.key != KEY_OTHER or first.id == second.id)


cdef bint is_repeated(const Fields* fields, uint32_t index) noexcept nogil:
    """Whether a field before this one had its name."""
    cdef uint32_t i
    for i in range(index):
        if is_alike(&fields.field[i], &fields.field[index]):
            return True
    return False


cdef void write_values(Details* d, const Frame* frame, const Fields* fields, uint32_t index) noexcept nogil:
    """Write the value of a field, or the array of all that have its name."""
    cdef uint32_t i, count = 0
    for i in range(index, fields.count):
        count += is_alike(&fields.field[i], &fields.field[index])
    if count == 1 or fields.field[index].id == 0x4B:
        write_value(d, frame, &fields.field[index])
        return
    count = 0
    for i in range(index, fields.count):
        if is_alike(&fields.field[i], &fields.field[index]):
            details_byte(d, c',' if count else c'[')
            write_value(d, frame, &fields.field[i])
            count += 1
    details_byte(d, c']')


cdef void write_other(Details* d, const Frame* frame, const Fields* fields) noexcept nogil:
    """Write the fields of unknown ids as one object."""
    cdef uint32_t i
    cdef bint any = False
    for i in range(fields.count):
        if fields.field[i].key == KEY_OTHER and not is_repeated(fields, i):
            if not any:
                details_begin(d, NAMES[<int>KEY_OTHER].text, NAMES[<int>KEY_OTHER].size)
            details_byte(d, c',' if any else c'{')
            details_string(d, &fields.field[i].id, 1)
            details_byte(d, c':')
            write_values(d, frame, fields, i)
            any = True
    if any:
        details_byte(d, c'}')
        details_end(d)


cdef int64_t degrees_of(const uint8_t* text, uint32_t size, bint is_longitude) noexcept nogil:
    """DDDWMM.mmm or DDNMM.mmm in millionths of a degree, west and south negative; TIME_NONE when it is none."""
    cdef uint32_t at = 0, digits
    cdef int64_t degrees = 0, minutes = 0, unit
    cdef bint negative
    while at < size and is_digit(text[at]) and at < 4:
        degrees = degrees * 10 + text[at] - 0x30
        at += 1
    if at == 0 or at == size:
        return TIME_NONE
    negative = text[at] == (0x57 if is_longitude else 0x53)
    if not negative and text[at] != (0x45 if is_longitude else 0x4E):
        return TIME_NONE
    at += 1
    digits = at
    while at < size and is_digit(text[at]) and at - digits < 3:
        minutes = minutes * 10 + text[at] - 0x30
        at += 1
    if at == digits or minutes >= 60:
        return TIME_NONE
    minutes *= 1000000
    if at < size and text[at] == 0x2E:
        at += 1
        unit = 100000
        while at < size and is_digit(text[at]):
            minutes += (text[at] - 0x30) * unit
            unit //= 10
            at += 1
    degrees = degrees * 1000000 + (minutes + 30) // 60
    if at < size or degrees > (180000000 if is_longitude else 90000000):
        return TIME_NONE
    return -degrees if negative else degrees


cdef void write_degrees(Details* d, const Frame* frame, const Field* field) noexcept nogil:
    """Write a position as decimal degrees, too, when it is one."""
    cdef bint is_longitude = field.key == KEY_LONGITUDE
    cdef int64_t degrees = degrees_of(frame.start + field.text.at, field.text.size, is_longitude), unit = 100000000
    cdef bint shown = False
    if degrees == TIME_NONE:
        return
    if is_longitude:
        details_begin(d, <const char*>b"longitude_degrees", 17)
    else:
        details_begin(d, <const char*>b"latitude_degrees", 16)
    if degrees < 0:
        details_byte(d, c'-')
        degrees = -degrees
    while unit:
        shown = shown or degrees // unit != 0 or unit == 1000000
        if shown:
            details_byte(d, <uint8_t>(c'0' + degrees // unit % 10))
        if unit == 1000000:
            details_byte(d, c'.')
        unit //= 10
    details_end(d)


cdef void write_extended(Details* d, const Frame* frame) noexcept nogil:
    """Add the fields of a frame in clear to its details."""
    cdef Fields fields
    cdef const Field* field
    cdef uint32_t i
    if frame.extended.size == 0:
        return
    find_fields(frame, &fields)
    d.cut = d.cut or fields.more
    for i in range(fields.count):
        field = &fields.field[i]
        if field.key == KEY_NONE or field.key == KEY_OTHER or is_repeated(&fields, i):
            continue
        details_begin(d, NAMES[field.key].text, NAMES[field.key].size)
        write_values(d, frame, &fields, i)
        details_end(d)
        if field.key == KEY_LONGITUDE or field.key == KEY_LATITUDE:
            write_degrees(d, frame, field)
    write_other(d, frame, &fields)

"""What a frame says beside its signals, as JSON: texts, and JSON that a transmitter sent."""
from libc.stdint cimport uint8_t, uint32_t

from codec.text cimport HEX, is_digit
from codec.json_text cimport json_control

cdef enum:
    DEPTH_MAX = 16               # of arrays and objects in each other
    NUMBER_BYTES_MAX = 32
    EXPONENT_DIGITS_MAX = 2      # beyond, a database or a reader would refuse the number


cdef struct Json:                # one text that may be JSON
    const uint8_t* text
    uint32_t size
    uint32_t at


cdef void details_string(Details* d, const uint8_t* text, uint32_t size) noexcept nogil:
    """Write a text as a JSON string: UTF-8 as it is, anything else as Windows-1252, U+FFFD for NUL."""
    cdef uint8_t out[6]
    cdef bint utf8 = is_utf8(text, size)
    cdef uint32_t at = 0, step
    d.cleaned = d.cleaned or not utf8
    details_byte(d, c'"')
    while at < size and not d.full:
        if 0 < text[at] < 0x20 or text[at] == c'"' or text[at] == c'\\':
            details_put(d, out, <uint32_t>(json_control(out, text[at]) - out))
            at += 1
        else:
            d.cleaned = d.cleaned or text[at] == 0
            at += clean_character(text + at, size - at, utf8, out, &step)
            details_put(d, out, step)
    details_byte(d, c'"')


# ---- JSON ------------------------------------------------------------------------------------------------------

cdef inline void pass_blanks(Json* json) noexcept nogil:
    while json.at < json.size and (json.text[json.at] == 0x20 or json.text[json.at] == 0x09
                                   or json.text[json.at] == 0x0A or json.text[json.at] == 0x0D):
        json.at += 1


cdef inline bint pass_byte(Json* json, uint8_t byte) noexcept nogil:
    if json.at < json.size and json.text[json.at] == byte:
        json.at += 1
        return True
    return False


cdef inline uint32_t pass_digits(Json* json) noexcept nogil:
    cdef uint32_t begin = json.at
    while json.at < json.size and is_digit(json.text[json.at]):
        json.at += 1
    return json.at - begin


cdef int hex_value(const Json* json) noexcept nogil:
    """The four hex digits at `at`, or -1."""
    cdef int value = 0, i
    if json.size - json.at < 4:
        return -1
    for i in range(4):
        if HEX[json.text[json.at + i]] == 0:
            return -1
        value = value << 4 | (HEX[json.text[json.at + i]] - 1)
    return value


cdef bint pass_escape(Json* json) noexcept nogil:
    """Pass what follows a backslash. Lone surrogates and U+0000 are no text that a database takes."""
    cdef int value
    cdef uint8_t c
    if json.at == json.size:
        return False
    c = json.text[json.at]
    json.at += 1
    if c != c'u':
        return c == c'"' or c == c'\\' or c == c'/' or c == c'b' or c == c'f' or c == c'n' or c == c'r' or c == c't'
    value = hex_value(json)
    if value <= 0 or 0xDC00 <= value <= 0xDFFF:
        return False
    json.at += 4
    if 0xD800 <= value <= 0xDBFF:
        if not pass_byte(json, c'\\') or not pass_byte(json, c'u'):
            return False
        value = hex_value(json)
        if value < 0xDC00 or value > 0xDFFF:
            return False
        json.at += 4
    return True


cdef bint pass_string(Json* json) noexcept nogil:
    cdef uint8_t c
    if not pass_byte(json, c'"'):
        return False
    while json.at < json.size:
        c = json.text[json.at]
        json.at += 1
        if c == c'"':
            return True
        if c < 0x20 or (c == c'\\' and not pass_escape(json)):
            return False
    return False


cdef bint pass_number(Json* json) noexcept nogil:
    cdef uint32_t begin = json.at
    cdef bint zero
    pass_byte(json, c'-')
    zero = json.at < json.size and json.text[json.at] == c'0'
    if pass_digits(json) != 1 if zero else pass_digits(json) == 0:
        return False
    if pass_byte(json, c'.') and pass_digits(json) == 0:
        return False
    if pass_byte(json, c'e') or pass_byte(json, c'E'):
        if not pass_byte(json, c'-'):
            pass_byte(json, c'+')
        if not 1 <= pass_digits(json) <= EXPONENT_DIGITS_MAX:
            return False
    return json.at - begin <= NUMBER_BYTES_MAX


cdef bint pass_word(Json* json) noexcept nogil:
    """Pass true, false or null."""
    cdef uint8_t first = json.text[json.at]
    cdef const char* word = b"true" if first == c't' else b"false" if first == c'f' else b"null"
    cdef uint32_t i = 0
    while word[i]:
        if not pass_byte(json, <uint8_t>word[i]):
            return False
        i += 1
    return True


cdef bint pass_value(Json* json) noexcept nogil:
    """Pass one value that is neither array nor object."""
    if json.at == json.size:
        return False
    if json.text[json.at] == c'"':
        return pass_string(json)
    if json.text[json.at] == c'-' or is_digit(json.text[json.at]):
        return pass_number(json)
    return pass_word(json)


cdef inline bint pass_name(Json* json) noexcept nogil:
    """Pass the name of a member and its colon."""
    pass_blanks(json)
    if not pass_string(json):
        return False
    pass_blanks(json)
    return pass_byte(json, c':')


cdef bint is_json(const uint8_t* text, uint32_t size) noexcept nogil:
    """Whether the text is one array or object (RFC 8259), at most DEPTH_MAX deep, that PostgreSQL's jsonb takes.

    Cost  one pass
    """
    cdef Json json = Json(text, size, 0)
    cdef uint8_t closing[DEPTH_MAX]
    cdef uint32_t depth = 0
    cdef bint begin = True               # a value is due; else a comma or an end
    cdef uint8_t c
    if not is_utf8(text, size):
        return False
    while True:
        pass_blanks(&json)
        if json.at == size:
            return False
        c = text[json.at]
        if begin and (c == c'{' or c == c'['):
            if depth == DEPTH_MAX:
                return False
            json.at += 1
            closing[depth] = c + 2       # the closing mark stands two behind the opening one in ASCII
            depth += 1
            pass_blanks(&json)
            if json.at < size and text[json.at] == closing[depth - 1]:
                begin = False
            elif closing[depth - 1] == c'}' and not pass_name(&json):
                return False
            continue
        if begin:
            if depth == 0 or not pass_value(&json):
                return False
            begin = False
            continue
        if c == closing[depth - 1]:
            json.at += 1
            depth -= 1
            if depth == 0:
                pass_blanks(&json)
                return json.at == size
        elif pass_byte(&json, c','):
            begin = True
            if closing[depth - 1] == c'}' and not pass_name(&json):
                return False
        else:
            return False


cdef bint details_json(Details* d, const uint8_t* text, uint32_t size) noexcept nogil:
    """Write a text that is a JSON array or object as it is, its line breaks as blanks. Return False when it is none."""
    cdef uint32_t at
    if not is_json(text, size):
        return False
    for at in range(size):
        details_byte(d, text[at] if text[at] >= 0x20 else 0x20)
    return True

"""Writes events: the CloudEvent and its Server-Sent Events block, byte by byte, without a Python object."""
from libc.stdint cimport uint16_t
from libc.string cimport memcpy

from codec.batch cimport TIME_NONE, Text
from codec.json_text cimport json_digits, json_escaped, json_literal, json_number, json_string, json_time
from codec.words import CLASS_TEXT, CONDITION_TEXT, PROTOCOL_TEXT, STATE_TEXT
from engine.siphash cimport HashKey, siphash
from engine.words import EVENT_TEXT, VERIFICATION_TEXT

cdef enum:
    WORD_BYTES_MAX = 32

cdef struct Word:                # a constant text of ours: lower case and underscores, nothing to escape
    uint8_t size
    uint8_t text[WORD_BYTES_MAX]

# Constants after import. Every slot holds a word, so that no number can point beyond.
cdef Word[256] protocols
cdef Word[256] classes
cdef Word[256] conditions
cdef Word[256] states
cdef Word[256] types
cdef Word[256] verifications


cdef int fill(Word* words, dict texts) except -1:
    for number in range(256):
        text = texts.get(number, "unknown").encode()
        assert len(text) <= WORD_BYTES_MAX
        words[number].size = len(text)
        memcpy(words[number].text, <const char*>text, len(text))
    return 0


assert max(CONDITION_TEXT) < 256
fill(protocols, PROTOCOL_TEXT)
fill(classes, CLASS_TEXT)
fill(conditions, CONDITION_TEXT)
fill(states, STATE_TEXT)
fill(types, EVENT_TEXT)
fill(verifications, VERIFICATION_TEXT)


cdef inline uint8_t* word(uint8_t* out, const Word* word) noexcept nogil:
    memcpy(out, word.text, word.size)
    return out + word.size


cdef inline uint8_t* text(uint8_t* out, const Columns* c, Text span) noexcept nogil:
    return json_string(out, c.arena + span.at, event_text(span.size))


cdef inline uint8_t* details(uint8_t* out, const Columns* c, Text span) noexcept nogil:
    """The row's JSON object as it is, or null."""
    cdef uint32_t size = event_details(span.size)
    if size == 0:
        return json_literal(out, b"null")
    memcpy(out, c.arena + span.at, size)
    return out + size


cdef inline uint8_t* key(uint8_t* out, const Columns* c, uint32_t row) noexcept nogil:
    """The transmitter's key, protocol:account or protocol:account@realm, as the inside of a string."""
    cdef Text account = c.account[row], realm = c.realm[row]
    out = word(out, &protocols[c.protocol[row]])
    out[0] = c':'
    out = json_escaped(out + 1, c.arena + account.at, event_text(account.size))
    if realm.size:
        out[0] = c'@'
        out = json_escaped(out + 1, c.arena + realm.at, event_text(realm.size))
    return out


cdef inline uint8_t* identity(uint8_t* out, uint64_t number) noexcept nogil:
    """A number in quotes, or null for 0: outside, numbers are opaque strings."""
    if number == 0:
        return json_literal(out, b"null")
    out[0] = c'"'
    out = json_number(out + 1, number)
    out[0] = c'"'
    return out + 1


cdef inline uint64_t mixed(uint64_t hash, const void* data, size_t size) noexcept nogil:
    cdef HashKey key
    key.first = hash
    key.second = size
    return siphash(&key, <const uint8_t*>data, size)


cdef uint8_t* volatile_id(uint8_t* out, const Columns* c, uint32_t row) noexcept nogil:
    """An id for a row without number: 16 hex digits over all that tells it from others, its time of receipt too.

    With the time, because panels that never change their sequence send the same bytes for the next alarm; a frame that
    is sent again is then shown again, which is the safe side.
    """
    cdef uint64_t hash = mixed(0, &c.received_ns[row], sizeof(int64_t))
    cdef uint8_t[4] kind = [c.protocol[row], c.signal_class[row], c.state[row], 0]
    cdef Text[5] texts = [c.account[row], c.realm[row], c.point[row], c.native[row], c.identity[row]]
    cdef int i, digit
    hash = mixed(hash, kind, sizeof(kind))
    hash = mixed(hash, &c.condition[row], sizeof(uint16_t))
    hash = mixed(hash, &c.sequence[row], sizeof(uint32_t))
    for i in range(5):
        hash = mixed(hash, c.arena + texts[i].at, texts[i].size)
    out = json_literal(out, b"volatile-")
    for i in range(16):
        digit = <int>(hash >> (60 - 4 * i)) & 15
        out[i] = <uint8_t>(c'0' + digit if digit < 10 else c'a' + digit - 10)
    return out + 16


cdef uint8_t* envelope(uint8_t* out, const Columns* c, uint32_t row, const Step* step, const uint8_t* source,
                       uint32_t source_size) noexcept nogil:
    """The attributes of the CloudEvent, up to where `data` begins. `source` is JSON, with its quotes."""
    out = json_literal(out, b'{"specversion":"1.0","id":"')
    out = json_number(out, step.number) if step.number else volatile_id(out, c, row)
    out = json_literal(out, b'","source":')
    memcpy(out, source, source_size)
    out = json_literal(out + source_size, b',"type":"io.tocsin.alarm.')
    out = word(out, &types[step.type])
    out = json_literal(out, b'","subject":"')
    out = key(out, c, row)
    out = json_literal(out, b'","time":')
    out = json_time(out, c.received_ns[row])
    out = json_literal(out, b',"datacontenttype":"application/json"')
    if step.number:
        out = json_literal(out, b',"sequence":"')
        out = json_digits(out, step.number, 20)
        out = json_literal(out, b'"')
    return json_literal(out, b',"data":')


cdef uint8_t* data(uint8_t* out, const Columns* c, uint32_t row, const Step* step) noexcept nogil:
    """What happened where. Facility and area stay null until there is a registry."""
    cdef uint16_t condition = c.condition[row]
    out = json_literal(out, b'{"alarm_id":')
    out = identity(out, step.alarm)
    out = json_literal(out, b',"signal_id":')
    out = identity(out, step.signal)
    out = json_literal(out, b',"protocol":"')
    out = word(out, &protocols[c.protocol[row]])
    out = json_literal(out, b'","account":')
    out = text(out, c, c.account[row])
    out = json_literal(out, b',"realm":')
    out = text(out, c, c.realm[row])
    out = json_literal(out, b',"facility":null,"area":null,"class":"')
    out = word(out, &classes[step.signal_class])
    out = json_literal(out, b'","signal_class":"')
    out = word(out, &classes[c.signal_class[row]])
    out = json_literal(out, b'","condition":"')
    out = word(out, &conditions[condition if condition < 256 else 255])
    out = json_literal(out, b'","state":"')
    out = word(out, &states[c.state[row]])
    out = json_literal(out, b'","point":')
    out = text(out, c, c.point[row])
    out = json_literal(out, b',"verification":"')
    out = word(out, &verifications[step.verification])
    out = json_literal(out, b'","priority":')
    out = json_number(out, step.priority)
    out = json_literal(out, b',"revision":')
    out = json_number(out, step.revision)
    out = json_literal(out, b',"count":')
    out = json_number(out, step.count)
    out = json_literal(out, b',"occurred_at":')
    out = json_literal(out, b"null") if c.occurred_ns[row] == TIME_NONE else json_time(out, c.occurred_ns[row])
    out = json_literal(out, b',"received_at":')
    out = json_time(out, c.received_ns[row])
    out = json_literal(out, b',"first_received_at":')
    out = json_time(out, step.opened_ns)
    out = json_literal(out, b',"durable":true,"native":' if step.number else b',"durable":false,"native":')
    out = text(out, c, c.native[row])
    out = json_literal(out, b',"details":')
    out = details(out, c, c.details[row])
    return json_literal(out, b"}}")


cdef void event_push(Outcome outcome, const Columns* c, uint32_t row, const Step* step, const uint8_t* source,
                     uint32_t source_size) noexcept nogil:
    """Add one event to `outcome`, columns and text.

    outcome  filled; the caller has made room: one event, and event_bytes_max of arena
    source   borrowed; a JSON string with its quotes
    Cost     one pass over the texts of the row
    """
    cdef uint32_t i = outcome.events_count
    cdef uint8_t* start = outcome.arena + outcome.arena_used
    cdef uint8_t* out = start
    cdef uint8_t* json
    outcome.events.number[i] = step.number
    outcome.events.alarm[i] = step.alarm
    outcome.events.signal[i] = step.signal
    outcome.events.opened_ns[i] = step.opened_ns
    outcome.events.received_ns[i] = c.received_ns[row]
    outcome.events.row[i] = row
    outcome.events.count[i] = step.count
    outcome.events.revision[i] = step.revision
    outcome.events.condition[i] = c.condition[row]
    outcome.events.type[i] = step.type
    outcome.events.signal_class[i] = step.signal_class
    outcome.events.state[i] = c.state[row]
    outcome.events.verification[i] = step.verification
    outcome.events.priority[i] = step.priority
    if step.number:
        out = json_literal(out, b"id: ")
        out = json_number(out, step.number)
        out = json_literal(out, b"\n")
    out = json_literal(out, b"data: ")
    json = out
    out = envelope(out, c, row, step, source, source_size)
    out = data(out, c, row, step)
    outcome.events.json[i].at = outcome.arena_used + <uint32_t>(json - start)
    outcome.events.json[i].size = <uint32_t>(out - json)
    out = json_literal(out, b"\n\n")
    outcome.events.block[i].at = outcome.arena_used
    outcome.events.block[i].size = <uint32_t>(out - start)
    outcome.arena_used += <uint32_t>(out - start)
    outcome.events_count = i + 1

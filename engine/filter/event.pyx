"""Writes events: the CloudEvent and its Server-Sent Events block, byte by byte, without a Python object."""
from libc.stdint cimport uint16_t
from libc.string cimport memcpy, memset

from codec.batch cimport TIME_NONE, Text
from codec.json_text cimport json_digits, json_escaped, json_literal, json_number, json_string, json_time
from codec.words import CLASS_TEXT, CONDITION_TEXT, PROTOCOL_TEXT, STATE_TEXT
from engine.filter.outcome cimport NO_ROW, Events, outcome_room
from engine.siphash cimport HashKey, siphash
from engine.words import EVENT_TEXT, REASON_TEXT, VERIFICATION_TEXT

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
cdef Word[256] reasons


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
fill(reasons, REASON_TEXT)


cdef inline uint8_t* word(uint8_t* out, const Word* word) noexcept nogil:
    memcpy(out, word.text, word.size)
    return out + word.size


cdef inline uint8_t* text(uint8_t* out, Part part) noexcept nogil:
    return json_string(out, part.at, event_text(part.size))


cdef inline uint8_t* text_or_null(uint8_t* out, Part part) noexcept nogil:
    return text(out, part) if part.size else json_literal(out, b"null")


cdef inline uint8_t* details(uint8_t* out, Part part) noexcept nogil:
    """The row's JSON object as it is, or null."""
    cdef uint32_t size = event_details(part.size)
    if size == 0:
        return json_literal(out, b"null")
    memcpy(out, part.at, size)
    return out + size


cdef inline uint8_t* key(uint8_t* out, const Said* said) noexcept nogil:
    """The transmitter's key, protocol:account or protocol:account@realm, as the inside of a string."""
    out = word(out, &protocols[said.protocol])
    out[0] = c':'
    out = json_escaped(out + 1, said.account.at, event_text(said.account.size))
    if said.realm.size:
        out[0] = c'@'
        out = json_escaped(out + 1, said.realm.at, event_text(said.realm.size))
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


cdef uint64_t volatile_hash(const Columns* c, uint32_t row) noexcept nogil:
    """A hash for a row without number, over all that tells it from others, its time of receipt too.

    With the time, because panels that never change their sequence send the same bytes for the next alarm; a frame that
    is sent again is then shown again, which is the safe side.
    """
    cdef uint64_t hash = mixed(0, &c.received_ns[row], sizeof(int64_t))
    cdef uint8_t[4] kind = [c.protocol[row], c.signal_class[row], c.state[row], 0]
    cdef Text[5] texts = [c.account[row], c.realm[row], c.point[row], c.native[row], c.identity[row]]
    cdef int i
    hash = mixed(hash, kind, sizeof(kind))
    hash = mixed(hash, &c.condition[row], sizeof(uint16_t))
    hash = mixed(hash, &c.sequence[row], sizeof(uint32_t))
    for i in range(5):
        hash = mixed(hash, c.arena + texts[i].at, texts[i].size)
    return hash


cdef uint8_t* volatile_id(uint8_t* out, uint64_t hash) noexcept nogil:
    """An id for an event without number: 16 hex digits."""
    cdef int i, digit
    out = json_literal(out, b"volatile-")
    for i in range(16):
        digit = <int>(hash >> (60 - 4 * i)) & 15
        out[i] = <uint8_t>(c'0' + digit if digit < 10 else c'a' + digit - 10)
    return out + 16


cdef inline Part part_of(const Columns* c, Text span) noexcept nogil:
    cdef Part part
    part.at = c.arena + span.at
    part.size = span.size
    return part


cdef void said_of(Said* said, const Columns* c, uint32_t row) noexcept nogil:
    """What a row says."""
    memset(said, 0, sizeof(Said))
    said.row = row
    said.protocol = c.protocol[row]
    said.signal_class = c.signal_class[row]
    said.state = c.state[row]
    said.condition = c.condition[row]
    said.occurred_ns = c.occurred_ns[row]
    said.received_ns = c.received_ns[row]
    said.account = part_of(c, c.account[row])
    said.realm = part_of(c, c.realm[row])
    said.point = part_of(c, c.point[row])
    said.native = part_of(c, c.native[row])
    said.details = part_of(c, c.details[row])


cdef uint8_t* event_envelope(uint8_t* out, const Said* said, const Step* step, const char* kind, const uint8_t* source,
                             uint32_t source_size) noexcept nogil:
    """The attributes of the CloudEvent, up to where `data` begins.

    kind    of what the event is a step: alarm, network
    source  JSON, with its quotes
    """
    out = json_literal(out, b'{"specversion":"1.0","id":"')
    out = json_number(out, step.number) if step.number else volatile_id(out, said.hash)
    out = json_literal(out, b'","source":')
    memcpy(out, source, source_size)
    out = json_literal(out + source_size, b',"type":"io.tocsin.')
    out = json_literal(out, kind)
    out[0] = c'.'
    out = word(out + 1, &types[step.type])
    if said.account.size or said.row != NO_ROW:
        out = json_literal(out, b'","subject":"')
        out = key(out, said)
    out = json_literal(out, b'","time":')
    out = json_time(out, said.received_ns)
    out = json_literal(out, b',"datacontenttype":"application/json"')
    if step.number:
        out = json_literal(out, b',"sequence":"')
        out = json_digits(out, step.number, 20)
        out = json_literal(out, b'"')
    return json_literal(out, b',"data":')


cdef inline uint8_t* quoted(uint8_t* out, const void* at, uint32_t size, Text* span,
                            const uint8_t* arena) noexcept nogil:
    """A text of ours in quotes, in which nothing need be escaped, or null; say where it lies in the arena."""
    span.size = size
    span.at = <uint32_t>(out + 1 - arena)
    if size == 0:
        return json_literal(out, b"null")
    out[0] = c'"'
    memcpy(out + 1, at, size)
    out[size + 1] = c'"'
    return out + size + 2


cdef uint8_t* data(uint8_t* out, const Said* said, const Step* step, Events* e, uint32_t i,
                   const uint8_t* arena) noexcept nogil:
    """What happened where."""
    cdef uint16_t condition = said.condition
    cdef const Facility* facility = step.facility
    cdef bint named = facility != NULL and facility.name_size != 0
    out = json_literal(out, b'{"alarm_id":')
    out = identity(out, step.alarm)
    out = json_literal(out, b',"signal_id":')
    out = identity(out, step.signal)
    out = json_literal(out, b',"protocol":"')
    out = word(out, &protocols[said.protocol])
    out = json_literal(out, b'","account":')
    out = text(out, said.account)
    out = json_literal(out, b',"realm":')
    out = text(out, said.realm)
    out = json_literal(out, b',"facility":')
    out = quoted(out, facility.id, facility.id_size, &e.facility[i], arena) if facility != NULL \
        else quoted(out, NULL, 0, &e.facility[i], arena)
    out = json_literal(out, b',"facility_name":')
    out = json_string(out, facility.name, facility.name_size) if named else json_literal(out, b"null")
    out = json_literal(out, b',"area":')
    out = quoted(out, facility.area, facility.area_size, &e.area[i], arena) if facility != NULL \
        else quoted(out, NULL, 0, &e.area[i], arena)
    out = json_literal(out, b',"class":"')
    out = word(out, &classes[step.signal_class])
    out = json_literal(out, b'","signal_class":"')
    out = word(out, &classes[said.signal_class])
    out = json_literal(out, b'","condition":"')
    out = word(out, &conditions[condition if condition < 256 else 255])
    out = json_literal(out, b'","state":"')
    out = word(out, &states[said.state])
    out = json_literal(out, b'","point":')
    out = text(out, said.point)
    out = json_literal(out, b',"verification":"')
    out = word(out, &verifications[step.verification])
    out = json_literal(out, b'","reason":"')
    out = word(out, &reasons[step.reason])
    out = json_literal(out, b'","rule":')
    out = quoted(out, step.rule.at, step.rule.size, &e.rule[i], arena)
    out = json_literal(out, b',"rule_version":')
    out = json_number(out, step.rule_version)
    out = json_literal(out, b',"priority":')
    out = json_number(out, step.priority)
    out = json_literal(out, b',"detectors":')
    out = json_number(out, step.detectors)
    out = json_literal(out, b',"accepted":true,"revision":' if step.accepted else b',"accepted":false,"revision":')
    out = json_number(out, step.revision)
    out = json_literal(out, b',"count":')
    out = json_number(out, step.count)
    out = json_literal(out, b',"occurred_at":')
    out = json_literal(out, b"null") if said.occurred_ns == TIME_NONE else json_time(out, said.occurred_ns)
    out = json_literal(out, b',"received_at":')
    out = json_time(out, said.received_ns)
    out = json_literal(out, b',"first_received_at":')
    out = json_time(out, step.opened_ns)
    out = json_literal(out, b',"durable":true,"native":' if step.number else b',"durable":false,"native":')
    out = text(out, said.native)
    out = json_literal(out, b',"details":')
    out = details(out, said.details)
    out = json_literal(out, b',"by":')
    out = text_or_null(out, said.by)
    out = json_literal(out, b',"why":')
    out = text_or_null(out, said.why)
    return json_literal(out, b"}}")


cdef inline uint8_t* kept(uint8_t* out, Part part, Text* span, const uint8_t* arena) noexcept nogil:
    """Put a text behind the event, as it is, for who stores it."""
    span.at = <uint32_t>(out - arena)
    span.size = event_text(part.size)
    memcpy(out, part.at, span.size)
    return out + span.size


cdef void fill_columns(Events* e, uint32_t i, const Said* said, const Step* step) noexcept nogil:
    e.number[i] = step.number
    e.alarm[i] = step.alarm
    e.signal[i] = step.signal
    e.opened_ns[i] = step.opened_ns
    e.received_ns[i] = said.received_ns
    e.row[i] = said.row
    e.count[i] = step.count
    e.revision[i] = step.revision
    e.rule_version[i] = step.rule_version
    e.detectors[i] = step.detectors
    e.condition[i] = said.condition
    e.type[i] = step.type
    e.signal_class[i] = step.signal_class
    e.state[i] = said.state
    e.verification[i] = step.verification
    e.priority[i] = step.priority
    e.reason[i] = step.reason
    e.accepted[i] = step.accepted
    e.protocol[i] = said.protocol
    e.confirms[i] = said.confirms


cdef uint8_t* block(uint8_t* out, const Said* said, const Step* step, const uint8_t* source, uint32_t source_size,
                    Events* e, uint32_t i, const uint8_t* arena) noexcept nogil:
    """The event as subscribers get it; say where it and its parts lie in the arena."""
    cdef uint8_t* start = out
    cdef uint8_t* json
    if step.number:
        out = json_literal(out, b"id: ")
        out = json_number(out, step.number)
        out = json_literal(out, b"\n")
    out = json_literal(out, b"data: ")
    json = out
    out = event_envelope(out, said, step, b"alarm", source, source_size)
    out = data(out, said, step, e, i, arena)
    e.json[i].at = <uint32_t>(json - arena)
    e.json[i].size = <uint32_t>(out - json)
    out = json_literal(out, b"\n\n")
    e.block[i].at = <uint32_t>(start - arena)
    e.block[i].size = <uint32_t>(out - start)
    return out


cdef uint8_t* parts_alone(uint8_t* out, const Step* step, Events* e, uint32_t i, const uint8_t* arena) noexcept nogil:
    """The texts of its own that an event has without its block."""
    cdef Part id, area
    memset(&id, 0, sizeof(id))
    memset(&area, 0, sizeof(area))
    if step.facility != NULL:
        id.at, id.size = step.facility.id, step.facility.id_size
        area.at, area.size = step.facility.area, step.facility.area_size
    e.json[i].at = e.block[i].at = <uint32_t>(out - arena)
    e.json[i].size = e.block[i].size = 0
    out = kept(out, id, &e.facility[i], arena)
    out = kept(out, area, &e.area[i], arena)
    return kept(out, step.rule, &e.rule[i], arena)


cdef bint event_push(Outcome outcome, const Said* said, const Step* step, const uint8_t* source,
                     uint32_t source_size, bint silent) noexcept nogil:
    """Add one event to `outcome`, columns and text; False when there is no memory for it.

    source   borrowed; a JSON string with its quotes
    silent   leave out what subscribers get
    Cost     one pass over the texts of the row
    """
    cdef uint32_t i = outcome.events_count
    cdef Events* e
    cdef Part name
    cdef uint8_t* start
    cdef uint8_t* out
    if not outcome_room(outcome, 1, event_bytes_max(said, source_size)):
        return False
    e = &outcome.events
    start = out = outcome.arena + outcome.arena_used
    fill_columns(e, i, said, step)
    if silent:
        out = parts_alone(out, step, e, i, outcome.arena)
    else:
        out = block(out, said, step, source, source_size, e, i, outcome.arena)
    memset(&name, 0, sizeof(name))
    if step.facility != NULL:
        name.at = step.facility.name
        name.size = step.facility.name_size
    out = kept(out, name, &e.facility_name[i], outcome.arena)
    if said.row == NO_ROW:
        out = kept(out, said.account, &e.account[i], outcome.arena)
        out = kept(out, said.realm, &e.realm[i], outcome.arena)
        out = kept(out, said.point, &e.point[i], outcome.arena)
    else:
        e.account[i].size = e.realm[i].size = e.point[i].size = 0
        e.account[i].at = e.realm[i].at = e.point[i].at = 0
    outcome.arena_used += <uint32_t>(out - start)
    outcome.events_count = i + 1
    return True

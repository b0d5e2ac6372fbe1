"""The choice of one subscriber, made over the columns of an outcome: no Python object for an event.

An area is no column. It is read in the event's JSON, where the key `"area":` can only be a key: inside a text the
quotes would be escaped.
"""
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memchr, memcmp, memcpy

from codec.batch cimport Text
from codec.words cimport CLASS_COUNT
from engine.filter.outcome cimport Events, Outcome
from engine.histogram cimport Histogram, histogram_add
from engine.words cimport (VERIFICATION_CANARY, VERIFICATION_CONFIRMED, VERIFICATION_FALSE, VERIFICATION_LATE,
                           VERIFICATION_NONE, VERIFICATION_TEST, VERIFICATION_UNCONFIRMED)

from codec.words import CLASS_TEXT
from engine.words import VERIFICATION_TEXT

CLASS_BITS = {text: 1 << number for number, text in CLASS_TEXT.items() if number}
VERIFICATION_BITS = {text: 1 << number for number, text in VERIFICATION_TEXT.items()
                     if number and number != VERIFICATION_CANARY}
CLASS_ALL = (1 << CLASS_COUNT) - 1
VERIFICATION_DEFAULT = (1 << VERIFICATION_NONE | 1 << VERIFICATION_UNCONFIRMED | 1 << VERIFICATION_CONFIRMED
                        | 1 << VERIFICATION_LATE | 1 << VERIFICATION_FALSE)
VERIFICATION_OWN = 1 << VERIFICATION_CANARY

cdef enum:
    KEY_BYTES = 7                    # "area":

cdef const char* KEY = b'"area":'


cdef inline bint begins(const uint8_t* json, uint32_t size, uint32_t at, const uint8_t* area,
                        uint32_t area_size) noexcept nogil:
    """Tell whether an area stands at a place in a text, up to a slash or the text's end."""
    if at + area_size >= size or memcmp(json + at, area, area_size) != 0:
        return False
    return json[at + area_size] == c'"' or json[at + area_size] == c'/'


cdef bint area_matches(const uint8_t* json, uint32_t size, const uint8_t* area, uint32_t area_size) noexcept nogil:
    """Tell whether an event lies in an area: the whole of its own, its beginning, or one part (`40/17257/vinh`).

    One whose own area is absent, null or empty lies in every area: whoever it belongs to must not miss it.
    """
    cdef uint32_t at = 0, last
    if size < KEY_BYTES:
        return True
    last = size - KEY_BYTES
    while at <= last and not (json[at] == c'"' and memcmp(json + at, KEY, KEY_BYTES) == 0):
        at += 1
    if at > last:
        return True
    at += KEY_BYTES
    while at < size and json[at] == c' ':
        at += 1
    if at >= size or json[at] != c'"' or (at + 1 < size and json[at + 1] == c'"'):
        return True
    at += 1
    if begins(json, size, at, area, area_size):
        return True
    while True:
        while at < size and json[at] != c'"' and json[at] != c'/':
            at += 1
        if at >= size or json[at] == c'"':
            return False
        at += 1
        if begins(json, size, at, area, area_size) and memchr(area, c'/', area_size) == NULL:
            return True


cdef class Selection:
    cdef uint32_t class_mask
    cdef uint32_t verification_mask
    cdef bytes area

    def __init__(self, uint32_t class_mask=CLASS_ALL, uint32_t verification_mask=VERIFICATION_DEFAULT,
                 bytes area=b""):
        self.class_mask = class_mask
        self.verification_mask = verification_mask
        self.area = area

    cdef bint wants(self, Outcome outcome, uint32_t i) noexcept:
        cdef Events* e = &outcome.events
        cdef Text json
        if not (self.class_mask >> e.signal_class[i] & 1 and self.verification_mask >> e.verification[i] & 1):
            return False
        if PyBytes_GET_SIZE(self.area) == 0:
            return True
        json = e.json[i]
        return area_matches(outcome.arena + json.at, json.size, <const uint8_t*>PyBytes_AS_STRING(self.area),
                            PyBytes_GET_SIZE(self.area))

    def select(self, Outcome outcome not None, uint64_t after_number, uint32_t size_max=65536):
        cdef Events* e = &outcome.events
        cdef uint32_t first = first_after(e, outcome.events_count, after_number), i, stop, count = 0
        cdef size_t size = 0
        cdef uint64_t last = after_number
        cdef Text block
        stop = first
        while stop < outcome.events_count:
            if self.wants(outcome, stop):
                if count and size + e.block[stop].size > size_max:
                    break
                size += e.block[stop].size
                count += 1
            last = e.number[stop]
            stop += 1
        cdef bytes out = PyBytes_FromStringAndSize(NULL, size)
        cdef char* at = PyBytes_AS_STRING(out)
        for i in range(first, stop):
            if self.wants(outcome, i):
                block = e.block[i]
                memcpy(at, outcome.arena + block.at, block.size)
                at += block.size
        return out, last, count

    def record(self, Outcome outcome not None, uint64_t after_number, uint64_t last_number,
               Histogram histogram not None, int64_t now_ns):
        cdef Events* e = &outcome.events
        cdef uint32_t i = first_after(e, outcome.events_count, after_number)
        while i < outcome.events_count and e.number[i] <= last_number:
            if self.wants(outcome, i):
                histogram_add(&histogram.data, now_ns - e.received_ns[i], 1)
            i += 1


cdef uint32_t first_after(const Events* e, uint32_t count, uint64_t number) noexcept nogil:
    """Return the index of the first event numbered above `number`, or `count`; numbers rise."""
    cdef uint32_t low = 0, high = count, middle
    while low < high:
        middle = (low + high) // 2
        if e.number[middle] > number:
            high = middle
        else:
            low = middle + 1
    return low

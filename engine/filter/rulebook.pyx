"""Rulebooks compiled into what the filter matches against; `Rulebook` itself is read in `rule_file.py`."""
from libc.stdint cimport uint64_t
from libc.string cimport memcpy, memset

from codec.words import CLASS_TEXT, CONDITION_TEXT
from engine.filter.rule_file import (
    AREAS_MAX, CLASSES, FIRST_RULE, RULES_MAX, SECONDS, Rulebook, clash, default_rulebook, default_text,
)
from engine.words import KIND_TEXT, WAY_TEXT

assert (RULES_MAX, AREAS_MAX, FIRST_RULE) == (BOOK_RULES_MAX, RULE_AREAS_MAX, FIRST_BOOK_RULE)
assert max(CONDITION_TEXT) < 256 and max(KIND_TEXT) < NO_KIND and max(WAY_TEXT) < 8
assert SECONDS == ("another_detector", "another_zone", "repetition")


cdef uint64_t bits(words, dict texts) except? 0:
    """Return a bit for each word; all bits where no word is."""
    cdef uint64_t found = 0
    if not words:
        return ~<uint64_t>0
    for number, text in texts.items():
        if text in words:
            found |= <uint64_t>1 << <int>number
    return found


cdef int rule_compile(BookRule* rule, object written) except -1:
    cdef bytes name = written.name.encode(), code
    cdef dict ways = WAY_TEXT
    cdef int i
    assert 1 <= len(name) <= RULE_NAME_BYTES_MAX
    rule.classes = <uint16_t>bits(written.classes or CLASSES, CLASS_TEXT)
    memset(rule.conditions, 0 if written.conditions else 0xFF, sizeof(rule.conditions))
    for number, text in CONDITION_TEXT.items():
        if text in written.conditions:
            rule.conditions[<int>number >> 3] |= <uint8_t>(1 << (<int>number & 7))
    rule.kinds = <uint32_t>bits(written.kinds, KIND_TEXT)
    rule.ways = <uint8_t>bits(written.ways, ways)
    rule.areas_count = <uint8_t>len(written.areas)
    for i, area in enumerate(written.areas):
        code = area.encode()
        assert 1 <= len(code) <= RULE_AREA_BYTES_MAX
        rule.area_sizes[i] = <uint8_t>len(code)
        memcpy(rule.areas[i], <const char*>code, len(code))
    rule.way = <uint8_t>next(number for number, text in ways.items()
                             if text == ("rules" if written.verified == "as_facility" else written.verified))
    rule.seconds = <uint8_t>sum(1 << place for place, word in enumerate(SECONDS) if word in written.seconds)
    rule.priority = written.priority
    rule.within_ns = written.within_ns
    rule.name_size = <uint8_t>len(name)
    memcpy(rule.name, <const char*>name, len(name))
    return 0


cdef int book_compile(Book* book, object rulebook) except -1:
    """Fill `book`, every byte of it; equal rulebooks give equal bytes."""
    cdef int i
    assert 1 <= len(rulebook.rules) <= BOOK_RULES_MAX
    memset(book, 0, sizeof(Book))
    book.version = rulebook.version
    book.count = <uint32_t>len(rulebook.rules)
    for i, written in enumerate(rulebook.rules):
        rule_compile(&book.rules[i], written)
    book.chatter_times = rulebook.chatter.times
    book.chatter_within_ns = rulebook.chatter.within_ns
    book.chatter_priority = rulebook.chatter.priority
    book.cancel_within_ns = rulebook.cancel.within_ns
    book.accept_within_ns = rulebook.accept_within_ns
    book.security = rulebook.security
    book.medical = rulebook.medical
    book.loss_members = rulebook.mass_loss.members
    book.loss_share = rulebook.mass_loss.share
    book.restored_share = rulebook.mass_loss.restored_share
    book.loss_within_ns = rulebook.mass_loss.within_ns
    book.loss_settle_ns = rulebook.mass_loss.settle_ns
    return 0


cdef class CompiledBook:
    def __cinit__(self, rulebook):
        book_compile(&self.book, rulebook)

    def match(self, int signal_class, int condition, kind, int way, str province="", str commune="", str team=""):
        cdef bytes first = province.encode(), second = commune.encode(), third = team.encode()
        cdef int index = book_match(
            &self.book, <uint8_t>signal_class, <uint16_t>condition, NO_KIND if kind is None else <uint8_t>kind,
            <uint8_t>way, first, <uint32_t>len(first), second, <uint32_t>len(second), third, <uint32_t>len(third))
        return None if index < 0 else index

    def compiled(self):
        return <bytes>(<char*>&self.book)[:sizeof(Book)]

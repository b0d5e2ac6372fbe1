"""Fills the tables of `copy_words.pxd`."""
from cpython.bytes cimport PyBytes_AS_STRING
from libc.string cimport memcpy

from codec.words import CLASS_TEXT, CONDITION_TEXT, PROTOCOL_TEXT, STATE_TEXT
from engine.words import EVENT_TEXT, REASON_TEXT, VERDICT_TEXT, VERIFICATION_TEXT


cdef int fill_words(Word* words, dict texts) except -1:
    """Lay the texts of a *_TEXT table out by number."""
    cdef bytes text
    for number, name in texts.items():
        text = name.encode()
        assert 0 <= number < WORDS_MAX
        assert 0 < len(text) <= WORD_BYTES_MAX
        words[<int>number].size = <uint8_t>len(text)
        memcpy(words[<int>number].text, PyBytes_AS_STRING(text), len(text))
    return 0


fill_words(PROTOCOLS, PROTOCOL_TEXT)
fill_words(CLASSES, CLASS_TEXT)
fill_words(CONDITIONS, CONDITION_TEXT)
fill_words(STATES, STATE_TEXT)
fill_words(VERDICTS, VERDICT_TEXT)
fill_words(REASONS, REASON_TEXT)
fill_words(VERIFICATIONS, VERIFICATION_TEXT)
fill_words(EVENT_TYPES, EVENT_TEXT)

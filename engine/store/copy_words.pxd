# The texts of the *_TEXT tables by number, as fields of a COPY.

from libc.stdint cimport uint8_t, uint32_t

from engine.store.copy cimport put_bytes, put_null

cdef enum:
    WORDS_MAX = 256
    WORD_BYTES_MAX = 47

cdef struct Word:                    # size 0 = no such number
    uint8_t size
    char    text[WORD_BYTES_MAX]

cdef Word[WORDS_MAX] PROTOCOLS       # constants after import, as all of these
cdef Word[WORDS_MAX] CLASSES
cdef Word[WORDS_MAX] CONDITIONS
cdef Word[WORDS_MAX] STATES
cdef Word[WORDS_MAX] VERDICTS
cdef Word[WORDS_MAX] REASONS
cdef Word[WORDS_MAX] VERIFICATIONS
cdef Word[WORDS_MAX] EVENT_TYPES

cdef inline uint8_t* put_word(uint8_t* at, const Word* words, uint32_t number) noexcept nogil:
    """The text of a number, or NULL where it has none."""
    if number >= WORDS_MAX or words[number].size == 0:
        return put_null(at)
    return put_bytes(at, <const uint8_t*>words[number].text, words[number].size)

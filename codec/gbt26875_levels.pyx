"""What the bits of status words and operation flags mean, and how a word becomes signals; the rule is in the .pxd.

The table is codes/gbt26875.tsv. A bit that stands in no line is class info, condition unknown.
"""
from libc.stdint cimport uint8_t, uint16_t, uint32_t

from codec.batch cimport Batch, Columns, Row, batch_has_room, batch_push, batch_row
from codec.codes.lookup cimport Meaning
from codec.codes.lookup import read_table
from codec.words cimport (CLASS_INFO, CONDITION_INFO, CONDITION_UNKNOWN,
                          FLAG_UNKNOWN_CODE, ROW_LEVEL, ROW_SIGNAL, STATE_CLEARED, STATE_INFO, STATE_RAISED)

cdef enum:
    SYSTEM = 0                   # first index of WORDS
    COMPONENT = 1
    TRANSMITTER = 2

cdef Meaning WORDS[3][256][16]       # kind of word, subject, bit
cdef Meaning OPERATIONS[2][8]        # of a system (data type 4), of the transmitter (24)


cdef inline uint32_t kind_of(uint32_t level) noexcept nogil:
    return SYSTEM if level >> 24 == 1 else COMPONENT if level >> 24 == 2 else TRANSMITTER


cdef Meaning level_meaning(uint32_t level, uint32_t bit) noexcept nogil:
    """What bit 1..15 of a word means, with the state that the word gives it: raised or cleared."""
    cdef Meaning meaning = WORDS[kind_of(level)][level >> 16 & 0xFF][bit]
    meaning.state = STATE_RAISED if level >> bit & 1 else STATE_CLEARED
    return meaning


cdef Meaning level_gist(uint32_t level) noexcept nogil:
    """The meaning of the first bit that is set, fire and gas before any other; info and cleared for a quiet word."""
    cdef uint32_t bit
    cdef Meaning meaning
    for bit in range(1, 16):
        if level >> bit & 1:
            return level_meaning(level, bit)
    meaning.signal_class = CLASS_INFO
    meaning.condition = CONDITION_INFO
    meaning.state = STATE_CLEARED
    meaning.known = True
    return meaning


cdef Meaning operation_meaning(uint32_t data_type, uint32_t bit) noexcept nogil:
    """What flag 0..7 of an operation record means; data_type 4 or 24."""
    return OPERATIONS[data_type == 24][bit]


cdef int level_expand(Columns* c, uint32_t index, uint32_t before) noexcept nogil:
    """Make signals of the level row at `index`: the first changed bit takes its place, the others go to the end.

    before   the last word of the same component; a level or a bare word, 0 when none is known
    Returns  how many signals; 0: nothing changed, the row is as it was; -1: no room, likewise
    """
    cdef Row row = batch_row(c, index)
    cdef uint32_t changes = level_changes(row.level, before), bit, count = 0, end
    cdef uint16_t flags = row.flags
    cdef Meaning meaning
    for bit in range(1, 16):
        count += changes >> bit & 1
    if count == 0:
        return 0
    if not batch_has_room(c, count - 1, 0):
        return -1
    end = c.count
    c.count = index
    row.kind = ROW_SIGNAL
    for bit in range(1, 16):
        if changes >> bit & 1:
            meaning = level_meaning(row.level, bit)
            row.signal_class = meaning.signal_class
            row.condition = meaning.condition
            row.state = meaning.state
            row.flags = flags | (0 if meaning.known else FLAG_UNKNOWN_CODE)
            batch_push(c, &row)
            if c.count == index + 1:
                c.count = end
    return <int>count


def expand_levels(Batch batch not None):
    """Make signals of every level row as if the last words had been quiet; for people and tests."""
    cdef uint32_t index = 0, count = batch.columns.count
    quiet = []
    for index in range(count):
        if batch.columns.kind[index] == ROW_LEVEL:
            made = level_expand(&batch.columns, index, 0)
            if made < 0:
                raise ValueError("no room for the signals of a status word")
            if made == 0:
                quiet.append(index)
    return quiet


def expand_level(Batch batch not None, uint32_t index, uint32_t before):
    if index >= batch.columns.count or batch.columns.kind[index] != ROW_LEVEL:
        raise IndexError(index)
    return level_expand(&batch.columns, index, before)


def read_meanings():
    """Return codes/gbt26875.tsv as {(data type, subject, bit): (class, condition, state)}; subject 0..255."""
    meanings = {}
    for code, meaning in read_table("gbt26875.tsv").items():
        data_type, subjects, bit = code.split(":")
        first, _, last = subjects.partition("-")
        span = range(256) if subjects == "*" else range(int(first), int(last or first) + 1)
        meanings.update({(int(data_type), subject, int(bit)): meaning for subject in span})
    return meanings


cdef int fill() except -1:
    cdef uint32_t kind, subject, bit
    cdef Meaning unknown = Meaning(CONDITION_UNKNOWN, CLASS_INFO, STATE_INFO, False)
    for bit in range(16):
        for kind in range(3):
            for subject in range(256):
                WORDS[kind][subject][bit] = unknown
        for kind in range(2):
            OPERATIONS[kind][bit & 7] = unknown
    for (data_type, subject, bit), (signal_class, condition, state) in read_meanings().items():
        if data_type in (4, 24):
            OPERATIONS[data_type == 24][bit] = Meaning(condition, signal_class, state, True)
        else:
            WORDS[kind_of(data_type << 24)][subject][bit] = Meaning(condition, signal_class, state, True)
    return 0


fill()

"""The lookup of SIA and Contact ID codes.

A code that stands in no table has the class of its family and the condition unknown: SIA codes beginning with F, K or S
and Contact ID 11x are fire, SIA codes beginning with G are gas, all of them raised, because a fire that we cannot name
must leave all the same; everything else is info.
"""
from pathlib import Path

from libc.stdint cimport uint8_t, uint16_t, uint32_t

from codec.words cimport (CLASS_FIRE, CLASS_GAS, CLASS_INFO, CONDITION_CLOSING, CONDITION_OPENING, CONDITION_UNKNOWN,
                          STATE_CLEARED, STATE_INFO, STATE_RAISED)
from codec.words import CLASS_TEXT, CONDITION_TEXT, STATE_TEXT

cdef Meaning SIA[26 * 26]            # first letter, second letter
cdef Meaning CONTACT_ID[4096]        # three hex digits


cdef Meaning unknown(bint fire, bint gas) noexcept nogil:
    cdef Meaning meaning
    meaning.condition = CONDITION_UNKNOWN
    meaning.signal_class = CLASS_FIRE if fire else CLASS_GAS if gas else CLASS_INFO
    meaning.state = STATE_RAISED if fire or gas else STATE_INFO
    meaning.known = False
    return meaning


cdef bint is_sia_code(uint8_t first, uint8_t second) noexcept nogil:
    """Whether two upper-case letters stand in the table."""
    return SIA[(first - 0x41) * 26 + second - 0x41].known


cdef Meaning sia_meaning(uint8_t first, uint8_t second) noexcept nogil:
    """The meaning of two upper-case letters."""
    return SIA[(first - 0x41) * 26 + second - 0x41]


cdef Meaning contact_id_meaning(uint8_t qualifier, uint32_t code) noexcept nogil:
    """The meaning of a code, three hex digits as a number below 4096, under a qualifier.

    Restore clears what can be raised, and turns opening into closing (in 4xx it says armed). Status means what new
    means. Any other qualifier is taken for new, but not as known.
    """
    cdef Meaning meaning = CONTACT_ID[code]
    if qualifier == QUALIFIER_RESTORE:
        if meaning.state == STATE_RAISED:
            meaning.state = STATE_CLEARED
        elif meaning.condition == CONDITION_OPENING:
            meaning.condition = CONDITION_CLOSING
    elif qualifier != QUALIFIER_NEW and qualifier != QUALIFIER_STATUS:
        meaning.known = False
    return meaning


def read_table(name: str) -> dict[str, tuple[int, int, int]]:
    words = [{text: number for number, text in texts.items()} for texts in (CLASS_TEXT, CONDITION_TEXT, STATE_TEXT)]
    table = {}
    lines = Path(__file__).with_name(name).read_text(encoding="utf-8").splitlines()
    for line in [line for line in lines if not line.startswith("#")][1:]:
        code, *meaning = line.split("\t")
        if code in table or len(meaning) != 3:
            raise ValueError(f"{name}: {line!r}")
        table[code] = tuple(word[text] for word, text in zip(words, meaning, strict=True))
    return table


cdef int fill() except -1:
    cdef int index
    for index in range(26 * 26):
        SIA[index] = unknown(chr(0x41 + index // 26) in "FKS", index // 26 == 6)
    for index in range(4096):
        CONTACT_ID[index] = unknown(index >> 4 == 0x11, False)
    for code, (signal_class, condition, state) in read_table("sia.tsv").items():
        index = (ord(code[0]) - 0x41) * 26 + ord(code[1]) - 0x41
        SIA[index] = Meaning(condition, signal_class, state, True)
    for code, (signal_class, condition, state) in read_table("contact_id.tsv").items():
        CONTACT_ID[int(code, 16)] = Meaning(condition, signal_class, state, True)
    return 0


fill()

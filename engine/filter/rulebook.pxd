# The rules that people write, as the filter matches signals against them; rule_file.py reads them from text.
#
#   book_compile  a Rulebook -> one flat struct, nothing in it points outside
#   book_match    a signal and its building -> the first rule that fits
#
# What a rule leaves out fits everything: its bits are all set, so that matching asks five bits and the areas.

from libc.stdint cimport int8_t, int64_t, uint8_t, uint16_t, uint32_t
from libc.string cimport memcmp

from codec.words cimport CONDITION_COUNT
from engine.words cimport KIND_COUNT

cdef enum:
    BOOK_RULES_MAX = 64
    RULE_NAME_BYTES_MAX = 31
    RULE_AREAS_MAX = 8
    RULE_AREA_BYTES_MAX = 31
    FIRST_BOOK_RULE = 100        # verdict rule number of the first rule of the book
    NO_KIND = 31                 # kind of a building that the registry does not name; a bit that only "any" has

    SECOND_DETECTOR = 1          # bits of `seconds`: what confirms by coincidence
    SECOND_ZONE = 2
    SECOND_REPETITION = 4        # the same detector again, restored in between

cdef struct BookRule:
    uint16_t classes             # bit per SignalClass: fire, gas, prealarm at most
    uint8_t  conditions[32]      # bit per Condition
    uint32_t kinds               # bit per FacilityKind, and NO_KIND
    uint8_t  ways                # bit per Way of the building; one that nobody registered has WAY_RULES
    uint8_t  areas_count         # 0: any
    uint8_t  area_sizes[RULE_AREAS_MAX]
    char     areas[RULE_AREAS_MAX][RULE_AREA_BYTES_MAX]  # codes of provinces, communes or teams
    uint8_t  way                 # Way that verifies: AT_ONCE, NONE, COINCIDENCE, HUMAN; RULES: as the registry
                                 # says, and coincidence where it says nothing
    uint8_t  seconds             # SECOND_ bits; 0 where no coincidence can be
    int8_t   priority            # added to the priority number; below 0 is more urgent
    int64_t  within_ns           # of the coincidence, from the first sign
    uint8_t  name_size
    char     name[RULE_NAME_BYTES_MAX]   # a-z 0-9 _ -

cdef struct Book:
    uint32_t version
    uint32_t count               # 1 or more; the last rule fits every fire, gas and prealarm
    BookRule rules[BOOK_RULES_MAX]
    uint32_t chatter_times       # raised so often within the time: chatter from then on
    int64_t  chatter_within_ns
    int8_t   chatter_priority
    int64_t  cancel_within_ns
    int64_t  accept_within_ns    # 0: nobody has to accept
    bint     security            # whether such signals make alarms
    bint     medical
    uint32_t loss_members        # mass loss: so many of a network or area, and so great a share of it, within the time
    double   loss_share
    double   restored_share      # over when the share that is lost falls below
    int64_t  loss_within_ns
    int64_t  loss_settle_ns

cdef inline bint rule_has_area(const BookRule* rule, const uint8_t* code, uint32_t size) noexcept nogil:
    cdef uint8_t i
    for i in range(rule.areas_count):
        if rule.area_sizes[i] == size and memcmp(rule.areas[i], code, size) == 0:
            return True
    return False

cdef inline int book_match(const Book* book, uint8_t signal_class, uint16_t condition, uint8_t kind, uint8_t way,
                           const uint8_t* province, uint32_t province_size, const uint8_t* commune,
                           uint32_t commune_size, const uint8_t* team, uint32_t team_size) noexcept nogil:
    """Return the index of the first rule that fits, -1 when none does: never for fire, gas and prealarm.

    kind, way  of the building; NO_KIND and WAY_RULES where the registry names none. A condition or kind of a later
               version counts as the unknown one and as other.
    """
    cdef uint16_t known = condition if condition < CONDITION_COUNT else 0
    cdef uint8_t type = kind if kind < KIND_COUNT or kind == NO_KIND else 0
    cdef const BookRule* rule
    cdef uint32_t i
    if signal_class > 15:
        return -1
    for i in range(book.count):
        rule = &book.rules[i]
        if not (rule.classes >> signal_class & 1 and rule.conditions[known >> 3] >> (known & 7) & 1
                and rule.kinds >> type & 1 and rule.ways >> (way & 7) & 1):
            continue
        if rule.areas_count == 0 or rule_has_area(rule, province, province_size) \
                or rule_has_area(rule, commune, commune_size) or rule_has_area(rule, team, team_size):
            return <int>i
    return -1

cdef int book_compile(Book* book, object rulebook) except -1

cdef class CompiledBook:
    cdef Book book

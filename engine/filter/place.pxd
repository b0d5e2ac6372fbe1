# A place: what signals are grouped by. A facility where the registry names one for the transmitter, else the
# transmitter.

from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset

from codec.batch cimport Columns, Text
from engine.filter.short_text cimport copy_text, same_text
from engine.siphash cimport HashKey, siphash

cdef enum:
    PLACE_BYTES_MAX = 60         # account and realm together; a longer place is forwarded but not kept
    PLACE_HEAD_BYTES = 4

cdef enum Lane:                  # the alarms of one place, apart
    LANE_REAL = 0
    LANE_TEST = 1                # what is raised in test mode

cdef struct Place:               # 64 bytes
    uint8_t protocol             # 0: a facility
    uint8_t account_size
    uint8_t realm_size
    uint8_t lane                 # Lane; 0 in the name of a transmitter
    uint8_t text[PLACE_BYTES_MAX]    # account, then realm; or the facility's id


cdef inline bint place_of(Place* place, const Columns* c, uint32_t row) noexcept nogil:
    """The transmitter that a row speaks of; False when its texts are too long to be kept."""
    cdef Text account = c.account[row], realm = c.realm[row]
    if <uint64_t>account.size + realm.size > PLACE_BYTES_MAX:
        return False
    memset(place, 0, sizeof(Place))
    place.protocol = c.protocol[row]
    place.account_size = <uint8_t>account.size
    place.realm_size = <uint8_t>realm.size
    copy_text(place.text, c.arena + account.at, account.size)
    copy_text(place.text + account.size, c.arena + realm.at, realm.size)
    return True

cdef inline bint same_place(const Place* one, const Place* other) noexcept nogil:
    """Compare no more than is used: the rest of a record may lie in a line that nobody asked for."""
    return same_text(<const uint8_t*>one, <const uint8_t*>other,
                     PLACE_HEAD_BYTES + other.account_size + other.realm_size)

cdef inline bint place_is(const Place* place, const Columns* c, uint32_t row) noexcept nogil:
    """Whether a place is the one that place_of makes of a row, without making it."""
    cdef Text account = c.account[row], realm = c.realm[row]
    return place.account_size == account.size and place.realm_size == realm.size \
        and place.protocol == c.protocol[row] and place.lane == LANE_REAL \
        and same_text(place.text, c.arena + account.at, account.size) \
        and same_text(place.text + account.size, c.arena + realm.at, realm.size)

cdef inline void place_of_facility(Place* place, const uint8_t* id, uint32_t size, Lane lane) noexcept nogil:
    memset(place, 0, sizeof(Place))
    place.account_size = <uint8_t>size
    place.lane = lane
    memcpy(place.text, id, size)

cdef inline uint64_t place_hash(const HashKey* key, const Place* place) noexcept nogil:
    return siphash(key, <const uint8_t*>place, PLACE_HEAD_BYTES + place.account_size + place.realm_size)

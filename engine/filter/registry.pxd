# What the filter knows of buildings and transmitters: tables of flat records, all made of journal rows. A number
# (slot) means the same one for as long as the journal lives.
#   facility     a building that the registry names: where it is, what it is for, how its fires are verified
#   transmitter  who sent a signal, or whom the registry names; its facility, and what its points did lately
#   point        a detector that the registry names, or that is in test mode
#
# A full reading of the registry gives what it names a new generation; what still has an older one at its end is gone:
# it keeps its slot and loses what the registry said of it.
# Memory: 256 bytes a facility, 128 a transmitter and 32 for its network, 160 a point, 8 a path, and 13 to 26 for the
# index of each but the paths. It is reserved for all and used by those that exist.

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcmp, memcpy, memset

from codec.batch cimport Columns, Text
from codec.limits cimport POINT_BYTES_MAX
from engine.filter.fields cimport Fields, field_next, field_number, fields_of
from engine.filter.place cimport Place, place_hash, same_place
from engine.index cimport INDEX_NONE, Index, Probe, index_first, index_next
from engine.siphash cimport HashKey

cdef enum:
    NO_FACILITY = 0xFFFFFFFF
    NO_TRANSMITTER = 0xFFFFFFFF
    NO_POINT = 0xFFFFFFFF
    FACILITY_ID_BYTES_MAX = 36
    FACILITY_NAME_BYTES_MAX = 96
    AREA_CODE_BYTES_MAX = 15         # of a province, of a commune
    TEAM_BYTES_MAX = 31
    AREA_BYTES_MAX = 63              # province/commune/team
    ZONE_BYTES_MAX = 31
    NETWORK_BYTES_MAX = 31
    FLAPS = 2                        # points of a transmitter whose comings are remembered
    IDENTITY_BYTES = 36              # of a registry: a UUID as text

cdef struct Facility:                # 256 bytes
    uint32_t generation              # of the reading that named it last; 0: the registry does not name it
    uint8_t  kind                    # FacilityKind
    uint8_t  way                     # Way
    uint8_t  id_size
    uint8_t  name_size
    uint8_t  province_size
    uint8_t  commune_size
    uint8_t  team_size
    uint8_t  area_size
    uint32_t zero
    int64_t  test_until_ns           # in test mode until then; 0: not
    uint8_t  id[FACILITY_ID_BYTES_MAX]
    uint8_t  area[AREA_BYTES_MAX + 1]        # province/commune/team, as events say it
    uint8_t  name[FACILITY_NAME_BYTES_MAX]
    uint8_t  spare[36]

cdef struct Flap:                    # how often one point came lately
    uint32_t point                   # hash of class and point; 0: free
    uint32_t zone                    # hash of its zone
    uint32_t since_s                 # when its first coming of the window was received, s since 1970
    uint16_t times
    uint8_t  signal_class
    uint8_t  zero

cdef struct Transmitter:             # 128 bytes, two lines; a state asks for the first, unless the name is long
    int64_t  test_until_ns
    uint32_t facility                # NO_FACILITY: none
    uint32_t points_tested           # of its points are in test mode, or were
    Place    name
    uint32_t former                  # where it was before: what is open there, its restores still find
    uint32_t generation              # as of a facility
    uint32_t path                    # the newest of its paths, or 0xFFFFFFFF; the others by Registry.next_path
    Flap     flaps[FLAPS]
    uint8_t  spare[4]

cdef struct Network:                 # 32 bytes: whose network a transmitter's first path uses, as the registry says
    uint8_t  size
    uint8_t  text[NETWORK_BYTES_MAX]

cdef struct Point:                   # 160 bytes
    uint32_t transmitter
    uint32_t generation
    int64_t  test_until_ns
    uint16_t condition               # what it detects; 0: as its signals say
    uint8_t  point_size
    uint8_t  zone_size
    uint32_t zero
    uint8_t  point[POINT_BYTES_MAX]
    uint8_t  zone[ZONE_BYTES_MAX + 1]
    uint8_t  spare[40]

cdef struct Registry:
    Facility*    facilities          # owned, as all of these
    Transmitter* transmitters
    Network*     networks            # by transmitter
    Point*       points
    uint32_t*    path_owner          # by path: its transmitter + 1; 0: not known
    uint32_t*    next_path           # by path: the next one of the same transmitter, or 0xFFFFFFFF
    Index        by_facility
    Index        by_name
    Index        by_point
    HashKey      key                 # changes from start to start; nothing that shows depends on it
    uint32_t     facilities_max
    uint32_t     transmitters_max
    uint32_t     points_max
    uint32_t     paths_max
    uint32_t     paths_used          # one more than the highest path that is anybody's
    uint32_t     facilities_used
    uint32_t     transmitters_used
    uint32_t     points_used
    uint32_t     generation          # of the last full reading that ended
    uint32_t     reading             # of the one that goes on; 0: none does
    uint32_t     named               # facilities, transmitters and points that the registry names
    uint32_t     unread              # of these, those that the reading that goes on has not named yet
    uint32_t     misplaced           # True: a facility has moved since the registry was known last
    uint64_t     refused             # rows that could not be read, and those beyond the room
    char         identity[IDENTITY_BYTES + 1]    # of the registry that was read last, and up to where
    int64_t      revision

cdef inline uint32_t transmitter_find(const Registry* r, const Place* name, uint64_t hash) noexcept nogil:
    cdef Probe probe = index_first(&r.by_name, hash)
    cdef uint32_t slot
    while True:
        slot = index_next(&r.by_name, &probe)
        if slot == INDEX_NONE:
            return NO_TRANSMITTER
        if same_place(&r.transmitters[slot].name, name):
            return slot

cdef inline uint64_t name_hash(const Registry* r, const Place* name) noexcept nogil:
    return place_hash(&r.key, name)

cdef inline uint32_t text_hash(const uint8_t* text, uint32_t size, uint32_t seed) noexcept nogil:
    """Hash a point or zone the same way at every start, as verdicts hang on it; never 0. FNV-1a."""
    cdef uint32_t hash = (<uint32_t>2166136261U ^ seed) * <uint32_t>16777619, i
    for i in range(size):
        hash = (hash ^ text[i]) * 16777619
    return hash if hash else 1

cdef int registry_create(Registry* r, uint32_t transmitters_max, uint32_t paths_max, bytes hash_key) except -1
cdef void registry_destroy(Registry* r) noexcept
cdef uint32_t transmitter_add(Registry* r, const Place* name, uint64_t hash) noexcept nogil
cdef uint32_t facility_meet(Registry* r, const uint8_t* id, uint32_t size) noexcept nogil
cdef uint32_t facility_find(const Registry* r, const uint8_t* id, uint32_t size) noexcept nogil
cdef uint32_t point_find(const Registry* r, uint32_t transmitter, const uint8_t* point, uint32_t size) noexcept nogil
cdef uint32_t point_add(Registry* r, uint32_t transmitter, const uint8_t* point, uint32_t size) noexcept nogil
cdef void facility_change(Registry* r, const Columns* c, uint32_t row) noexcept nogil
cdef uint32_t transmitter_change(Registry* r, const Columns* c, uint32_t row, uint64_t hash) noexcept nogil
cdef void point_change(Registry* r, const Columns* c, uint32_t row, uint64_t hash) noexcept nogil
cdef void reading_begins(Registry* r) noexcept nogil
cdef void reading_ends(Registry* r, const Columns* c, uint32_t row) noexcept nogil
cdef void path_joins(Registry* r, uint32_t path, uint32_t transmitter) noexcept nogil
cdef void registry_index(Registry* r) noexcept nogil
cdef int registry_check(const Registry* r) except -1

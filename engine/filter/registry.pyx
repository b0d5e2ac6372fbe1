"""The filter's tables of facilities, transmitters and points. The picture stands in `registry.pxd`.

Rejected: JSON in the rows of the registry (a million rows are read at each first start; tabs cost a tenth), and a list
of a transmitter's points (a panel has hundreds; one index over all answers in one look).
"""
from cpython.bytes cimport PyBytes_AS_STRING
from libc.stdint cimport UINT32_MAX

from codec.batch cimport NO_PATH
from engine.index cimport index_create, index_destroy, index_put
from engine.memory cimport memory_release, memory_reserve, memory_reserve_wide
from engine.filter.place cimport place_of
from engine.filter.registry_named cimport registry_count, set_named
from engine.filter.registry_sound cimport is_code, name_kept
from engine.siphash cimport siphash
from engine.words cimport KIND_COUNT, WAY_COUNT

from codec.words import CONDITION_TEXT
from engine.words import KIND_TEXT, WAY_TEXT

cdef enum:
    FACILITIES_MAX = 1 << 20
    WORD_BYTES_MAX = 31

cdef struct Word:
    uint8_t size
    uint8_t text[WORD_BYTES_MAX]

cdef Word[KIND_COUNT] kinds
cdef Word[WAY_COUNT] ways
cdef Word[256] conditions


cdef int fill(Word* words, dict texts) except -1:
    for number, text in texts.items():
        raw = text.encode()
        assert len(raw) <= WORD_BYTES_MAX
        words[<int>number].size = len(raw)
        memcpy(words[<int>number].text, PyBytes_AS_STRING(raw), len(raw))
    return 0


fill(kinds, KIND_TEXT)
fill(ways, WAY_TEXT)
fill(conditions, CONDITION_TEXT)

assert sizeof(Facility) == 256
assert sizeof(Transmitter) == 128
assert sizeof(Network) == 32
assert sizeof(Point) == 160


cdef int word_number(const Word* words, int count, const uint8_t* text, uint32_t size) noexcept nogil:
    """Return the number of a word; -1 when it is none."""
    cdef int i
    for i in range(count):
        if words[i].size == size and size and memcmp(words[i].text, text, size) == 0:
            return i
    return -1


cdef int registry_create(Registry* r, uint32_t transmitters_max, uint32_t paths_max, bytes hash_key) except -1:
    """Make empty tables; `hash_key` has 16 bytes. Raises MemoryError and then holds nothing."""
    memset(r, 0, sizeof(Registry))
    memcpy(&r.key, PyBytes_AS_STRING(hash_key), sizeof(HashKey))
    r.transmitters_max = transmitters_max
    r.facilities_max = max(transmitters_max, 1024)
    r.points_max = max(4 * transmitters_max, 4096)
    r.paths_max = paths_max
    try:
        r.facilities = <Facility*>memory_reserve_wide(<size_t>r.facilities_max * sizeof(Facility))
        r.transmitters = <Transmitter*>memory_reserve_wide(<size_t>r.transmitters_max * sizeof(Transmitter))
        r.networks = <Network*>memory_reserve(<size_t>r.transmitters_max * sizeof(Network))
        r.points = <Point*>memory_reserve(<size_t>r.points_max * sizeof(Point))
        r.path_owner = <uint32_t*>memory_reserve_wide(<size_t>paths_max * 4)
        r.next_path = <uint32_t*>memory_reserve(<size_t>paths_max * 4)
        index_create(&r.by_facility, r.facilities_max, True)
        index_create(&r.by_name, r.transmitters_max, True)
        index_create(&r.by_point, r.points_max)
    except MemoryError:
        registry_destroy(r)
        raise
    return 0


cdef void registry_destroy(Registry* r) noexcept:
    memory_release(r.facilities, <size_t>r.facilities_max * sizeof(Facility))
    memory_release(r.transmitters, <size_t>r.transmitters_max * sizeof(Transmitter))
    memory_release(r.networks, <size_t>r.transmitters_max * sizeof(Network))
    memory_release(r.points, <size_t>r.points_max * sizeof(Point))
    memory_release(r.path_owner, <size_t>r.paths_max * 4)
    memory_release(r.next_path, <size_t>r.paths_max * 4)
    index_destroy(&r.by_facility)
    index_destroy(&r.by_name)
    index_destroy(&r.by_point)
    memset(r, 0, sizeof(Registry))


cdef uint32_t transmitter_add(Registry* r, const Place* name, uint64_t hash) noexcept nogil:
    """Give a transmitter that the caller knows to be absent a slot; NO_TRANSMITTER when there is no room."""
    cdef uint32_t slot = r.transmitters_used
    cdef Transmitter* made
    if slot == r.transmitters_max:
        return NO_TRANSMITTER
    r.transmitters_used += 1
    made = &r.transmitters[slot]
    memset(made, 0, sizeof(Transmitter))
    memset(&r.networks[slot], 0, sizeof(Network))
    made.name = name[0]
    made.facility = made.former = NO_FACILITY
    made.path = UINT32_MAX
    index_put(&r.by_name, hash, slot)
    return slot


cdef inline uint64_t facility_hash(const Registry* r, const uint8_t* id, uint32_t size) noexcept nogil:
    return siphash(&r.key, id, size)


cdef uint32_t facility_find(const Registry* r, const uint8_t* id, uint32_t size) noexcept nogil:
    cdef Probe probe = index_first(&r.by_facility, facility_hash(r, id, size))
    cdef uint32_t slot
    while True:
        slot = index_next(&r.by_facility, &probe)
        if slot == INDEX_NONE:
            return NO_FACILITY
        if r.facilities[slot].id_size == size and memcmp(r.facilities[slot].id, id, size) == 0:
            return slot


cdef uint32_t facility_meet(Registry* r, const uint8_t* id, uint32_t size) noexcept nogil:
    """Find a facility or give it a slot; NO_FACILITY when its id is none, or there is no room."""
    cdef uint32_t slot
    if not is_code(id, size, FACILITY_ID_BYTES_MAX) or size == 0:
        return NO_FACILITY
    slot = facility_find(r, id, size)
    if slot == NO_FACILITY and r.facilities_used < r.facilities_max:
        slot = r.facilities_used
        r.facilities_used += 1
        memset(&r.facilities[slot], 0, sizeof(Facility))
        memcpy(r.facilities[slot].id, id, size)
        r.facilities[slot].id_size = <uint8_t>size
        index_put(&r.by_facility, facility_hash(r, id, size), slot)
    return slot


cdef uint64_t point_hash(const Registry* r, uint32_t transmitter, const uint8_t* point, uint32_t size) noexcept nogil:
    cdef HashKey key = r.key
    key.second ^= transmitter
    return siphash(&key, point, size)


cdef uint32_t point_find(const Registry* r, uint32_t transmitter, const uint8_t* point, uint32_t size) noexcept nogil:
    cdef Probe probe
    cdef uint32_t slot
    if r.points_used == 0 or size > POINT_BYTES_MAX:
        return NO_POINT
    probe = index_first(&r.by_point, point_hash(r, transmitter, point, size))
    while True:
        slot = index_next(&r.by_point, &probe)
        if slot == INDEX_NONE:
            return NO_POINT
        if r.points[slot].transmitter == transmitter and r.points[slot].point_size == size \
                and memcmp(r.points[slot].point, point, size) == 0:
            return slot


cdef uint32_t point_add(Registry* r, uint32_t transmitter, const uint8_t* point, uint32_t size) noexcept nogil:
    """Find a point or give it a slot; NO_POINT when there is no room."""
    cdef uint32_t slot = point_find(r, transmitter, point, size)
    if slot != NO_POINT or size > POINT_BYTES_MAX or r.points_used == r.points_max:
        return slot
    slot = r.points_used
    r.points_used += 1
    memset(&r.points[slot], 0, sizeof(Point))
    r.points[slot].transmitter = transmitter
    r.points[slot].point_size = <uint8_t>size
    memcpy(r.points[slot].point, point, size)
    index_put(&r.by_point, point_hash(r, transmitter, point, size), slot)
    return slot


cdef void facility_change(Registry* r, const Columns* c, uint32_t row) noexcept nogil:
    """Take a facility over as its row says it, or what the registry said of it away."""
    cdef Fields fields = fields_of(c, row)
    cdef const uint8_t* text[7]
    cdef uint32_t size[7]
    cdef uint32_t slot = NO_FACILITY, i, known = r.facilities_used
    cdef bint gone
    cdef Facility* facility
    cdef int kind, way
    size[0] = field_next(&fields, &text[0])
    gone = not fields.more
    for i in range(1, 7):
        size[i] = field_next(&fields, &text[i])
    kind = word_number(kinds, KIND_COUNT, text[4], size[4])
    way = word_number(ways, WAY_COUNT, text[5], size[5])
    if gone:
        slot = facility_find(r, text[0], size[0])
    elif kind >= 0 and way >= 0 and is_code(text[1], size[1], AREA_CODE_BYTES_MAX) \
            and is_code(text[2], size[2], AREA_CODE_BYTES_MAX) and is_code(text[3], size[3], TEAM_BYTES_MAX):
        slot = facility_meet(r, text[0], size[0])
    if slot == NO_FACILITY:
        r.refused += not gone
        return
    facility = &r.facilities[slot]
    if slot < known and (facility.province_size != (0 if gone else size[1])
                         or not gone and memcmp(facility.area, text[1], size[1]) != 0):
        r.misplaced = True
    facility.kind = facility.way = facility.name_size = facility.area_size = 0
    facility.province_size = facility.commune_size = facility.team_size = 0
    set_named(r, &facility.generation, gone)
    memset(facility.area, 0, sizeof(facility.area))
    memset(facility.name, 0, sizeof(facility.name))
    if gone:
        return
    facility.kind = <uint8_t>kind
    facility.way = <uint8_t>way
    facility.province_size, facility.commune_size = <uint8_t>size[1], <uint8_t>size[2]
    facility.team_size = <uint8_t>size[3]
    facility.area_size = join_area(facility.area, text, size)
    facility.name_size = name_kept(text[6], size[6])
    memcpy(facility.name, text[6], facility.name_size)


cdef uint8_t join_area(uint8_t* area, const uint8_t** text, const uint32_t* size) noexcept nogil:
    """Write province/commune/team; what is empty at the end is left out."""
    cdef uint32_t at = 0, i, last = 3
    while last and size[last] == 0:
        last -= 1
    for i in range(1, last + 1):
        if i > 1:
            area[at] = c'/'
            at += 1
        memcpy(area + at, text[i], size[i])
        at += size[i]
    return <uint8_t>at


cdef inline bint is_facility(const Registry* r, uint32_t slot, const uint8_t* id, uint32_t size) noexcept nogil:
    """Tell whether a facility, which may be none, has this id."""
    return slot != NO_FACILITY and r.facilities[slot].id_size == size and memcmp(r.facilities[slot].id, id, size) == 0


cdef uint32_t transmitter_change(Registry* r, const Columns* c, uint32_t row, uint64_t hash) noexcept nogil:
    """Take over what the registry says of a transmitter, as far as the filter asks: its facility and its network.

    hash     of its name; 0 where that is too long
    Returns  its slot where its facility or its network is another one now, else NO_TRANSMITTER
    """
    cdef Fields fields = fields_of(c, row)
    cdef const uint8_t* id
    cdef const uint8_t* network
    cdef uint32_t size = field_next(&fields, &id), slot, facility = NO_FACILITY, network_size = 0, i
    cdef bint gone = c.native[row].size == 0, moved
    cdef Place name
    cdef Transmitter* transmitter
    if not place_of(&name, c, row) or not is_code(id, size, FACILITY_ID_BYTES_MAX):
        r.refused += 1
        return NO_TRANSMITTER
    slot = transmitter_find(r, &name, hash)
    if slot == NO_TRANSMITTER and not gone:
        slot = transmitter_add(r, &name, hash)
    if slot == NO_TRANSMITTER:
        r.refused += not gone
        return NO_TRANSMITTER
    transmitter = &r.transmitters[slot]
    if size and not gone:
        facility = transmitter.facility      # nearly always
        if not is_facility(r, facility, id, size):
            facility = facility_meet(r, id, size)
        r.refused += facility == NO_FACILITY
    moved = facility != transmitter.facility
    if moved:
        transmitter.former = transmitter.facility
        transmitter.facility = facility
    set_named(r, &transmitter.generation, gone)
    for i in range(4):                       # three times, which are for SUPERVISE, then the network
        network_size = field_next(&fields, &network)
    if not is_code(network, network_size, NETWORK_BYTES_MAX):
        network_size = 0
    if network_size != r.networks[slot].size or memcmp(r.networks[slot].text, network, network_size) != 0:
        moved = True
        memset(&r.networks[slot], 0, sizeof(Network))
        r.networks[slot].size = <uint8_t>network_size
        memcpy(r.networks[slot].text, network, network_size)
    return slot if moved else NO_TRANSMITTER


cdef void point_change(Registry* r, const Columns* c, uint32_t row, uint64_t hash) noexcept nogil:
    """Take over what the registry says of a point; hash: of its transmitter's name."""
    cdef Fields fields = fields_of(c, row)
    cdef const uint8_t* text
    cdef const uint8_t* zone
    cdef uint32_t size = field_next(&fields, &text), zone_size = field_next(&fields, &zone)
    cdef bint gone = c.native[row].size == 0
    cdef int condition = word_number(conditions, 256, text, size) if size else 0
    cdef uint32_t transmitter, slot
    cdef Place name
    transmitter = transmitter_find(r, &name, hash) if place_of(&name, c, row) else NO_TRANSMITTER
    if transmitter == NO_TRANSMITTER or condition < 0 or zone_size > ZONE_BYTES_MAX:
        r.refused += not gone
        return
    if gone:
        slot = point_find(r, transmitter, c.arena + c.point[row].at, c.point[row].size)
    else:
        slot = point_add(r, transmitter, c.arena + c.point[row].at, c.point[row].size)
    if slot == NO_POINT:
        r.refused += not gone
        return
    set_named(r, &r.points[slot].generation, gone)
    r.points[slot].condition = 0 if gone else <uint16_t>condition
    r.points[slot].zone_size = 0 if gone else <uint8_t>zone_size
    memset(r.points[slot].zone, 0, sizeof(r.points[slot].zone))
    memcpy(r.points[slot].zone, zone, r.points[slot].zone_size)


cdef void reading_begins(Registry* r) noexcept nogil:
    """A full reading begins; one that went on before has failed, and its rows count as changes."""
    r.reading = max(max(r.generation, r.reading), <uint32_t>1) + 1       # 1: named before any reading
    r.unread = r.named


cdef void reading_ends(Registry* r, const Columns* c, uint32_t row) noexcept nogil:
    """The registry is known up to a revision; after a full reading what was not named is gone."""
    cdef Fields fields = fields_of(c, row)
    cdef const uint8_t* identity
    cdef uint32_t size = field_next(&fields, &identity)
    cdef int64_t revision = field_number(&fields)
    if size > IDENTITY_BYTES or revision < 0:
        r.refused += 1
        return
    if r.reading:
        if r.unread:                         # rarely: it looks at all there are
            forget_unread(r)
        r.generation = r.reading
        r.reading = 0
    memset(r.identity, 0, sizeof(r.identity))
    memcpy(r.identity, identity, size)
    r.revision = revision


cdef void forget_unread(Registry* r) noexcept nogil:
    cdef uint32_t i
    r.named -= r.unread
    r.unread = 0
    cdef Facility* facility
    cdef Transmitter* transmitter
    for i in range(r.facilities_used):
        facility = &r.facilities[i]
        if facility.generation and facility.generation != r.reading:
            r.misplaced = True
            facility.generation = 0
            facility.kind = facility.way = facility.name_size = facility.area_size = 0
            facility.province_size = facility.commune_size = facility.team_size = 0
            memset(facility.area, 0, sizeof(facility.area))
            memset(facility.name, 0, sizeof(facility.name))
    for i in range(r.transmitters_used):
        transmitter = &r.transmitters[i]
        if transmitter.generation and transmitter.generation != r.reading:
            transmitter.generation = 0
            if transmitter.facility != NO_FACILITY:
                transmitter.former = transmitter.facility
                transmitter.facility = NO_FACILITY
                r.misplaced = True
    for i in range(r.points_used):
        if r.points[i].generation and r.points[i].generation != r.reading:
            r.points[i].generation = r.points[i].condition = r.points[i].zone_size = 0
            memset(r.points[i].zone, 0, sizeof(r.points[i].zone))


cdef void path_joins(Registry* r, uint32_t path, uint32_t transmitter) noexcept nogil:
    """Note whose path a number is; the first that says so counts."""
    if path >= r.paths_max or r.path_owner[path]:
        return
    r.path_owner[path] = transmitter + 1
    r.next_path[path] = r.transmitters[transmitter].path
    r.transmitters[transmitter].path = path
    r.paths_used = max(r.paths_used, path + 1)


cdef void registry_index(Registry* r) noexcept nogil:
    """Let everything in freshly filled tables be found."""
    cdef uint32_t i
    for i in range(r.facilities_used):
        index_put(&r.by_facility, facility_hash(r, r.facilities[i].id, r.facilities[i].id_size), i)
    for i in range(r.transmitters_used):
        index_put(&r.by_name, name_hash(r, &r.transmitters[i].name), i)
    for i in range(r.points_used):
        index_put(&r.by_point, point_hash(r, r.points[i].transmitter, r.points[i].point, r.points[i].point_size), i)
    registry_count(r)


cdef int registry_check(const Registry* r) except -1:
    """Raise AssertionError unless everything is found by its name and lists end."""
    cdef uint32_t i, path, steps
    cdef Registry counted = r[0]
    registry_count(&counted)
    assert (r.named, r.unread) == (counted.named, counted.unread)
    for i in range(r.facilities_used):
        assert facility_find(r, r.facilities[i].id, r.facilities[i].id_size) == i
    for i in range(r.transmitters_used):
        assert transmitter_find(r, &r.transmitters[i].name, name_hash(r, &r.transmitters[i].name)) == i
        assert r.transmitters[i].facility == NO_FACILITY or r.transmitters[i].facility < r.facilities_used
        path, steps = r.transmitters[i].path, 0
        while path != NO_PATH:
            assert path < r.paths_used and r.path_owner[path] == i + 1
            assert steps <= r.paths_max
            path, steps = r.next_path[path], steps + 1
    for path in range(r.paths_used):
        assert r.path_owner[path] <= r.transmitters_used
    for i in range(r.points_used):
        assert point_find(r, r.points[i].transmitter, r.points[i].point, r.points[i].point_size) == i
    return 0

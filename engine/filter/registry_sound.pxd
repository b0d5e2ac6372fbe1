# What texts and numbers of the registry must be: of a row before it is taken over, and of a snapshot before it is used.

from libc.stdint cimport uint8_t, uint32_t, uint64_t

from engine.filter.place cimport PLACE_BYTES_MAX
from engine.filter.registry cimport (
    AREA_BYTES_MAX, AREA_CODE_BYTES_MAX, FACILITY_ID_BYTES_MAX, FACILITY_NAME_BYTES_MAX, NETWORK_BYTES_MAX, NO_FACILITY,
    TEAM_BYTES_MAX, ZONE_BYTES_MAX, Facility, Registry, Transmitter,
)
from codec.batch cimport NO_PATH
from codec.limits cimport POINT_BYTES_MAX
from engine.words cimport KIND_COUNT, WAY_COUNT

cdef inline bint is_code(const uint8_t* text, uint32_t size, uint32_t size_max) noexcept nogil:
    """Tell whether a text is a code, which stands in JSON as it is: letters, digits and _ . : -"""
    cdef uint32_t i
    if size > size_max:
        return False
    for i in range(size):
        if not (c'0' <= text[i] <= c'9' or c'A' <= text[i] <= c'Z' or c'a' <= text[i] <= c'z' or text[i] == c'_'
                or text[i] == c'.' or text[i] == c':' or text[i] == c'-'):
            return False
    return True

cdef inline uint8_t name_kept(const uint8_t* text, uint32_t size) noexcept nogil:
    """Bytes of a name that are kept: no letter is cut in two."""
    if size <= FACILITY_NAME_BYTES_MAX:
        return <uint8_t>size
    size = FACILITY_NAME_BYTES_MAX
    while size and text[size] & 0xC0 == 0x80:
        size -= 1
    return <uint8_t>size

cdef inline bint is_area(const uint8_t* text, uint32_t size) noexcept nogil:
    """Tell whether codes and strokes alone stand in an area, as events carry it unescaped."""
    cdef uint32_t i
    for i in range(size):
        if text[i] != c'/' and not is_code(text + i, 1, 1):
            return False
    return True

cdef inline bint registry_is_sound(const Registry* r) noexcept nogil:
    """Tell whether every size fits its text, every number names something, and every list of paths ends."""
    cdef uint32_t i, path
    cdef uint64_t steps = 0
    cdef const Facility* f
    cdef const Transmitter* t
    for i in range(r.facilities_used):
        f = &r.facilities[i]
        if f.kind >= KIND_COUNT or f.way >= WAY_COUNT or not is_code(f.id, f.id_size, FACILITY_ID_BYTES_MAX) \
                or f.area_size > AREA_BYTES_MAX or f.name_size > FACILITY_NAME_BYTES_MAX \
                or f.province_size > AREA_CODE_BYTES_MAX or f.commune_size > AREA_CODE_BYTES_MAX \
                or f.team_size > TEAM_BYTES_MAX or not is_area(f.area, f.area_size):
            return False
    for i in range(r.transmitters_used):
        t = &r.transmitters[i]
        if <uint32_t>t.name.account_size + t.name.realm_size > PLACE_BYTES_MAX \
                or r.networks[i].size > NETWORK_BYTES_MAX \
                or t.facility != NO_FACILITY and t.facility >= r.facilities_used \
                or t.former != NO_FACILITY and t.former >= r.facilities_used:
            return False
        path = t.path
        while path != NO_PATH:
            if path >= r.paths_used or r.path_owner[path] != i + 1 or steps >= r.paths_used:
                return False
            path, steps = r.next_path[path], steps + 1
    for path in range(r.paths_used):
        if r.path_owner[path] > r.transmitters_used:
            return False
    for i in range(r.points_used):
        if r.points[i].transmitter >= r.transmitters_used or r.points[i].point_size > POINT_BYTES_MAX \
                or r.points[i].zone_size > ZONE_BYTES_MAX:
            return False
    return True

"""The registry to bytes and back. What there is stands in `registry_saved.pxd`."""
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from libc.stdint cimport int64_t, uint8_t, uint32_t
from libc.string cimport memcpy, memset

from engine.filter.place cimport Place
from engine.filter.registry cimport (
    FLAPS, IDENTITY_BYTES, Facility, Flap, Network, Point, Transmitter, registry_index,
)
from engine.filter.registry_sound cimport registry_is_sound

cdef enum:
    REGISTRY_VERSION = 1
    CHUNK_BYTES = 1 << 20
    TRANSMITTERS_PER_CHUNK = 6553

cdef packed struct SavedRegistry:
    uint32_t version
    uint32_t facilities
    uint32_t transmitters
    uint32_t points
    uint32_t paths
    uint32_t generation
    uint32_t reading
    uint32_t misplaced
    int64_t revision
    char identity[40]

cdef packed struct SavedTransmitter:
    Place name
    uint32_t facility
    uint32_t former
    uint32_t generation
    uint32_t path
    int64_t test_until_ns
    Flap flaps[FLAPS]
    uint32_t points_tested
    uint8_t spare[4]
    Network network

assert sizeof(SavedTransmitter) == 160
assert TRANSMITTERS_PER_CHUNK * sizeof(SavedTransmitter) <= CHUNK_BYTES


cdef void add_parts(list parts, const void* start, size_t size):
    cdef size_t at = 0
    while at < size:
        parts.append((<const char*>start)[at:min(at + CHUNK_BYTES, size)])
        at += CHUNK_BYTES


cdef void add_transmitters(list parts, const Registry* r):
    cdef uint32_t first, slot, count
    cdef bytes part
    cdef SavedTransmitter* out
    for first in range(0, r.transmitters_used, TRANSMITTERS_PER_CHUNK):
        count = min(r.transmitters_used - first, <uint32_t>TRANSMITTERS_PER_CHUNK)
        part = PyBytes_FromStringAndSize(NULL, count * sizeof(SavedTransmitter))
        out = <SavedTransmitter*>PyBytes_AS_STRING(part)
        with nogil:
            for slot in range(first, first + count):
                save_transmitter(&out[slot - first], &r.transmitters[slot], &r.networks[slot])
        parts.append(part)


cdef void save_transmitter(SavedTransmitter* saved, const Transmitter* kept, const Network* network) noexcept nogil:
    saved.name = kept.name
    saved.facility, saved.former = kept.facility, kept.former
    saved.generation, saved.path = kept.generation, kept.path
    saved.test_until_ns, saved.points_tested = kept.test_until_ns, kept.points_tested
    memcpy(saved.flaps, kept.flaps, sizeof(kept.flaps))
    memcpy(saved.spare, kept.spare, sizeof(kept.spare))
    saved.network = network[0]


cdef inline Py_ssize_t take(void* target, const unsigned char[::1] saved, Py_ssize_t at, size_t size) noexcept:
    if size:
        memcpy(target, &saved[at], size)
    return at + size


cdef Py_ssize_t take_transmitters(Registry* r, const unsigned char[::1] saved, Py_ssize_t at,
                                  uint32_t count) noexcept:
    cdef uint32_t slot
    cdef SavedTransmitter one
    cdef Transmitter* kept
    for slot in range(count):
        at = take(&one, saved, at, sizeof(one))
        kept = &r.transmitters[slot]
        kept.name = one.name
        kept.facility, kept.former = one.facility, one.former
        kept.generation, kept.path = one.generation, one.path
        kept.test_until_ns, kept.points_tested = one.test_until_ns, one.points_tested
        memcpy(kept.flaps, one.flaps, sizeof(kept.flaps))
        memcpy(kept.spare, one.spare, sizeof(kept.spare))
        r.networks[slot] = one.network
    return at


cdef list registry_save(const Registry* r):
    """Return the tables as parts of at most 1 MiB."""
    cdef SavedRegistry head
    memset(&head, 0, sizeof(head))
    head.version = REGISTRY_VERSION
    head.facilities = r.facilities_used
    head.transmitters = r.transmitters_used
    head.points = r.points_used
    head.paths = r.paths_used
    head.generation = r.generation
    head.reading = r.reading
    head.misplaced = r.misplaced
    head.revision = r.revision
    memcpy(head.identity, r.identity, IDENTITY_BYTES)
    parts = [(<char*>&head)[:sizeof(head)]]
    add_parts(parts, r.facilities, <size_t>head.facilities * sizeof(Facility))
    add_transmitters(parts, r)
    add_parts(parts, r.points, <size_t>head.points * sizeof(Point))
    add_parts(parts, r.path_owner, <size_t>head.paths * 4)
    add_parts(parts, r.next_path, <size_t>head.paths * 4)
    return parts


cdef Py_ssize_t registry_load(Registry* r, const unsigned char[::1] saved, Py_ssize_t at) except -1:
    """Fill empty tables from byte `at` on; return the byte behind. Raises ValueError; the tables are then of no use."""
    cdef SavedRegistry head
    cdef size_t size
    if saved.shape[0] - at < <Py_ssize_t>sizeof(head):
        raise ValueError("filter snapshot: too short for its registry")
    memcpy(&head, &saved[at], sizeof(head))
    at += sizeof(head)
    if head.version != REGISTRY_VERSION:
        raise ValueError(f"filter snapshot: registry of version {head.version}")
    if head.facilities > r.facilities_max or head.transmitters > r.transmitters_max or head.points > r.points_max \
            or head.paths > r.paths_max:
        raise ValueError("filter snapshot: its registry does not fit into paths.max")
    size = <size_t>head.facilities * sizeof(Facility) + <size_t>head.transmitters * sizeof(SavedTransmitter)
    size += <size_t>head.points * sizeof(Point) + <size_t>head.paths * 8
    if <size_t>(saved.shape[0] - at) < size:
        raise ValueError("filter snapshot: too short for its registry")
    at = take(r.facilities, saved, at, <size_t>head.facilities * sizeof(Facility))
    at = take_transmitters(r, saved, at, head.transmitters)
    at = take(r.points, saved, at, <size_t>head.points * sizeof(Point))
    at = take(r.path_owner, saved, at, <size_t>head.paths * 4)
    at = take(r.next_path, saved, at, <size_t>head.paths * 4)
    r.facilities_used, r.transmitters_used, r.points_used = head.facilities, head.transmitters, head.points
    r.paths_used = head.paths
    r.generation, r.reading, r.revision = head.generation, head.reading, head.revision
    r.misplaced = head.misplaced
    memcpy(r.identity, head.identity, IDENTITY_BYTES)
    if not registry_is_sound(r):
        raise ValueError("filter snapshot: its registry is not sound")
    registry_index(r)
    return at

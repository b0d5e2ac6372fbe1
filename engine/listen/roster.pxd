# Transmitters that are named beforehand, by the configuration or by the registry: what each is supervised by, what its
# frames must be like, and its key where it has one.
#
# Records never move and are never removed: one that the registry names no longer keeps its place as GONE, so that its
# paths are known to be nobody's. Memory is reserved for `room` records and used by those that exist: 64 bytes each, the
# index 13 to 26, and 336 for each key. The loop alone looks and writes here; receiver threads see traits of paths.

from libc.stdint cimport int32_t, uint8_t, uint32_t, uint64_t
from codec.aes cimport AesKey
from engine.index cimport Index
from engine.path_key cimport PathKey
from engine.siphash cimport HashKey

cdef enum:
    ROSTER_NONE = 0xFFFFFFFF
    ROSTER_CHUNK = 8192              # records of a piece of a snapshot

cdef enum EntryState:
    ENTRY_NAMED = 1
    ENTRY_GONE = 2                   # the registry named it once

cdef struct Registered:
    PathKey  key                     # account and protocol; listener = realm number, the rest zero
    uint32_t supervision_ms          # of the primary path; the registry's 0: as the configuration's default
    uint32_t alternate_ms            # of the second path while the primary is up, and while it is down
    uint32_t alternate_alone_ms
    uint32_t secret                  # number of its Secret + 1; 0: no key, its frames come in clear
    int32_t  window_past_s           # as in the codec's Profile, and what follows
    int32_t  window_future_s
    uint32_t generation              # of the full reading that named it last
    uint8_t  encrypted_only
    uint8_t  check_clear_stamps
    uint8_t  reject_stale
    uint8_t  state                   # EntryState

cdef struct Secret:
    PathKey  key                     # whose, as in Registered
    AesKey   aes                     # rounds 0: none
    uint8_t  mac_key[32]             # of a sender of the Tocsin profile
    uint8_t  has_mac_key

cdef inline bint is_watched(const Registered* entry) noexcept nogil:
    """Tell whether clear frames of the transmitter must be looked at, too, before they prove life."""
    return entry.encrypted_only or entry.check_clear_stamps

cdef class Roster:
    cdef Registered* entries         # owned
    cdef Secret* secrets             # owned
    cdef uint32_t room
    cdef readonly uint32_t count     # GONE ones included
    cdef uint32_t secret_count
    cdef readonly uint32_t keyed     # secrets that hold a key
    cdef Index by_name
    cdef Index by_secret
    cdef HashKey hash_key

    cdef uint32_t find(self, const PathKey* name) noexcept nogil
    cdef uint32_t find_hashed(self, const PathKey* name, uint64_t hash) noexcept nogil
    cdef uint64_t hash(self, const PathKey* name) noexcept nogil
    cdef uint32_t add(self, const PathKey* name, uint64_t hash) noexcept nogil
    cdef Secret* secret_named(self, const PathKey* name) noexcept nogil
    cdef int set_key(self, const PathKey* name, bytes key) except -1
    cdef const Secret* secret_of(self, const Registered* entry) noexcept nogil

cdef void entry_fill(Registered* entry, const uint8_t* native, uint32_t size) noexcept nogil

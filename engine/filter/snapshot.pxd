# What the filter must remember, as bytes. Equal states give equal bytes, whatever slots the tables happen to use.
#
#   0  u32 version   4  u32 alarms   8  u32 items of all   12  u32 zero   16  u64 next event   24  u64 position
#   32 then the alarms in the order of their ids, each as
#        64 bytes  u64 id, u64 event, i64 opened_ns, i64 changed_ns, u32 count, u32 revision, u16 items, u16 unkept,
#                  u16 condition, u8 class, u8 verification, u8 priority, u8 protocol, u8 account size, u8 realm size,
#                  u16 unkept words, u8 raised twice, 9 zero
#        account and realm
#        its items in order, each u64 signal, u16 condition, u8 class, u8 point size, then the point
#
# Little endian, nothing padded. A reader takes only versions that it knows.

from libc.stdint cimport uint32_t, uint64_t

from engine.filter.alarms cimport Alarms

cdef enum:
    SNAPSHOT_VERSION = 1
    SNAPSHOT_CHUNK_BYTES = 1048576
    SNAPSHOT_HEADER_BYTES = 32
    SAVED_ALARM_BYTES = 64
    SAVED_ITEM_BYTES = 12

cdef struct Saved:               # the header
    uint32_t version
    uint32_t alarms
    uint32_t items
    uint32_t zero
    uint64_t next_event
    uint64_t position

cdef list snapshot_save(const Alarms* alarms, uint64_t next_event, uint64_t position)
cdef Saved snapshot_header(bytes saved) except *
cdef int snapshot_load(Alarms* alarms, bytes saved) except -1

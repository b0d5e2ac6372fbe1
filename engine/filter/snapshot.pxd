# What the filter must remember, as bytes. Equal states give equal bytes, whatever slots the tables happen to use.
#
#   0  u32 version   4  u32 sections   8  u64 next event   16  u64 position   24  i64 time of the last tick
#   32 then each section behind its head, 8 bytes of name and u64 size:
#
#   alarms    u32 ended   u32 open   u32 items of all   u32 zero, then the alarms, the ended ones first, each group in
#             the order of ids: a fixed part (SavedAlarm in snapshot.pyx), account and realm, its items
#   accept    who is to accept what until when: u64 place among the alarms of this snapshot, i64 due ns
#   registry, states, losses   as their own files say
#   rules, tests               JSON
#
# Little endian, nothing padded. A reader takes only versions that it knows.

from engine.filter.filter cimport Filter

cdef enum:
    SNAPSHOT_VERSION = 2
    SNAPSHOT_CHUNK_BYTES = 1048576

cdef list filter_save(Filter f)
cdef int filter_load(Filter f, const unsigned char[::1] saved) except -1

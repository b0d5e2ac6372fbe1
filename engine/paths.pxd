# The path table: every path that the engine knows; what it takes from journal and snapshot, and what people see of it.
#
# Its records, and all that is done with them without the interpreter, stand in path_records.pxd; who asks for the path
# table asks for them here.

from libc.stdint cimport int64_t, uint32_t
from engine.path_key cimport LISTENER_TEXT_BYTES_MAX, ListenerText, PathKey, PathText
from engine.path_records cimport (CHANGED_MAX, LISTENERS_MAX, MARK_ROLE, PATH_CLEARING, PATH_FAULT, PATH_NEW,
                                  PATH_PENDING, PATH_RAISING, PATH_RETURNED, PATH_STATE_COUNT, PATH_TEXT_BYTES_MAX,
                                  PATH_UP, REPORTED_NONE, RETURNED_MAX, REVISITS_MAX, TRAIT_COMMAND, TRAIT_UNNAMED,
                                  TRAIT_WATCHED, Path, PathRecords, PathState, PathTrait, path_clear_trait,
                                  path_fetch, path_find, path_find_hashed, path_has_role, path_has_trait, path_hash,
                                  path_mark_role, path_reported, path_set_reported, path_set_trait)

cdef class PathTable(PathRecords):
    cdef int enrol_at(self, uint32_t number, str text, int64_t seen_ms) except -1
    cdef str shown_state(self, uint32_t number)

"""Finding the paths of the transmitters that a message speaks of; see members.pxd."""
from libc.string cimport memcmp, memcpy, memset

from codec.batch cimport NO_PATH, batch_move
from codec.frame cimport number_pack
from codec.tocsin cimport key_id_of
from codec.words cimport (CLASS_FIRE, CLASS_GAS, CLASS_PREALARM, FLAG_QUARANTINED, ROW_LIFE, ROW_SIGNAL,
                          STATE_CLEARED)
from engine.paths cimport PATH_NEW, TRAIT_UNNAMED, path_find, path_has_trait


cdef inline bint is_senders(const Columns* c, uint32_t row, const Frame* frame) noexcept nogil:
    return c.account[row].size == frame.account_size \
        and memcmp(c.arena + c.account[row].at, frame.account, frame.account_size) == 0


cdef bint carries_alarm(const Columns* c, uint32_t first) noexcept nogil:
    """Whether a row from `first` on says that fire, gas or a prealarm is there."""
    cdef uint32_t row
    for row in range(first, c.count):
        if c.kind[row] == ROW_SIGNAL and c.state[row] != STATE_CLEARED and (
                c.signal_class[row] == CLASS_FIRE or c.signal_class[row] == CLASS_GAS
                or c.signal_class[row] == CLASS_PREALARM):
            return True
    return False


cdef void members_find(Members* members, const Frame* frame, uint16_t listener, Columns* c, uint32_t first,
                       PathTable paths) noexcept nogil:
    """Set the path of each row from `first` on that names another transmitter than the sender."""
    cdef PathKey key
    cdef uint32_t row, number, i
    members.count = members.unknown = 0
    for row in range(first, c.count):
        if is_senders(c, row, frame):
            continue
        memset(&key, 0, sizeof(PathKey))
        memcpy(key.account, c.arena + c.account[row].at, c.account[row].size)
        key.account_size = c.account[row].size
        key.protocol = frame.protocol
        key.listener = listener
        key.receiver = number_pack(key_id_of(frame), 6)
        number = path_find(paths.path, &paths.by_key, &paths.hash_key, &key)
        if number != NO_PATH and (paths.path[number].state == PATH_NEW
                                  or path_has_trait(&paths.path[number], TRAIT_UNNAMED)):
            number = NO_PATH                 # its enrolment was lost, or the registry names it no longer
        c.path[row] = number
        members.paths[members.count] = number
        members.count += 1
        if number == NO_PATH:
            for i in range(members.unknown):
                if memcmp(&members.strangers[i], &key, sizeof(PathKey)) == 0:
                    break
            else:
                members.strangers[members.unknown] = key
                members.unknown += 1


cdef void members_part(Columns* c, uint32_t first, const Frame* frame, bint refuse) noexcept nogil:
    """Label the rows of transmitters that were not enrolled, or take them out where the policy is to refuse them."""
    cdef uint32_t row, kept = first
    for row in range(first, c.count):
        if c.path[row] == NO_PATH and not is_senders(c, row, frame):
            if refuse:
                continue
            c.flags[row] |= <uint16_t>FLAG_QUARANTINED
        if kept != row:
            batch_move(c, row, kept)
        kept += 1
    c.count = kept


cdef uint32_t members_take_lives(Columns* c, uint32_t first) noexcept nogil:
    """Take the rows out that say nothing but "lives"; return how many rows stay."""
    cdef uint32_t row, kept = first
    for row in range(first, c.count):
        if c.kind[row] != ROW_LIFE:
            if kept != row:
                batch_move(c, row, kept)
            kept += 1
    c.count = kept
    return kept - first

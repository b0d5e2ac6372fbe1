"""Mass losses as JSON, as rows for people, and as bytes.

Saved, little endian, nothing padded; equal states give equal bytes:

  0  u32 version   4  u32 paths   8  u32 areas   12  u32 groups   16  u32 met   20  u32 standing
  24 i64 now_ns   32  i64 step_ns   40  i64 deadline_ns   48  u64 last id   56  u64 stale
  64 names of areas, then of groups: u8 size, text
     what is met: u32 cause, i64 since_ns
     what stands: u32 cause, u32 peak, u64 id, i64 since_ns, i64 told_ns, i64 low_ns
     each path from 0 on: u16 cell, u8 flags, u8 cause; in fault: i64 went_ns
"""
cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from libc.stdint cimport INT64_MAX, int64_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset

from codec.json_text cimport json_literal, json_number, json_string, json_time
from engine.filter.losses cimport (
    AREAS, CAUSES, CELLS, GROUPS, LOSS_ALL, LOSS_AREA, LOSS_GROUP, LOSS_JSON_BYTES_MAX, LOSS_NAME_BYTES_MAX,
    LOSSES_VERSION, NO_CAUSE, PATH_FAULT, PATH_SUPERVISED, LossName, LossPath, LossRules, LossShare, Standing,
    losses_check, losses_create, losses_deadline, losses_describe, losses_destroy, losses_drop, losses_due, losses_note,
    losses_place, losses_recount,
)
from engine.filter.losses_counts cimport covers

import json
from operator import itemgetter

cdef enum:
    CHUNK_BYTES = 1048576
    NS_PER_S = 1000000000

cdef packed struct SavedLosses:
    uint32_t version
    uint32_t paths
    uint32_t areas
    uint32_t groups
    uint32_t met
    uint32_t standing
    int64_t now_ns
    int64_t step_ns
    int64_t deadline_ns
    uint64_t last_id
    uint64_t stale

cdef packed struct SavedMet:
    uint32_t cause
    int64_t since_ns

cdef packed struct SavedStanding:
    uint32_t cause
    uint32_t peak
    uint64_t id
    int64_t since_ns
    int64_t told_ns
    int64_t low_ns

cdef packed struct SavedPath:
    uint16_t cell
    uint8_t flags
    uint8_t cause


# -- as JSON -------------------------------------------------------------------------------------------------------


cdef inline uint8_t* write_name(uint8_t* out, const LossName* name) noexcept nogil:
    return json_string(out, name.text, name.size)


cdef uint8_t* write_share(uint8_t* out, uint32_t members, uint32_t supervised) noexcept nogil:
    """A share between 0 and 1 with three digits; 0 of 0 is 0."""
    cdef uint64_t thousandths = <uint64_t>members * 1000 // supervised if supervised else 0
    out = json_number(out, thousandths // 1000)
    out[0] = c'.'
    out[1] = <uint8_t>(c'0' + thousandths // 100 % 10)
    out[2] = <uint8_t>(c'0' + thousandths // 10 % 10)
    out[3] = <uint8_t>(c'0' + thousandths % 10)
    return out + 4


cdef uint8_t* write_shares(uint8_t* out, const char* kind, const LossName* names, const LossShare* shares,
                           uint32_t count) noexcept nogil:
    cdef uint32_t i
    out = json_literal(out, b"[")
    for i in range(count):
        out = json_literal(out, b',{"' if i else b'{"')
        out = json_literal(out, kind)
        out = json_literal(out, b'":')
        out = write_name(out, &names[shares[i].number])
        out = json_literal(out, b',"members":')
        out = json_number(out, shares[i].members)
        out = json_literal(out, b',"supervised":')
        out = json_number(out, shares[i].supervised)
        out = json_literal(out, b',"share":')
        out = write_share(out, shares[i].members, shares[i].supervised)
        out = json_literal(out, b"}")
    return json_literal(out, b"]")


cdef uint8_t* write_loss(uint8_t* out, const Losses* l, const Loss* loss) noexcept nogil:
    """Write the `data` of a network event, a JSON object of at most LOSS_JSON_BYTES_MAX bytes."""
    out = json_literal(out, b'{"loss_id":"')
    out = json_number(out, loss.id)
    out = json_literal(out, b'","kind":')
    out = json_literal(out, b'"all"' if loss.kind == LOSS_ALL else b'"area"' if loss.kind == LOSS_AREA else b'"group"')
    out = json_literal(out, b',"area":')
    out = write_name(out, &l.areas[loss.number]) if loss.kind == LOSS_AREA else json_literal(out, b"null")
    out = json_literal(out, b',"group":')
    out = write_name(out, &l.groups[loss.number]) if loss.kind == LOSS_GROUP else json_literal(out, b"null")
    out = json_literal(out, b',"members":')
    out = json_number(out, loss.members)
    out = json_literal(out, b',"supervised":')
    out = json_number(out, loss.supervised)
    out = json_literal(out, b',"share":')
    out = write_share(out, loss.members, loss.supervised)
    out = json_literal(out, b',"peak":')
    out = json_number(out, loss.peak)
    out = json_literal(out, b',"since":')
    out = json_time(out, loss.since_ns)
    out = json_literal(out, b',"received_at":')
    out = json_time(out, loss.now_ns)
    out = json_literal(out, b',"lasted_s":')
    out = json_number(out, <uint64_t>max(loss.now_ns - loss.since_ns, <int64_t>0) // NS_PER_S)
    out = json_literal(out, b',"by_area":')
    out = write_shares(out, b"area", l.areas, loss.areas, loss.areas_count)
    out = json_literal(out, b',"by_group":')
    out = write_shares(out, b"group", l.groups, loss.groups, loss.groups_count)
    out = json_literal(out, b',"class":"fault","condition":"line_fault","state":')
    out = json_literal(out, b'"cleared"' if loss.restored else b'"raised"')
    return json_literal(out, b',"durable":true}')


cdef bytes loss_json(const Losses* l, const Loss* loss):
    cdef bytes room = PyBytes_FromStringAndSize(NULL, LOSS_JSON_BYTES_MAX)
    cdef uint8_t* start = <uint8_t*>PyBytes_AS_STRING(room)
    return room[:write_loss(start, l, loss) - start]


cdef list losses_standing(const Losses* l):
    """What stands now, in the order of ids, with the keys of an event's data; members and shares are those of now."""
    cdef uint32_t cause
    cdef Loss loss
    found = []
    for cause in range(CAUSES):
        if l.standing[cause].id:
            losses_describe(l, cause, &loss)
            found.append((loss.id, json.loads(loss_json(l, &loss))))
    return [row for _, row in sorted(found, key=itemgetter(0))]


# -- as bytes ------------------------------------------------------------------------------------------------------


cdef bytes save_heads(const Losses* l, uint32_t paths):
    cdef SavedLosses header
    cdef SavedMet met
    cdef SavedStanding saved
    cdef uint32_t cause, i
    memset(&header, 0, sizeof(header))
    header.version = LOSSES_VERSION
    header.paths = paths
    header.areas = l.areas_used
    header.groups = l.groups_used
    header.now_ns = l.now_ns
    header.step_ns = l.step_ns
    header.deadline_ns = l.deadline_ns
    header.last_id = l.last_id
    header.stale = l.stale
    parts = [<bytes>(<const char*>&l.areas[i])[:1 + l.areas[i].size] for i in range(l.areas_used)]
    parts += [<bytes>(<const char*>&l.groups[i])[:1 + l.groups[i].size] for i in range(l.groups_used)]
    for cause in range(CAUSES):
        if l.met_ns[cause] != INT64_MAX:
            header.met += 1
            met.cause = cause
            met.since_ns = l.met_ns[cause]
            parts.append(<bytes>(<char*>&met)[:sizeof(met)])
    for cause in range(CAUSES):
        if l.standing[cause].id:
            header.standing += 1
            saved.cause = cause
            saved.peak = l.standing[cause].peak
            saved.id = l.standing[cause].id
            saved.since_ns = l.standing[cause].since_ns
            saved.told_ns = l.standing[cause].told_ns
            saved.low_ns = l.standing[cause].low_ns
            parts.append(<bytes>(<char*>&saved)[:sizeof(saved)])
    return b"".join([<bytes>(<char*>&header)[:sizeof(header)], *parts])


cdef list losses_save(const Losses* l):
    """Return the parts of what is remembered, each some 1 MiB at most."""
    cdef uint32_t paths = l.paths_used, at = 0
    cdef SavedPath saved
    cdef bytes chunk
    cdef uint8_t* start
    cdef uint8_t* out
    while paths and not l.paths[paths - 1].flags:
        paths -= 1
    parts = [save_heads(l, paths)]
    while at < paths:
        chunk = PyBytes_FromStringAndSize(NULL, CHUNK_BYTES + 64)
        start = out = <uint8_t*>PyBytes_AS_STRING(chunk)
        with nogil:
            while at < paths and out - start < CHUNK_BYTES:
                saved.cell = l.paths[at].cell
                saved.flags = l.paths[at].flags
                saved.cause = l.paths[at].cause
                memcpy(out, &saved, sizeof(saved))
                out += sizeof(saved)
                if saved.flags & PATH_FAULT:
                    memcpy(out, &l.paths[at].went_ns, sizeof(int64_t))
                    out += sizeof(int64_t)
                at += 1
        parts.append(chunk[:out - start])
    return parts


cdef const uint8_t* read_bytes(void* target, size_t size, const uint8_t* at, const uint8_t* end) noexcept nogil:
    """Take `size` bytes; NULL when there are not so many, or when there was nothing to read from."""
    if at == NULL or <size_t>(end - at) < size:
        return NULL
    memcpy(target, at, size)
    return at + size


cdef const uint8_t* read_name(LossName* name, const uint8_t* at, const uint8_t* end) noexcept nogil:
    at = read_bytes(&name.size, 1, at, end)
    return read_bytes(name.text, name.size, at, end) if at != NULL and name.size <= LOSS_NAME_BYTES_MAX else NULL


cdef const uint8_t* read_heads(Losses* l, const SavedLosses* header, const uint8_t* at,
                               const uint8_t* end) noexcept nogil:
    cdef SavedMet met
    cdef SavedStanding saved
    cdef Standing* s
    cdef uint32_t i
    for i in range(header.areas):
        at = read_name(&l.areas[i], at, end)
    for i in range(header.groups):
        at = read_name(&l.groups[i], at, end)
    for i in range(header.met):
        at = read_bytes(&met, sizeof(met), at, end)
        if at == NULL or met.cause >= CAUSES:
            return NULL
        l.met_ns[met.cause] = met.since_ns
    for i in range(header.standing):
        at = read_bytes(&saved, sizeof(saved), at, end)
        if at == NULL or saved.cause >= CAUSES:
            return NULL
        s = &l.standing[saved.cause]
        s.peak = saved.peak
        s.id = saved.id
        s.since_ns = saved.since_ns
        s.told_ns = saved.told_ns
        s.low_ns = saved.low_ns
    return at


cdef const uint8_t* read_paths(Losses* l, const uint8_t* at, const uint8_t* end) noexcept nogil:
    cdef SavedPath saved
    cdef LossPath* path
    cdef uint32_t i
    for i in range(l.paths_used):
        at = read_bytes(&saved, sizeof(saved), at, end)
        if at == NULL or saved.cell >= CELLS or saved.flags not in (0, PATH_SUPERVISED, PATH_SUPERVISED | PATH_FAULT):
            return NULL
        if saved.flags and saved.cause != NO_CAUSE and (
                saved.cause >= CAUSES or l.standing[saved.cause].id == 0 or not covers(saved.cause, saved.cell)):
            return NULL
        path = &l.paths[i]
        path.cell = saved.cell
        path.flags = saved.flags
        path.cause = saved.cause
        if saved.flags & PATH_FAULT:
            at = read_bytes(&path.went_ns, sizeof(int64_t), at, end)
            if at == NULL or path.went_ns < 0 or path.went_ns > l.now_ns:
                return NULL
    return at


cdef int losses_load(Losses* l, bytes saved) except -1:
    """Fill an empty table. Raises ValueError when the bytes are not sound or it has no room; it is then of no use."""
    cdef SavedLosses header
    cdef const uint8_t* at = <const uint8_t*>PyBytes_AS_STRING(saved)
    cdef const uint8_t* end = at + len(saved)
    at = read_bytes(&header, sizeof(header), at, end)
    if at == NULL:
        raise ValueError("mass losses: too short")
    if header.version != LOSSES_VERSION:
        raise ValueError(f"mass losses: version {header.version}, this program reads {LOSSES_VERSION}")
    if header.paths > l.paths_max or header.areas >= AREAS or header.groups >= GROUPS or header.step_ns < 1 \
            or header.now_ns < 0:
        raise ValueError("mass losses: not sound, or more than there is room for")
    l.paths_used = header.paths
    l.areas_used = header.areas
    l.groups_used = header.groups
    l.now_ns = header.now_ns
    l.step_ns = header.step_ns
    l.deadline_ns = header.deadline_ns
    l.last_id = header.last_id
    l.stale = header.stale
    with nogil:
        at = read_heads(l, &header, at, end)
        if at != NULL:
            at = read_paths(l, at, end)
        if at == end:
            losses_recount(l)
    if at != end:
        raise ValueError("mass losses: not sound, or more than there is room for")
    return 0


cdef LossRules rules_of(object rules) except *:
    cdef LossRules out
    out.members, out.share, out.within_ns, out.settle_ns, out.restored_share = rules
    return out


@cython.final
cdef class LossesTable:
    def __cinit__(self, uint32_t paths_max):
        losses_create(&self.losses, paths_max)

    def __dealloc__(self):
        losses_destroy(&self.losses)

    def place(self, uint32_t path, bytes area not None, bytes group not None):
        losses_place(&self.losses, path, <const uint8_t*>area, <uint32_t>len(area), <const uint8_t*>group,
                     <uint32_t>len(group))

    def drop(self, uint32_t path):
        losses_drop(&self.losses, path)

    def note(self, uint32_t path, bint raised, int64_t received_ns, tuple rules not None):
        cdef LossRules book = rules_of(rules)
        return losses_note(&self.losses, path, raised, received_ns, &book)

    def note_many(self, bytes paths not None, bint raised, int64_t received_ns, tuple rules not None):
        cdef LossRules book = rules_of(rules)
        cdef const uint32_t* path = <const uint32_t*>PyBytes_AS_STRING(paths)
        cdef size_t i
        cdef uint64_t part = 0
        cdef size_t count = <size_t>len(paths) // sizeof(uint32_t)
        with nogil:
            for i in range(count):
                part += losses_note(&self.losses, path[i], raised, received_ns, &book)
        return part

    def deadline(self):
        return None if losses_deadline(&self.losses) == INT64_MAX else losses_deadline(&self.losses)

    def due(self, int64_t now_ns, uint64_t number, tuple rules not None):
        cdef LossRules book = rules_of(rules)
        cdef Loss told
        if not losses_due(&self.losses, now_ns, number, &book, &told):
            return None
        return loss_json(&self.losses, &told)

    def standing(self):
        return losses_standing(&self.losses)

    def save(self):
        return losses_save(&self.losses)

    def load(self, bytes saved not None):
        cdef Losses fresh
        losses_create(&fresh, self.losses.paths_max)
        try:
            losses_load(&fresh, saved)
        except ValueError:
            losses_destroy(&fresh)
            raise
        losses_destroy(&self.losses)
        self.losses = fresh

    def check(self):
        losses_check(&self.losses)

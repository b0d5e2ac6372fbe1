# Mass loss: when many paths fall silent together, that is one thing to tell.
#
#   cell    an area and a group; every supervised path is in one. Area = province, group = the network it comes by
#   cause   what can be lost: an area, a group, or everything. 193 of them, each with counts that a fault moves at once
#   loss    a cause that was told; it stands until its members are back
#
# A path in line fault is one of these:
#   member   of a standing loss that covers its cell; it tells nothing of its own
#   recent   of none, and it went within `within_ns` (measured in 32 steps)
#   old      of none, and it went before that: broken for itself
#
# A cause is met while it has `members` recent paths, these are `share` of all its paths but the old ones and members,
# and a fifth at least of recent and members together (else what stands explains it already). Met for `settle_ns`, it
# is told, or rather what explains it best: of all met causes that hold four fifths of its recent paths, those with
# nearly the most recent paths (four fifths), of these the widest whose share is nearly the best (nine tenths). All of
# that one's recent paths become members, and so does what goes later, while it stands.
#
# A loss is over when less than `restored_share` of its peak has been in fault for `settle_ns`, and `within_ns` after it
# was told at the earliest: so a cause that flaps tells two things in `within_ns` at most. What it leaves counts as gone
# at that moment: a province that stays out when the rest is back is told as that.
#
# Numbers are given in the order of first naming and never taken back; the last one of each stands for all others. The
# empty name and `other` are no cause: nobody could say what is lost.
#
# Memory: 16 bytes a path, and some 1.3 MB. A fault costs the line of its path; telling and restoring one pass over all.

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t

from codec.json_text cimport JSON_BYTES_PER_BYTE

cdef enum:
    AREAS = 128
    GROUPS = 64
    CELLS = AREAS * GROUPS           # cell = area << 6 | group
    CAUSES = AREAS + GROUPS + 1      # areas, groups, everything
    CAUSE_ALL = AREAS + GROUPS
    NO_CAUSE = 255
    LOSS_NAME_BYTES_MAX = 63         # a longer name is `other`
    LOSS_SHARES_MAX = 16             # areas, and groups, that an event breaks a loss down to
    LOSS_STEPS = 32
    LOSSES_VERSION = 1
    LOSS_JSON_BYTES_MAX = 1024 + (2 * LOSS_SHARES_MAX + 2) * (LOSS_NAME_BYTES_MAX * JSON_BYTES_PER_BYTE + 128)

cdef enum LossKind:
    LOSS_AREA = 0
    LOSS_GROUP = 1
    LOSS_ALL = 2

cdef enum PathFlag:
    PATH_SUPERVISED = 1
    PATH_FAULT = 2

cdef struct LossRules:
    int64_t  within_ns               # 1 s or more
    int64_t  settle_ns
    double   share                   # 0..1
    double   restored_share          # below share
    uint32_t members                 # 1 or more

cdef struct LossPath:                # 16 bytes
    int64_t  went_ns                 # in fault: since when; else 0
    uint16_t cell
    uint8_t  flags                   # PathFlag, ored
    uint8_t  cause                   # of the loss whose member it is, or NO_CAUSE; 0 where it is not supervised
    uint32_t zero

cdef struct LossCount:               # of a cell or a cause
    uint32_t supervised
    uint32_t faults                  # recent, members and old
    uint32_t recent
    uint32_t members                 # of any loss

cdef struct Standing:                # by cause
    uint64_t id                      # 0: it does not stand
    int64_t  since_ns                # when its first member went
    int64_t  told_ns
    int64_t  low_ns                  # since when few enough are in fault, or INT64_MAX
    uint32_t members
    uint32_t peak
    uint32_t areas[AREAS]            # members
    uint32_t groups[GROUPS]

cdef struct LossName:
    uint8_t  size
    uint8_t  text[LOSS_NAME_BYTES_MAX]

cdef struct LossShare:
    uint32_t number                  # of the area or group
    uint32_t members
    uint32_t supervised

cdef struct Loss:                    # one thing to tell
    uint64_t id                      # the number that the caller gave; one more where two losses would have one
    int64_t  since_ns
    int64_t  told_ns                 # when it was told as lost
    int64_t  now_ns                  # of this telling
    uint32_t members                 # in fault now
    uint32_t supervised
    uint32_t peak
    uint8_t  kind                    # LossKind
    uint8_t  restored
    uint8_t  number                  # of the area or group
    uint8_t  areas_count
    uint8_t  groups_count
    LossShare areas[LOSS_SHARES_MAX]     # falling by members; those without any are left out
    LossShare groups[LOSS_SHARES_MAX]

cdef struct Losses:
    LossPath*  paths                 # owned
    uint32_t*  steps                 # owned; recent paths by step of time % LOSS_STEPS and cell
    LossCount* cells                 # owned
    Standing*  standing              # owned, CAUSES
    uint32_t paths_max
    uint32_t paths_used
    uint32_t areas_used
    uint32_t groups_used
    uint64_t last_id
    int64_t  now_ns                  # the latest time heard of
    int64_t  step_ns
    int64_t  deadline_ns
    uint64_t stale                   # True: paths came, moved or left; the causes are looked at before anything else
    LossCount causes[CAUSES]
    int64_t  met_ns[CAUSES]          # since when a cause is met, or INT64_MAX
    LossName areas[AREAS]
    LossName groups[GROUPS]


cdef inline int64_t losses_deadline(const Losses* l) noexcept nogil:
    """When losses_due wants to be called; INT64_MAX: not before something else happens."""
    return l.deadline_ns

cdef int losses_create(Losses* l, uint32_t paths_max) except -1
cdef void losses_destroy(Losses* l) noexcept
cdef void losses_place(Losses* l, uint32_t path, const uint8_t* area, uint32_t area_size, const uint8_t* group,
                       uint32_t group_size) noexcept nogil
cdef void losses_drop(Losses* l, uint32_t path) noexcept nogil
cdef bint losses_note(Losses* l, uint32_t path, bint raised, int64_t received_ns,
                      const LossRules* rules) noexcept nogil
cdef bint losses_due(Losses* l, int64_t now_ns, uint64_t number, const LossRules* rules, Loss* told) noexcept nogil
cdef void losses_describe(const Losses* l, uint32_t cause, Loss* loss) noexcept nogil
cdef void losses_recount(Losses* l) noexcept nogil
cdef void losses_clear(Losses* l) noexcept nogil
cdef int losses_check(const Losses* l) except -1

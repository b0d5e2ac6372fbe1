# The rules: what becomes of a signal by its class, state and condition. Every number that a person may want to change
# or question stands in this file; what an alarm remembers stands in alarms.pxd.
#
#   class                      raised, no end        cleared
#   fire, gas, prealarm        forward, alarm        forward, restore; suppress, no_alarm_open when nothing fits
#   security, medical, on      forward, alarm (1)    the same
#   security, medical, off     suppress, class_off   the same when an item is still open from before, else class_off
#   every other class          suppress, state       suppress, state
#   (a canary row)             forward, canary: an event with a number, that only the engine itself selects
#
#   (1) raised only; without an end (an opening, an access) it is state.
#
# `suppress` means that no event leaves: the signal is stored with its verdict and stays queryable. `hold` is for rules
# that wait for more; none of these does.
#
# A signal that its transmitter had stored (FLAG_OLD), or whose stamp is outside its window (FLAG_LATE), leaves at once
# like any other; its verification is late, whatever raised it.
#
# Places for later rules: a second detector point confirms (verification_of sees one signal only today), test modes and
# registry (they come as ROW_CHANGE rows), chatter, and what a reset of the panel clears (rule_of, RULE_RESET).

from libc.stdint cimport uint8_t, uint16_t

from codec.words cimport (
    CLASS_FIRE, CLASS_GAS, CLASS_MEDICAL, CLASS_PREALARM, CLASS_SECURITY,
    CONDITION_ABORTED, CONDITION_CANCELLED, CONDITION_FIRE_CONFIRMED, CONDITION_MANUAL_CALL_POINT, CONDITION_RESET,
    CONDITION_SILENCED, CONDITION_SYSTEM_RESET, CONDITION_WATERFLOW,
    FLAG_LATE, FLAG_OLD, FLAG_QUARANTINED, STATE_CLEARED, STATE_RAISED,
)
from engine.words cimport VERIFICATION_CONFIRMED, VERIFICATION_LATE, VERIFICATION_UNCONFIRMED

cdef enum:
    RULES_VERSION = 2            # of the whole table; one more with every change that can change a verdict

cpdef enum Rule:                 # stored beside verdicts: never reused, only added to
    RULE_NONE = 0
    RULE_ALARM = 1
    RULE_RESTORE = 2
    RULE_NO_ALARM_OPEN = 3
    RULE_ALARM_CHOSEN = 4
    RULE_CLASS_OFF = 5
    RULE_STATE = 6
    RULE_CANCEL = 7
    RULE_RESET = 8
    RULE_UNTRACKED = 9
    RULE_CANARY = 10
    RULE_COUNT = 11

cdef struct Choice:              # what the configuration chooses
    bint security
    bint medical


cdef inline Rule rule_of(const Choice* choice, uint8_t signal_class, uint8_t state, uint16_t condition) noexcept nogil:
    """The rule that a signal falls under. RULE_RESTORE is still a question: whether anything fits, the alarm says."""
    cdef bint chosen
    if signal_class == CLASS_FIRE or signal_class == CLASS_GAS or signal_class == CLASS_PREALARM:
        # Whatever is not a restore raises, also a state we cannot read: a fire is never dropped for its form.
        return RULE_RESTORE if state == STATE_CLEARED else RULE_ALARM
    if signal_class == CLASS_SECURITY or signal_class == CLASS_MEDICAL:
        if state == STATE_CLEARED:
            return RULE_RESTORE      # also when off: an item from before the change must not stay open for good
        chosen = choice.security if signal_class == CLASS_SECURITY else choice.medical
        if not chosen:
            return RULE_CLASS_OFF
        return RULE_ALARM_CHOSEN if state == STATE_RAISED else RULE_STATE
    if condition == CONDITION_CANCELLED or condition == CONDITION_ABORTED or condition == CONDITION_SILENCED:
        return RULE_CANCEL           # a hand at the panel ends no fire; only its restore does
    if condition == CONDITION_RESET or condition == CONDITION_SYSTEM_RESET:
        # A reset clears nothing by itself: panels send it before the detectors have been asked again, and those that
        # are still in alarm report once more. Which panels mean "all clear" by it is for later rule data to say.
        return RULE_RESET
    return RULE_STATE

cdef inline bint is_off(const Choice* choice, uint8_t signal_class) noexcept nogil:
    return (signal_class == CLASS_SECURITY and not choice.security) \
        or (signal_class == CLASS_MEDICAL and not choice.medical)

cdef inline uint8_t verification_of(uint8_t signal_class, uint16_t condition, uint16_t flags) noexcept nogil:
    """What one raised signal says about its own truth."""
    if flags & (FLAG_LATE | FLAG_OLD):
        return VERIFICATION_LATE             # accepted in spite of its stamp: maybe a recording; or stored at the panel
    if flags & FLAG_QUARANTINED:
        return VERIFICATION_UNCONFIRMED      # we do not know who speaks
    if signal_class == CLASS_FIRE and (condition == CONDITION_MANUAL_CALL_POINT or condition == CONDITION_WATERFLOW
                                       or condition == CONDITION_FIRE_CONFIRMED):
        return VERIFICATION_CONFIRMED        # a person, running water, or the panel's own second point
    return VERIFICATION_UNCONFIRMED

cdef inline uint8_t verification_rank(uint8_t verification) noexcept nogil:
    """Order of verifications: that of an alarm only ever rises."""
    if verification == VERIFICATION_CONFIRMED:
        return 3
    if verification == VERIFICATION_UNCONFIRMED:
        return 2
    return 1 if verification == VERIFICATION_LATE else 0

cdef inline uint8_t priority_of(uint8_t signal_class, uint8_t verification) noexcept nogil:
    """1 is the most urgent. The order is that of the classes, too: an alarm has the class of its most urgent signal."""
    if signal_class == CLASS_FIRE:
        return 1 if verification == VERIFICATION_CONFIRMED else 2
    if signal_class == CLASS_GAS:
        return 3
    if signal_class == CLASS_PREALARM:
        return 4
    if signal_class == CLASS_MEDICAL:
        return 5
    return 6                                 # security

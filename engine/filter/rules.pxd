# What becomes of a signal by its class, state and condition, before any rule that people write (rulebook.pxd) is asked.
#
#   class                      raised, no end        cleared
#   fire, gas, prealarm        forward, alarm (2)    forward, restore; suppress, no_alarm_open when nothing fits
#   security, medical, on      forward, alarm (1)    the same
#   security, medical, off     suppress, class_off   the same when an item is still open from before, else class_off
#   a cancel, an abort         forward, cancelled where its alarm is open; else state
#   every other class          suppress, state       suppress, state; again, where nothing changed
#   (a canary row)             forward, canary: an event with a number, that only the engine itself selects
#
#   (1) raised only; without an end (an opening, an access) it is state.
#   (2) the rule is that of the rulebook which verifies it; the reason says what is to be known of the signal.
#
# `suppress` means that no event leaves: the signal is stored with its verdict and stays queryable. `hold` is for rules
# that wait for more; none of these does.
#
# A signal that its transmitter had stored (FLAG_OLD), or whose stamp is outside its window (FLAG_LATE), leaves at once
# like any other; its verification is late, whatever raised it.

from libc.stdint cimport uint8_t, uint16_t

from codec.words cimport (
    CLASS_FIRE, CLASS_GAS, CLASS_MEDICAL, CLASS_PREALARM, CLASS_SECURITY,
    CONDITION_ABORTED, CONDITION_CANCELLED, CONDITION_RESET, CONDITION_SILENCED, CONDITION_SYSTEM_RESET, FLAG_LATE,
    FLAG_OLD, STATE_CLEARED, STATE_RAISED,
)
from engine.words cimport (
    VERIFICATION_CONFIRMED, VERIFICATION_FALSE, VERIFICATION_LATE, VERIFICATION_TEST, VERIFICATION_UNCONFIRMED,
)

cdef enum:
    PRIORITY_FALSE = 8           # declared false; its place in the queue
    PRIORITY_LAST = 9            # in test mode

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
    RULE_CANCEL_OF_ALARM = 11
    RULE_LINE_FAULT = 12
    RULE_COUNT = 13

cdef inline Rule rule_of(bint security, bint medical, uint8_t signal_class, uint8_t state,
                         uint16_t condition) noexcept nogil:
    """The rule that a signal falls under. RULE_RESTORE is still a question: whether anything fits, the alarm says."""
    cdef bint chosen
    if signal_class == CLASS_FIRE or signal_class == CLASS_GAS or signal_class == CLASS_PREALARM:
        # Whatever is not a restore raises, also a state we cannot read: a fire is never dropped for its form.
        return RULE_RESTORE if state == STATE_CLEARED else RULE_ALARM
    if signal_class == CLASS_SECURITY or signal_class == CLASS_MEDICAL:
        if state == STATE_CLEARED:
            return RULE_RESTORE      # also when off: an item from before the change must not stay open for good
        chosen = security if signal_class == CLASS_SECURITY else medical
        if not chosen:
            return RULE_CLASS_OFF
        return RULE_ALARM_CHOSEN if state == STATE_RAISED else RULE_STATE
    if condition == CONDITION_CANCELLED or condition == CONDITION_ABORTED or condition == CONDITION_SILENCED:
        return RULE_CANCEL           # a hand at the panel ends no fire; only its restore, or a person's word, does
    if condition == CONDITION_RESET or condition == CONDITION_SYSTEM_RESET:
        # A reset clears nothing by itself: panels send it before the detectors have been asked again, and those that
        # are still in alarm report once more. Which panels mean "all clear" by it is for later rule data to say.
        return RULE_RESET
    return RULE_STATE

cdef inline bint is_off(bint security, bint medical, uint8_t signal_class) noexcept nogil:
    return (signal_class == CLASS_SECURITY and not security) or (signal_class == CLASS_MEDICAL and not medical)

cdef inline bint is_late(uint16_t flags) noexcept nogil:
    """Tell whether a signal was accepted in spite of its stamp (maybe a recording), or was stored at the panel."""
    return (flags & (FLAG_LATE | FLAG_OLD)) != 0

cdef inline uint8_t verification_rank(uint8_t verification) noexcept nogil:
    """Order of verifications: what signals say lets that of an alarm only rise."""
    if verification == VERIFICATION_CONFIRMED:
        return 3
    if verification == VERIFICATION_UNCONFIRMED:
        return 2
    return 1 if verification == VERIFICATION_LATE else 0

cdef inline uint8_t class_urgency(uint8_t signal_class) noexcept nogil:
    """1 is the most urgent: the class of an alarm is that of its most urgent signal."""
    if signal_class == CLASS_FIRE:
        return 1
    if signal_class == CLASS_GAS:
        return 3
    if signal_class == CLASS_PREALARM:
        return 4
    if signal_class == CLASS_MEDICAL:
        return 5
    return 6                                 # security

cdef inline uint8_t priority_of(uint8_t signal_class, uint8_t verification, int shift) noexcept nogil:
    """The place in the queue: 1 is the most urgent. What is said to be false or a test is the last."""
    cdef int priority = class_urgency(signal_class)
    if verification == VERIFICATION_FALSE:
        return PRIORITY_FALSE
    if verification == VERIFICATION_TEST:
        return PRIORITY_LAST
    if signal_class == CLASS_FIRE and verification != VERIFICATION_CONFIRMED:
        priority = 2
    return <uint8_t>min(max(priority + shift, 1), PRIORITY_FALSE - 1)

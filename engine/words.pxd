# What the engine says about signals, as numbers. They are written to disk: never reused, only added to.

cpdef enum Verdict:
    VERDICT_NONE = 0         # the row is no signal
    VERDICT_FORWARD = 1
    VERDICT_HOLD = 2         # never for fire
    VERDICT_SUPPRESS = 3

cpdef enum Reason:
    REASON_NONE = 0
    REASON_ALARM = 1         # its class makes an alarm
    REASON_RESTORE = 2       # it clears something that an alarm holds
    REASON_STATE = 3         # its class is state: stored and queryable, no alarm
    REASON_NO_ALARM_OPEN = 4 # a restore of nothing that is open
    REASON_CLASS_OFF = 5     # security or medical, not turned on
    REASON_CANCELLED = 6     # a cancel or abort: reported with the alarm, clears nothing
    REASON_CANARY = 7        # the engine's own: an event for the engine alone

cpdef enum Verification:
    VERIFICATION_NONE = 0
    VERIFICATION_UNCONFIRMED = 1
    VERIFICATION_CONFIRMED = 2
    VERIFICATION_FALSE = 3
    VERIFICATION_TEST = 4
    VERIFICATION_LATE = 5
    VERIFICATION_CANARY = 6  # no subscriber can ask for it, and it is not stored

cpdef enum EventType:
    EVENT_RAISED = 1
    EVENT_UPDATED = 2
    EVENT_CLEARED = 3

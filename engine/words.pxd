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
    REASON_SECOND_PATH = 8   # open already, and told again by another path
    REASON_TEST = 9          # its facility, transmitter or point is in test mode
    REASON_DISABLED = 10     # its point is disabled at the panel
    REASON_CHATTER = 11      # its point comes and goes; not the first of its signals
    REASON_COINCIDENCE = 12  # a second detector, a second zone or a repetition: the alarm is confirmed by it
    REASON_ANSWERED_TRUE = 13    # a person confirmed the alarm
    REASON_ANSWERED_FALSE = 14   # a person declared it false
    REASON_ACCEPTED = 15     # a subscriber took the alarm over
    REASON_UNACCEPTED = 16   # nobody did within alarms.accept_within
    REASON_CLOSED = 17       # a person ended it
    REASON_MASS_LOSS = 18    # a line fault that is part of a mass loss
    REASON_AT_ONCE = 19      # confirmed by what it is: a call point, water flow, the panel's own second detector
    REASON_AGAIN = 20        # open already, and said again by the same path; of state: nothing changed
    REASON_TEST_ENDED = 21   # its test mode ended while it was open: it counts from now on

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
    EVENT_LOST = 4           # of a network: many paths fell silent together
    EVENT_RESTORED = 5       # of a network

cpdef enum Change:           # the condition of a row of kind change; its fields stand in native, a tab between two
    CHANGE_COMMAND = 0       # JSON; a command to a site
    CHANGE_READING = 1       # identity, revision: the whole registry is read; what it does not name is gone at its end
    CHANGE_READ = 2          # identity, revision: the registry is known up to here
    CHANGE_FACILITY = 3      # id, province, commune, team, kind, way of verification, name; gone: id
    CHANGE_TRANSMITTER = 4   # facility, primary_ms, alternate_ms, alternate_alone_ms, network, window_past_s,
                             # window_future_s, check_clear_stamps, encrypted_only, reject_stale (0 or 1); gone: empty
    CHANGE_POINT = 5         # the row's own point; condition, zone; gone: empty
    CHANGE_TEST = 6          # until_us (0: ended), facility (empty: the row's transmitter and point), by, why
    CHANGE_ANSWER = 7        # alarm id, true or false, by, why
    CHANGE_ACCEPT = 8        # alarm id, by
    CHANGE_CLOSE = 9         # alarm id, by, why
    CHANGE_RULES = 10        # the rules, as JSON
    CHANGE_COUNT = 11

cpdef enum FacilityKind:     # what a building is for, as far as rules ask
    KIND_OTHER = 0
    KIND_RESIDENTIAL = 1
    KIND_HOTEL = 2
    KIND_HOSPITAL = 3
    KIND_SCHOOL = 4
    KIND_OFFICE = 5
    KIND_MARKET = 6
    KIND_ENTERTAINMENT = 7
    KIND_INDUSTRIAL = 8
    KIND_WAREHOUSE = 9
    KIND_FUEL = 10
    KIND_TRANSPORT = 11
    KIND_PUBLIC = 12
    KIND_HERITAGE = 13
    KIND_COUNT = 14

cpdef enum Way:              # how a fire is verified
    WAY_RULES = 0            # as the rules say
    WAY_NONE = 1             # by nobody: it stays unconfirmed unless it confirms itself
    WAY_COINCIDENCE = 2
    WAY_HUMAN = 3
    WAY_AT_ONCE = 4          # of rules alone
    WAY_COUNT = 5

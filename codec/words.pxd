# The words of the domain as numbers. They are written to the journal and the database:
# a number is never reused and never changes its meaning; new ones are added at the end of their group.

cpdef enum Protocol:
    PROTOCOL_ENGINE = 0      # the engine's own rows: line faults, enrolments, ticks
    PROTOCOL_DC09 = 1
    PROTOCOL_GBT26875 = 2
    PROTOCOL_TOCSIN = 3
    PROTOCOL_COUNT = 4

cpdef enum FrameKind:
    FRAME_HEARTBEAT = 0      # says only "I live"
    FRAME_SIGNAL = 1
    FRAME_REPLY = 2
    FRAME_OTHER = 3
    FRAME_KIND_COUNT = 4

cpdef enum RowKind:
    ROW_SIGNAL = 1           # one new thing that a transmitter, or the engine about it, reports
    ROW_ENROLMENT = 2        # a path becomes known; native = its key as text
    ROW_TICK = 3             # a deadline came due; journal time moves on
    ROW_CHANGE = 4           # what people changed; condition = engine.words.Change, native = its fields
    ROW_LEVEL = 5            # a status word, not yet compared with the last one; becomes signals, never journalled
    ROW_LIFE = 6             # the transmitter that the row names lives; never journalled
    ROW_CANARY = 7           # the engine's own, to see that rows come through; no signal of anybody

cpdef enum SignalClass:
    CLASS_NONE = 0
    CLASS_FIRE = 1
    CLASS_GAS = 2
    CLASS_PREALARM = 3
    CLASS_SUPERVISORY = 4
    CLASS_FAULT = 5
    CLASS_DISABLEMENT = 6
    CLASS_TEST = 7
    CLASS_SECURITY = 8
    CLASS_MEDICAL = 9
    CLASS_INFO = 10
    CLASS_COUNT = 11

cpdef enum State:
    STATE_NONE = 0
    STATE_RAISED = 1
    STATE_CLEARED = 2
    STATE_INFO = 3           # has no end
    STATE_COUNT = 4

cpdef enum Condition:
    CONDITION_UNKNOWN = 0
    # fire and prealarm
    CONDITION_FIRE = 1
    CONDITION_SMOKE = 2
    CONDITION_HEAT = 3
    CONDITION_FLAME = 4
    CONDITION_MANUAL_CALL_POINT = 5
    CONDITION_WATERFLOW = 6
    CONDITION_DUCT = 7
    CONDITION_COMBUSTION = 8
    CONDITION_FIRE_CONFIRMED = 9      # the panel itself saw a second point (SIA FM)
    CONDITION_FIRE_UNVERIFIED = 10    # the panel's second point stayed quiet (SIA FG)
    CONDITION_NEAR_ALARM = 11
    CONDITION_EXTINGUISHING = 12      # an extinguishing or sprinkler system released
    # gas
    CONDITION_GAS = 20
    CONDITION_CARBON_MONOXIDE = 21
    # supervisory
    CONDITION_SUPERVISORY = 30
    CONDITION_LOW_WATER_PRESSURE = 31
    CONDITION_LOW_AGENT = 32          # extinguishing agent low (CO2)
    CONDITION_VALVE = 33
    CONDITION_LOW_WATER_LEVEL = 34
    CONDITION_PUMP_RUNNING = 35
    CONDITION_PUMP_FAILED = 36
    CONDITION_HIGH_TEMPERATURE = 37
    CONDITION_LOW_TEMPERATURE = 38
    CONDITION_WATER_LEAK = 39
    # fault
    CONDITION_FAULT = 50
    CONDITION_LINE_FAULT = 51         # a path silent past its supervision time
    CONDITION_MAINS_FAULT = 52
    CONDITION_BATTERY_FAULT = 53
    CONDITION_GROUND_FAULT = 54
    CONDITION_LOOP_FAULT = 55
    CONDITION_DETECTOR_FAULT = 56
    CONDITION_SOUNDER_FAULT = 57
    CONDITION_MODULE_FAULT = 58
    CONDITION_PRINTER_FAULT = 59
    CONDITION_MEMORY_FAULT = 60
    CONDITION_COMMUNICATION_FAULT = 61
    CONDITION_RADIO_FAULT = 62
    CONDITION_TAMPER = 63
    CONDITION_MAINTENANCE = 64
    CONDITION_SUPERVISION_LOST = 65   # the panel misses one of its own devices
    CONDITION_POWER_SUPPLY_FAULT = 66
    CONDITION_SYSTEM_RESET = 67
    # disablement
    CONDITION_DISABLED = 80
    CONDITION_SOUNDER_DISABLED = 81
    CONDITION_SYSTEM_DISABLED = 82
    # test
    CONDITION_TEST = 90
    CONDITION_PERIODIC_TEST = 91
    CONDITION_MANUAL_TEST = 92
    CONDITION_WALK_TEST = 93
    CONDITION_TEST_MODE = 94
    # security and medical
    CONDITION_BURGLARY = 100
    CONDITION_PANIC = 101
    CONDITION_HOLDUP = 102
    CONDITION_DURESS = 103
    CONDITION_OPENING = 104
    CONDITION_CLOSING = 105
    CONDITION_ACCESS = 106
    CONDITION_MEDICAL = 110
    CONDITION_EMERGENCY = 111
    # info
    CONDITION_INFO = 120
    CONDITION_RESET = 121
    CONDITION_SILENCED = 122
    CONDITION_CANCELLED = 123
    CONDITION_ABORTED = 124
    CONDITION_LOG = 125
    CONDITION_PROGRAMMING = 126
    CONDITION_TIME_CHANGED = 127
    CONDITION_REMOTE = 128
    CONDITION_SYSTEM_FAULT = 129      # fault: every supervised path of a transmitter is silent past its time
    CONDITION_COUNT = 130

cpdef enum Flag:
    FLAG_CUT = 1             # point or native text was longer than its limit
    FLAG_CLEANED = 2         # text was no valid UTF-8, or held NUL; raw keeps the bytes
    FLAG_UNKNOWN_CODE = 4    # the code stands in no table; class taken from its family
    FLAG_OLD = 8             # the transmitter says, by a mark or by its own clock, that the event is a stored one
    FLAG_LATE = 16           # accepted although its stamp is outside the window
    FLAG_QUARANTINED = 32    # from an account that is not enrolled
    FLAG_ACCOUNT_DIFFERS = 64  # the account in the data is not the one in the header

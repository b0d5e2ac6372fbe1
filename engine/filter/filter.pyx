"""FILTER: judges signals, keeps alarms, numbers events. The picture stands in `filter.pxd`."""
cimport cython
from libc.stdint cimport INT64_MAX, UINT32_MAX
from libc.string cimport memchr, memset

from codec.batch cimport Batch, NO_PATH, TIME_NONE, Text
from codec.json_text cimport JSON_BYTES_PER_BYTE, json_string
from codec.words cimport (
    CLASS_DISABLEMENT, CLASS_FIRE, CONDITION_LINE_FAULT, FLAG_QUARANTINED, PROTOCOL_ENGINE, ROW_CANARY, ROW_CHANGE,
    ROW_ENROLMENT, ROW_SIGNAL, ROW_TICK, STATE_CLEARED, STATE_RAISED,
)
from engine.filter.acceptance cimport Awaited, acceptance_destroy, acceptance_first, acceptance_push
from engine.filter.alarms cimport (
    ANSWER_FALSE, ANSWER_NONE, ANSWER_TRUE, KEPT_NEW, KEPT_OPEN, KEPT_OPEN_ELSEWHERE, NO_SLOT, Item, Kept, alarm_empty,
    alarm_is_open, alarm_keep, alarm_release, alarms_add, alarms_check, alarms_create, alarms_destroy, alarms_end,
    alarms_find, alarms_free, alarms_remove, alarms_seek, alarms_with, place_hash,
)
from engine.filter.event cimport SOURCE_BYTES_MAX, event_bytes_max, event_push, said_of, volatile_hash
from engine.filter.listing cimport alarm_row, name_text
from engine.filter.losses cimport (
    Loss, losses_check, losses_create, losses_deadline, losses_destroy, losses_due, losses_note, losses_place,
)
from engine.filter.outcome cimport NO_ROW
from engine.filter.place cimport LANE_REAL, LANE_TEST, place_of, place_of_facility
from engine.filter.registry cimport (
    NO_FACILITY, NO_POINT, NO_TRANSMITTER, Fields, Point, facility_change, facility_find, field_next, field_number,
    fields_of, name_hash, path_joins, point_add, point_change, point_find, reading_begins, reading_ends,
    registry_check, registry_create, registry_destroy, text_hash, transmitter_add, transmitter_change,
    transmitter_find,
)
from engine.filter.rulebook cimport FIRST_BOOK_RULE, book_compile, book_match
from engine.filter.rules cimport (
    RULE_ALARM, RULE_ALARM_CHOSEN, RULE_CANARY, RULE_CANCEL, RULE_CANCEL_OF_ALARM, RULE_CLASS_OFF, RULE_COUNT,
    RULE_LINE_FAULT, RULE_NO_ALARM_OPEN, RULE_NONE, RULE_RESTORE, RULE_STATE, RULE_UNTRACKED, class_urgency, is_fiery,
    is_late, priority_of, rule_of, verification_rank,
)
from engine.filter.snapshot cimport filter_load, filter_save
from engine.filter.states cimport (
    STATE_CHANGE_NONE, states_check, states_create, states_destroy, states_note, states_open,
)
from engine.filter.verify cimport SECOND_NS, coincides, flap_note
from engine.words cimport (
    CHANGE_ACCEPT, CHANGE_ANSWER, CHANGE_CLOSE, CHANGE_FACILITY, CHANGE_POINT, CHANGE_READ, CHANGE_READING,
    CHANGE_RULES, CHANGE_TEST, CHANGE_TRANSMITTER, EVENT_CLEARED, EVENT_LOST, EVENT_RAISED, EVENT_RESTORED,
    EVENT_UPDATED, REASON_ACCEPTED, REASON_AGAIN, REASON_ALARM, REASON_ANSWERED_FALSE, REASON_ANSWERED_TRUE,
    REASON_AT_ONCE, REASON_CANARY, REASON_CANCELLED, REASON_CHATTER, REASON_CLASS_OFF, REASON_CLOSED,
    REASON_COINCIDENCE, REASON_DISABLED, REASON_MASS_LOSS, REASON_NO_ALARM_OPEN, REASON_NONE, REASON_RESTORE,
    REASON_SECOND_PATH, REASON_STATE, REASON_TEST, REASON_TEST_ENDED, REASON_UNACCEPTED, VERDICT_FORWARD,
    VERDICT_NONE, VERDICT_SUPPRESS, VERIFICATION_CANARY, VERIFICATION_CONFIRMED, VERIFICATION_FALSE,
    VERIFICATION_LATE, VERIFICATION_NONE, VERIFICATION_TEST, VERIFICATION_UNCONFIRMED, WAY_AT_ONCE, WAY_COINCIDENCE,
    WAY_RULES,
)

from codec.words import CLASS_TEXT
from engine.filter.rulebook import Rulebook, default_rulebook
from engine.filter.rules import RULE_NAME
from engine.filter.test_modes import TestMode, TestModes
from engine.words import REASON_TEXT, VERDICT_TEXT

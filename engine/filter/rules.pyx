"""The rules of the engine's own by number, with a line for people each. What they do stands in `rules.pxd`."""
from codec.words import text

RULE_NAME = text(Rule, "RULE_")
RULE_TEXT = {
    int(RULE_ALARM): "fire, gas or prealarm raised: forwarded at once; the rule that fits says how it is verified",
    int(RULE_RESTORE): "a restore of something open: the alarm is updated, or cleared when nothing of it is open",
    int(RULE_NO_ALARM_OPEN): "a restore of nothing that is open: stored, no event",
    int(RULE_ALARM_CHOSEN): "security or medical raised, turned on in the configuration: forwarded like an alarm",
    int(RULE_CLASS_OFF): "security or medical, not turned on in the configuration: stored, no event",
    int(RULE_STATE): "its class is state, not alarm: stored and queryable, no event",
    int(RULE_CANCEL): "cancelled, aborted or silenced at the panel: stored as state, clears nothing",
    int(RULE_RESET): "reset at the panel: stored as state, clears nothing by itself",
    int(RULE_UNTRACKED): "raised while the alarm table is full: forwarded as an alarm of its own that is not kept",
    int(RULE_CANCEL_OF_ALARM): "cancelled or aborted at the panel soon after its alarm: told with it, nothing ends",
    int(RULE_LINE_FAULT): "a path silent past its time, or heard again: state, maybe part of a mass loss",
    int(RULE_CANARY): "the engine's own canary: an event that no subscriber is given; no alarm is kept of it",
}

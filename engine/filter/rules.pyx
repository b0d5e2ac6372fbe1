"""The rules by number, with a line for people each. What they do stands in `rules.pxd`."""

RULE_VERSION = RULES_VERSION

RULE_TEXT = {
    int(RULE_ALARM): "fire, gas or prealarm raised: forwarded at once, as a new alarm or an update of the open one",
    int(RULE_RESTORE): "a restore of something open: the alarm is updated, or cleared when nothing of it is open",
    int(RULE_NO_ALARM_OPEN): "a restore of nothing that is open: stored, no event",
    int(RULE_ALARM_CHOSEN): "security or medical raised, turned on in the configuration: forwarded like an alarm",
    int(RULE_CLASS_OFF): "security or medical, not turned on in the configuration: stored, no event",
    int(RULE_STATE): "its class is state, not alarm: stored and queryable, no event",
    int(RULE_CANCEL): "cancelled, aborted or silenced at the panel: stored as state, clears nothing",
    int(RULE_RESET): "reset at the panel: stored as state, clears nothing by itself",
    int(RULE_UNTRACKED): "raised while the alarm table is full: forwarded as an alarm of its own that is not kept",
    int(RULE_CANARY): "the engine's own canary: an event that no subscriber is given; no alarm is kept of it",
}

from enum import IntEnum

class Rule(IntEnum):
    """The numbers of the rules, as stored beside verdicts."""

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

RULE_NAME: dict[int, str]
"""The name of each rule, as events say it, by number."""

RULE_TEXT: dict[int, str]
"""One line for people about each rule, by number."""

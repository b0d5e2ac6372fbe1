"""The words of the domain and their texts: protocol, class, condition, state, row and frame kind.

The numbers stand in `words.pxd`. `text(enum)` gives the names as they appear in JSON, SQL and metrics.
"""


def text(members, prefix: str) -> dict[int, str]:
    """Map each number of an enum to its lower-case name without `prefix`; counts are left out."""
    return {int(member): name.removeprefix(prefix).lower()
            for name, member in members.__members__.items() if not name.endswith("_COUNT")}


PROTOCOL_TEXT = text(Protocol, "PROTOCOL_")
PROTOCOL_NUMBER = {name: number for number, name in PROTOCOL_TEXT.items()}
FRAME_KIND_TEXT = text(FrameKind, "FRAME_")
ROW_KIND_TEXT = text(RowKind, "ROW_")
CLASS_TEXT = text(SignalClass, "CLASS_")
STATE_TEXT = text(State, "STATE_")
CONDITION_TEXT = text(Condition, "CONDITION_")
FLAG_TEXT = text(Flag, "FLAG_")

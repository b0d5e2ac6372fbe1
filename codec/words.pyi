from enum import IntEnum
from typing import Any

# The members stand in words.pxd.
Protocol: Any
FrameKind: Any
RowKind: Any
SignalClass: Any
State: Any
Condition: Any
Flag: Any

PROTOCOL_TEXT: dict[int, str]
PROTOCOL_NUMBER: dict[str, int]
FRAME_KIND_TEXT: dict[int, str]
ROW_KIND_TEXT: dict[int, str]
CLASS_TEXT: dict[int, str]
STATE_TEXT: dict[int, str]
CONDITION_TEXT: dict[int, str]
FLAG_TEXT: dict[int, str]

def text(members: type[IntEnum], prefix: str) -> dict[int, str]:
    """Map each number of an enum to its lower-case name without `prefix`; counts are left out."""

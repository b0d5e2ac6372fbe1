from typing import Any

# The members stand in words.pxd.
Verdict: Any
Reason: Any
Verification: Any
EventType: Any
Change: Any
FacilityKind: Any
Way: Any

VERDICT_TEXT: dict[int, str]
REASON_TEXT: dict[int, str]
VERIFICATION_TEXT: dict[int, str]
EVENT_TEXT: dict[int, str]
CHANGE_TEXT: dict[int, str]
KIND_TEXT: dict[int, str]
WAY_TEXT: dict[int, str]

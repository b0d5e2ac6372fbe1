"""What the engine says and what people change, as numbers, and their texts in JSON, SQL and metrics."""
from codec.words import text

VERDICT_TEXT = text(Verdict, "VERDICT_")
REASON_TEXT = text(Reason, "REASON_")
VERIFICATION_TEXT = text(Verification, "VERIFICATION_")
EVENT_TEXT = text(EventType, "EVENT_")
CHANGE_TEXT = text(Change, "CHANGE_")
KIND_TEXT = text(FacilityKind, "KIND_")
WAY_TEXT = text(Way, "WAY_")

"""Verdicts, reasons, verifications and event types, and their texts in JSON, SQL and metrics."""
from codec.words import text

VERDICT_TEXT = text(Verdict, "VERDICT_")
REASON_TEXT = text(Reason, "REASON_")
VERIFICATION_TEXT = text(Verification, "VERIFICATION_")
EVENT_TEXT = text(EventType, "EVENT_")

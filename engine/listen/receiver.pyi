from typing import Any

from codec.batch import Batch
from engine.heartbeats import HeartbeatLog
from engine.intake import Intake
from engine.listen.enrolment import Enrolment
from engine.listen.refused import RefusedFrames
from engine.paths import PathTable

class Receiver:
    """What one frame leads to; UDP and TCP share it."""

    def __init__(self, paths: PathTable, enrolment: Enrolment, intake: Intake, refused: RefusedFrames,
                 heartbeats: HeartbeatLog) -> None: ...
    def enrol_again(self, lost: Batch) -> None:
        """Offer the enrolments of a batch that could not be journalled once more, for the rows that came after them."""
    def counts(self) -> dict[str, Any]:
        """Return what was counted: frames, rejected, replies and shed by label texts, and plain numbers."""

from typing import Any

from engine.heartbeats import HeartbeatLog
from engine.intake import Intake
from engine.listen.commands import Command
from engine.listen.enrolment import Enrolment
from engine.listen.refused import RefusedFrames
from engine.listen.replays import Replays
from engine.listen.windows import Windows
from engine.paths import PathTable

class Tally:
    """What one receiver thread counts."""

class Receiver:
    """What one frame leads to; UDP and TCP share it."""

    replays: Replays

    def __init__(self, paths: PathTable, enrolment: Enrolment, intake: Intake, refused: RefusedFrames,
                 heartbeats: HeartbeatLog, replays: Replays | None = None,
                 windows: Windows | None = None) -> None: ...
    def tally(self) -> Tally:
        """Return counters for one more thread, which `counts` counts in."""
    def queue_command(self, number: int, command: Command) -> bool:
        """Let a command wait for the next frame of a path; False when too many wait already. Raises IndexError."""
    def commands_of(self, number: int, now_ns: int) -> list[Command]:
        """Return the last commands of a path, and those that wait."""
    def counts(self) -> dict[str, Any]:
        """Return what was counted: frames, rejected, replies and shed by label texts, and plain numbers."""

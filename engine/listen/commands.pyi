from dataclasses import dataclass

@dataclass(slots=True)
class Command:
    """A command to a site: number for people, what goes out, what was asked for and by whom; waiting, sent, expired."""

    number: int
    data: bytes
    text: str
    by: str
    queued_ns: int
    expires_ns: int
    state: str = "waiting"
    sent_ns: int | None = None

class Commands:
    """What waits for the next frame of each path, and what went out last."""

    def __init__(self) -> None: ...
    def queue(self, path: int, command: Command) -> bool:
        """Let a command wait for its path; False when too many wait already. Raises ValueError when it is too long."""
    def waits(self, path: int) -> bool:
        """Tell whether a command waits for a path."""
    def shown(self, path: int, now_ns: int) -> list[Command]:
        """Return the last ones that are done with, then those that wait, of a path."""
    def finish(self, path: int, command: Command, state: str, sent_ns: int | None) -> None: ...

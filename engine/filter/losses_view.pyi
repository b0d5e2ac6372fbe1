from typing import Any

class LossesTable:
    """Mass losses among supervised paths; what is told, and when, stands in losses.pxd.

    paths_max  numbers of paths
    rules      everywhere: members, share, within_ns, settle_ns, restored_share
    Raises     MemoryError
    """

    def __init__(self, paths_max: int) -> None: ...
    def place(self, path: int, area: bytes, group: bytes) -> None:
        """A path is supervised, or moves to another area or group."""
    def drop(self, path: int) -> None:
        """A path is supervised no longer."""
    def note(self, path: int, raised: bool, received_ns: int, rules: tuple[int, float, int, int, float]) -> bool:
        """A line fault is raised or cleared; return whether the path is part of a mass loss, told or about to be."""
    def note_many(self, paths: bytes, raised: bool, received_ns: int,
                  rules: tuple[int, float, int, int, float]) -> int:
        """The same of many at once, 4 bytes each in the machine's order; return how many are part of one."""
    def deadline(self) -> int | None:
        """Return when `due` wants to be called, in ns since 1970."""
    def due(self, now_ns: int, number: int, rules: tuple[int, float, int, int, float]) -> bytes | None:
        """Return one thing to tell as JSON, or None; to be called until it is None.

        number  of the row that brought the time; the id of a loss that begins
        """
    def standing(self) -> list[dict[str, Any]]:
        """Return the losses that stand, in the order of ids, with the keys of an event's data and the counts of now."""
    def save(self) -> list[bytes]:
        """Return the state as parts of at most some 1 MiB each, to be joined; equal states give equal bytes."""
    def load(self, saved: bytes) -> None:
        """Take over a saved state. Raises ValueError and keeps the old one."""
    def check(self) -> None:
        """Raise AssertionError unless the counts are those of the paths. Walks everything."""

from collections.abc import Iterator

from engine.paths import PathTable

class Touches:
    """When each path was last heard, and who was given time by a start and is silent since."""

    def __init__(self, paths: PathTable) -> None: ...
    def ages(self, count: int, now_ms: int) -> Iterator[bytes]:
        """Return 4 bytes for each of the first `count` paths, in chunks, to be drawn on any thread.

        now_ms  listening time; frames may touch paths meanwhile
        """
    def load(self, ages: bytes, now_ms: int) -> None:
        """Take over what `ages` gave at listening time `now_ms`; paths that are not in the table are passed over."""
    def resume(self, now_ms: int, grace_ms: int, known: int, *, exact: bool, life_ms: int) -> None:
        """Give every path its time at a start.

        grace_ms  what each gets at least, or its whole time where that is less; once in a silence
        known     so many paths were there when times were written; the others have just been enrolled
        exact     whether every frame before the stop is known. If not, the grace comes on top of what is left
        life_ms   for how long the engine listened before. A life shorter than half of the grace was no chance to be
                  heard, and does not count as one
        """

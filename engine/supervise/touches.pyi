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
    def resume(self, now_ms: int, grace_ms: int, known: int, *, life_ms: int) -> None:
        """Give every path its time at a start.

        grace_ms  comes on top of what each has left, up to its whole time, once in a silence: it may have
                  spoken while nobody listened, and after a kill the last second is not known
        known     so many paths were there when times were written; the others have just been enrolled
        life_ms   for how long the engine listened before. A life shorter than half of the grace was no chance to be
                  heard, and does not count as one
        """

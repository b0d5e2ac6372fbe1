DUE_MAX: int

class Wheel:
    """A timing wheel over ids 0..ids_max-1, in ms of one monotonic clock; a tick is 64 ms.

    ids_max   1..2147483647; memory is reserved for all of them and paid for when an id is first filed, 8 bytes each
    now_ms    where the clock stands
    Raises    ValueError, MemoryError

    These methods are for tests and for control; the hot side is in C, with the same meaning (`wheel.pxd`).
    """

    def __init__(self, ids_max: int, now_ms: int = 0) -> None: ...
    def add(self, id: int, deadline_ms: int) -> None:
        """File `id`, again if it is filed (C: file). A deadline in the past comes out at the next tick."""
    def discard(self, id: int) -> None:
        """Take `id` out if it is in (C: remove)."""
    def __contains__(self, id: int) -> bool: ...
    def __len__(self) -> int:
        """Return how many ids are in, those included that came out and were not fetched."""
    def collect(self, now_ms: int, due_max: int = 4096) -> list[int]:
        """Take out and return at most `due_max` (1..65536) ids whose slot has come (C: advance).

        An id comes out less than one tick after its deadline, or early by less than the length of a slot of the
        level that its deadline lay in when it was filed: the caller looks, and files it again. As many as `due_max`
        mean: call again. The work of one call is bounded; after a long jump it may stop before `now_ms`.
        """
    def is_behind(self, now_ms: int) -> bool:
        """Return whether another call is needed to reach `now_ms` (C: behind)."""
    def check(self) -> None:
        """Raise AssertionError unless every list is whole and every filed id is in exactly one."""

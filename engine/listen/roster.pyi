from collections.abc import Iterator

class Roster:
    """Transmitters that are named beforehand, and their keys; used through Enrolment."""

    count: int
    keyed: int

    def __init__(self, room: int, hash_first: int, hash_second: int) -> None: ...
    def chunks(self, count: int, head: bytes) -> Iterator[bytes]: ...
    def load(self, saved: bytes | memoryview, count: int, realms: list[int]) -> int: ...

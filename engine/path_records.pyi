from engine.path_naming import NamedTimes

class PathRecords:
    """The records of the path table, by number.

    paths_max  records that memory is reserved for;  hash_key  16 random bytes
    """

    listeners: list[tuple[str, str]]
    peer_changes: int
    named: NamedTimes
    shared: bool
    """Whether receiver threads touch paths too."""
    observing: bool
    """Whether the silences of each quarter of an hour are kept."""

    def __init__(self, paths_max: int, hash_key: bytes) -> None: ...
    def __len__(self) -> int: ...
    def listener(self, name: str, realm: str) -> int:
        """Return the number of a listener, a new one if need be. Raises ValueError beyond 256 or 63 characters."""
    def key_text(self, number: int) -> str:
        """Return a path's key, such as `dc09:0123@north/default/R1/L0`. Raises IndexError."""
    def transmitter_text(self, number: int) -> str:
        """Return the key of a path's transmitter, such as `dc09:0123@north`. Raises IndexError."""
    def paths_of(self, transmitter: str) -> list[int]:
        """Return the numbers of a transmitter's paths; none when it is unknown."""

from codec.batch import Batch

LINE_FIELDS: dict[str, int]

class ChangeRows:
    """Turns the lines of text COPYs into rows of kind change.

    rows_max, arena_max  of its batch
    """

    batch: Batch
    refused: int
    named: list[tuple[str, str, str]]

    def __init__(self, rows_max: int, arena_max: int) -> None: ...
    def begin_reading(self, received_ns: int) -> None:
        """Forget what was left of a reading before, and what it refused. received_ns: of the rows, wall clock."""
    def mark(self, change: int, identity: str, revision: int) -> None:
        """Add a row CHANGE_READING or CHANGE_READ; the batch has room."""
    def begin(self, line: str) -> None:
        """Say what the lines that follow are: a name of LINE_FIELDS. Raises ValueError when the last one broke off."""
    def feed(self, data: bytes | bytearray, at: int = 0) -> int:
        """Read lines from data[at:]; return up to where. Less than all of it: the batch is full."""

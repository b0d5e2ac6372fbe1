class Outcome:
    """The verdicts on the rows of one batch and the events that they made, as structs of arrays.

    rows_max, events_max  slots;  arena_max  bytes for the events' text
    """

    def __init__(self, rows_max: int = 0, events_max: int = 0, arena_max: int = 0) -> None: ...
    def __len__(self) -> int:
        """Return the number of verdicts, which is the number of rows of the batch."""
    @property
    def events_in(self) -> int:
        """The number of events."""
    def clear(self) -> None: ...
    def encode(self) -> bytes:
        """Return it as bytes that `view` reads in place; equal outcomes give equal bytes."""
    @staticmethod
    def view(encoded: bytes) -> Outcome:
        """Return a read-only outcome over `encoded`, which it keeps alive. Raises ValueError."""
    def blocks(self, *, numbered: bool = True) -> bytes:
        """Return the Server-Sent Events blocks of all events but a canary's, one after the other.

        numbered  False: without their `id:` lines, so that no subscriber resumes behind them
        """
    def verdict(self, row: int) -> dict[str, object]:
        """Return verdict, reason, rule and rule_version of one row. Raises IndexError."""
    def event(self, index: int) -> dict[str, object]:
        """Return one event's columns, its JSON and its Server-Sent Events block. Raises IndexError."""

from codec.batch import Batch

class StatesTable:
    """The open conditions of transmitters, by slot; what ends what stands in states.pxd.

    transmitters_max  slots;  items_max  things open in all
    Raises            MemoryError
    """

    def __init__(self, transmitters_max: int, items_max: int) -> None: ...
    def note(self, transmitter: int, signal_class: int, condition: int, state: int, point: bytes, signal: int,
             received_ns: int) -> str:
        """Take in one signal; return what it changed: none, raised or cleared."""
    def note_batch(self, first: int, batch: Batch, transmitters: bytes) -> int:
        """Take in every row, whose first has the number `first`; return how many changed something.

        transmitters  the slot of each row, 4 bytes each in the machine's order
        """
    def open(self, transmitter: int, signal_class: int, point: bytes) -> bool:
        """Tell whether anything of a class is open with exactly this point."""
    def rows(self, transmitter: int) -> list[dict[str, str]]:
        """Return what is open at one transmitter, in the order of raising.

        Keys  class, condition, point, signal_id (of the signal that raised it), since
        """
    def counts(self) -> dict[str, int]:
        """Return how many are open of each condition that has any."""
    def stale(self, before_ns: int, after: int = -1, limit: int = 100) -> list[int]:
        """Return the slots above `after` with something open since before a time, at most `limit`, rising."""
    def transmitters_with(self, condition: int, after: int = -1, limit: int = 100) -> list[int]:
        """Return the slots above `after` with a condition open, at most `limit`, rising."""
    def save(self) -> list[bytes]:
        """Return the state as parts of at most some 1 MiB each, to be joined; equal states give equal bytes."""
    def load(self, saved: bytes) -> None:
        """Take over a saved state. Raises ValueError and keeps the old one."""
    def check(self) -> None:
        """Raise AssertionError unless lists, masks and counts agree. Walks everything."""
    @property
    def unkept(self) -> int:
        """What was raised and found no room, ever."""
    @property
    def items_open(self) -> int:
        """What is open in all."""

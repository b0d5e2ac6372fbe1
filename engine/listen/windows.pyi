from codec.batch import Batch

class Windows:
    """The counters of the Tocsin profile, by key; at least `keys` of them."""

    count: int
    repeated: int
    stale: int

    def __init__(self, keys: int) -> None: ...
    def apply(self, batch: Batch) -> None:
        """Take in the messages of a journalled batch, after a restart."""
    def save(self) -> bytes:
        """Return all windows."""
    def load(self, saved: bytes) -> None:
        """Fill in what `save` gave. Raises ValueError when it is no such thing."""

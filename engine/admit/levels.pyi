class Levels:
    """The last status word of each component that is not quiet.

    entries_max  components;  changes_max  words and resets that may wait for their append;  hash_key  16 random bytes
    """

    unremembered: int

    def __init__(self, entries_max: int, changes_max: int, hash_key: bytes) -> None: ...
    def __len__(self) -> int:
        """Return how many components are remembered."""
    def save(self) -> bytes:
        """Return every durable word that is not quiet, with the key of the hashes."""
    def load(self, saved: bytes) -> None:
        """Fill an empty memory from what `save` gave; what finds no room is forgotten and counted.

        Raises  ValueError when it is no such thing
        """
    def check(self) -> None:
        """Raise AssertionError unless every entry is found by its key and what waits is in order."""

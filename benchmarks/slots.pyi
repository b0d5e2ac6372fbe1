class Slots:
    """`count` slots of 64 bytes."""

    def __init__(self, count: int) -> None: ...
    def change(self, numbers: bytes) -> None:
        """Read, change and write all 64 bytes of each slot named, 4 bytes each in the machine's order."""

from collections.abc import Iterator

PIECE_BYTES: int

def pieces(owner: object, arrays: list[tuple[int, int]], count: int, chunk: int) -> Iterator[bytes]:
    """Yield `chunk` records of each array in turn until there were `count`.

    owner   is kept alive meanwhile;  arrays  [(address, bytes of a record)]
    """

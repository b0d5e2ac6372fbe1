class TcpConnections:
    """Non-blocking TCP sockets, borrowed: their owner keeps them open and closes them.

    Raises  ValueError when there is none, MemoryError
    """

    def __init__(self, fds: list[int]) -> None: ...
    def broken(self) -> list[int]:
        """Return the indices of the connections that broke and wait to be opened again."""
    def reopened(self, connection: int, fd: int) -> None:
        """Put a new socket in the place of a broken one."""
    def counts(self) -> dict[str, int]:
        """Return messages (writes), unsendable (frames), errors (connections lost) and garbage (bytes)."""

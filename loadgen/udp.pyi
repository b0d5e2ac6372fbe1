class UdpSockets:
    """Connected, non-blocking UDP sockets, borrowed: their owner keeps them open and closes them.

    segment  let the kernel cut groups of equal frames into datagrams, where it can
    Raises   ValueError unless there are 1..65535 of them, MemoryError
    """

    def __init__(self, fds: list[int], segment: bool = True) -> None: ...
    def counts(self) -> dict[str, int]:
        """Return messages (sends), unsendable (frames), errors, and segments (frames a message at most)."""

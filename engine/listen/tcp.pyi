import asyncio
from collections.abc import Callable

from engine.clock import Clock
from engine.histogram import Histogram
from engine.listen.receiver import Receiver
from engine.listen.shares import Shares
from engine.supervise.listening import ListeningClock

class TcpListener:
    """The connections of one TCP socket.

    connections_max, held_per_connection_max, held_max   counts;  garbage_bytes_max  bytes
    idle_ns    a connection without a frame for so long is closed
    frame_ns   a frame that began must end within this
    on_rows    called after each read: the intake may hold rows
    """

    connections: set[TcpConnection]
    closing: dict[TcpConnection, int]
    shares: Shares
    closed: dict[str, int]
    draining: bool
    @property
    def held_in(self) -> int:
        """Replies that wait, of all connections."""
    def __init__(self, receiver: Receiver, clock: Clock, listening: ListeningClock, listener: int,
                 heartbeat_latency: Histogram, signal_latency: Histogram, *, connections_max: int,
                 held_per_connection_max: int, held_max: int, garbage_bytes_max: int, idle_ns: int,
                 frame_ns: int, on_rows: Callable[[], object],
                 protocol: int = 0) -> None: ...
    def connection(self) -> TcpConnection:
        """Make the protocol object of a new connection; the factory that the event loop calls."""
    def count_closed(self, reason: str) -> None: ...
    def refuse(self, connection: TcpConnection, reason: str) -> None:
        """Close a new connection at once for want of room, and count it."""
    def drops(self) -> int:
        """Return how often frames may have been lost here by our own doing."""
    def release(self, durable: int) -> None:
        """Write every reply whose ticket is at most `durable`, in order, and read on where that stopped it."""
    def withhold(self, failed: int) -> None:
        """Close the connections that wait for a ticket up to `failed`."""
    def sweep(self) -> None:
        """Close connections that are idle, or whose frame does not end; cut off closed ones that do not go."""
    def drain(self) -> None:
        """Take no further frames; close each connection when its held replies are out."""

class TcpConnection(asyncio.BufferedProtocol):
    """One connection; the event loop calls it."""

    @property
    def held_in(self) -> int:
        """Replies that wait."""
    def connection_made(self, transport: asyncio.BaseTransport) -> None: ...
    def get_buffer(self, sizehint: int) -> memoryview: ...
    def buffer_updated(self, size: int) -> None: ...
    def eof_received(self) -> bool: ...
    def pause_writing(self) -> None: ...
    def resume_writing(self) -> None: ...
    def connection_lost(self, error: Exception | None) -> None: ...
    def release(self, durable: int) -> None: ...
    def read_on(self) -> None: ...
    def close(self, reason: str) -> None: ...
    def cut_off(self) -> None: ...
    def forget_held(self) -> None: ...
    def note_peer(self, peername: tuple[str, int] | None) -> None: ...

import asyncio
import socket as sockets

from engine.listen.tcp import TcpListener

class TcpServer:
    """Accepts and serves the plain TCP connections of one listener.

    socket   listens, non-blocking; owned
    Raises   OSError
    """

    resting: asyncio.TimerHandle | None

    def __init__(self, listener: TcpListener, socket: sockets.socket, loop: asyncio.AbstractEventLoop) -> None: ...
    @property
    def sockets(self) -> tuple[sockets.socket, ...]:
        """The socket that listens; none when closed."""
    def close(self) -> None:
        """Accept nobody any more; those who are connected stay."""
    def leave_loop(self) -> None: ...
    def watch_for_new(self) -> None: ...
    def on_ready(self) -> None:
        """Take what is ready."""
    def on_gone(self, transport: object) -> None: ...

import socket as sockets

from engine.clock import Clock
from engine.histogram import Histogram
from engine.listen.receiver import Receiver
from engine.supervise.listening import ListeningClock

class UdpListener:
    """One UDP socket: receives, answers, and holds the replies that wait for the journal.

    socket    bound and non-blocking;  listener  its number in path keys
    protocol  the number of the one protocol that it takes, 0 = any
    held_max  replies that may wait; beyond, a signal gets none and its transmitter sends again. To a heartbeat half of
              the places are open, to test and info three quarters, to other signals seven eighths, to fire all
    """

    socket: sockets.socket
    wakeups: int

    @property
    def held_in(self) -> int:
        """Replies that wait."""
    def __init__(self, receiver: Receiver, clock: Clock, listening: ListeningClock, socket: sockets.socket,
                 listener: int, held_max: int, heartbeat_latency: Histogram, signal_latency: Histogram,
                 protocol: int = 0) -> None: ...
    def ask_for_called_address(self) -> None:
        """On a socket bound to every address: let each reply leave from the address that was called."""
    def drops(self) -> int:
        """Return how often frames may have been lost here by our own doing."""
    def kernel_drops(self) -> int:
        """Return the datagrams that the kernel dropped because the socket's buffer was full."""
    def on_readable(self) -> int:
        """Take what has arrived, at most 512 datagrams; return how many. Raises OSError."""
    def release(self, durable: int) -> int:
        """Send every reply whose ticket is at most `durable`; return how many."""
    def sweep(self) -> None:
        """Send what the socket did not take before. Called about once a second: no datagram may come that does it."""
    def withhold(self, failed: int) -> None:
        """Drop every reply that waits for a ticket up to `failed`, and is not durable."""

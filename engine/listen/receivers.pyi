from engine.listen.udp import UdpListener

STOP_S_MAX: float
SCRATCH_ROWS: int
SCRATCH_BYTES: int

class ReceiverThread(UdpListener):
    """The half of a socket that a thread has: it reads, answers clear heartbeats, and hands everything else over.

    failed  errno of the error that ended it; 0: none did
    """

    failed: int

    def start(self) -> None:
        """Begin to read."""
    def run(self) -> None:
        """What the thread does: read until told to stop, or until an error that nothing can be done about."""
    def stop(self) -> bool:
        """End the thread within some ms; False where it did not within 5 s."""

class ReceiverListener(UdpListener):
    """One UDP socket of several at one address: a thread reads it, this half does on the loop what the thread leaves.

    Takes what UdpListener takes. `on_readable` is to be called when `wake_fd` is readable, and not the socket; it
    raises RuntimeError when the thread has ended by an error.
    """

    hearing: ReceiverThread

    @property
    def wake_fd(self) -> int:
        """The eventfd that is readable when the thread has handed something over."""
    def start(self) -> None:
        """Let the thread read."""
    def stop(self) -> bool:
        """End the thread; what it handed over waits for `on_readable`. False where it did not end within 5 s."""
    def deaf_ms(self) -> int:
        """Return for how many ms the thread has not been at its socket; 0 where that is shorter than a stall."""
    def drops(self) -> int:
        """Return how often frames may have been lost here by our own doing: in the kernel, and before the ring."""
    def on_readable(self) -> int:
        """Take what the thread has handed over. Raises RuntimeError when the thread has ended by an error."""

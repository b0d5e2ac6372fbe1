from enum import IntEnum

from loadgen.client import Speaker
from loadgen.latency import Recorder

RETRY_SECONDS: tuple[int, ...]
SLOTS_EACH_MIN: int
SLOTS_EACH_MAX: int

class Outcome(IntEnum):
    OUTCOME_UNSENT = 0
    OUTCOME_WAITS = 1
    OUTCOME_ACKNOWLEDGED = 2
    OUTCOME_GIVEN_UP = 3
    OUTCOME_WITHHELD = 4

def slots_each(transmitters: int, rate: float) -> int:
    """Return how many frames of one transmitter may be outstanding: two seconds of its share, a power of two."""

class Transmitters:
    """A fleet's frames, replies and latencies. The methods that take single frames are for tests.

    account_first  number of the first account; the others follow it
    digits         hex digits of every account, 4..15
    count          transmitters, 1 and up
    slots          frames of one transmitter that may be outstanding, a power of two
    signals_max    signals of the whole run
    run            1..32 bytes that no other run has; stands in every signal's text
    speaker        what the transmitters say; None: plain DC-09
    number_first   number of the first signal; groups of one run share one row of numbers
    Raises         ValueError, MemoryError
    """

    heartbeat_latency: Recorder
    signal_latency: Recorder
    def __init__(
        self, account_first: int, digits: int, count: int, slots: int, signals_max: int, run: bytes, *,
        speaker: Speaker | None = None, number_first: int = 0,
    ) -> None: ...
    def heartbeat(self, transmitter: int, due_ns: int, second: int) -> bytes:
        """Return the next heartbeat of a transmitter, stamped `second`; empty when it is withheld."""
    def signal(self, transmitter: int, due_ns: int, now_ns: int, second: int) -> bytes:
        """Return the next signal of a transmitter; empty when it is withheld."""
    def retry(self, now_ns: int) -> bytes:
        """Return the bytes of the next retransmission that is due, empty when there is none."""
    def reply(self, data: bytes, now_ns: int, second: int = 0) -> None:
        """Take one received frame; `second` is our clock's, for replies whose time is checked."""
    def counts(self) -> dict[str, int]:
        """Return the counters by name."""
    def outcomes(self) -> bytes:
        """Return the Outcome of each signal, one byte each, by its number."""

from collections.abc import Iterator, Sequence

from codec.batch import Batch
from engine.intake import Intake
from engine.listen.registered import FrameRules, Registered
from engine.paths import PathTable

class Enrolment:
    """What to do with an account that is not in the path table.

    policy          enrol | quarantine | refuse
    rate            enrolments a second, with a burst of one second's worth; beyond: quarantine
    limit           paths in the table beyond which nobody is enrolled unasked
    supervision_ms  for transmitters that `registered` does not name; 0 = none
    registered      (protocol number, account, realm, supervision ms, key); these are always enrolled. The key has
                    16, 24 or 32 bytes, or none where the frames come in clear. FrameRules may follow

    named     transmitters that the registry names now
    no_room   changes of the registry that found no room
    keyed     transmitters with a key
    window_s  past and future together, the widest of the registry's
    """

    enrolled: int
    quarantined: int
    refused: int
    named: int
    no_room: int
    window_s: int

    def __init__(self, paths: PathTable, policy: str, rate: float, limit: int, supervision_ms: int,
                 registered: Sequence[Registered]) -> None: ...
    @property
    def keyed(self) -> int: ...
    def watch(self) -> None:
        """Bring the paths that are known already to what is named: after a start, and after all `listen_on`."""
    def apply(self, batch: Batch) -> None:
        """Bring what the registry names to what a journalled batch says; doing it again changes nothing."""
    def tend(self) -> bool:
        """Take out some of what the last full reading did not name; returns whether there is more to look at."""
    def set_key(self, transmitter: str, key: bytes) -> None:
        """Let the frames of a transmitter of the registry be decrypted with a key from now on.

        transmitter  protocol:account or protocol:account@realm; the registry may name it later
        key          16, 24 or 32 bytes; 32 in the Tocsin profile
        Raises       ValueError
        """
    def remove_key(self, transmitter: str) -> None:
        """Forget its key; nothing happens where it has none. Raises ValueError."""
    def save(self) -> Iterator[bytes]:
        """Return what the registry names, without keys, in chunks to be drawn on any thread."""
    def load(self, saved: bytes | memoryview) -> None:
        """Take in what `save` gave, before anything else is named by the registry. Raises ValueError."""
    def rules_of(self, number: int) -> tuple[bool, FrameRules]:
        """Return whether the transmitter of a path has a key, and the rules for its frames. Raises IndexError."""
    def expect(self, intake: Intake, heard_ms: int, received_ns: int) -> bool:
        """Give some of the named transmitters a path, so that one that never speaks is noticed.

        heard_ms  listening time now;  received_ns  wall clock now
        Returns   whether some have none yet, or one that is not durable: call again after a while
        """
    def listen_on(self, name: str, realm: str) -> int:
        """Make a listener known; return its number in path keys. Raises ValueError."""

from collections.abc import Sequence

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
    """

    enrolled: int
    quarantined: int
    refused: int

    def __init__(self, paths: PathTable, policy: str, rate: float, limit: int, supervision_ms: int,
                 registered: Sequence[Registered]) -> None: ...
    def watch(self) -> None:
        """Mark the paths that are known already and whose clear frames must be looked at. After all `listen_on`."""
    def rules_of(self, number: int) -> tuple[bool, FrameRules]:
        """Return whether the transmitter of a path has a key, and the rules for its frames. Raises IndexError."""
    def expect(self, intake: Intake, heard_ms: int, received_ns: int) -> bool:
        """Give every transmitter that the configuration names a path, so that one that never speaks is noticed.

        heard_ms  listening time now;  received_ns  wall clock now
        Returns   whether some have none yet, or one that is not durable: call again after a while
        """
    def listener_of(self, realm: int) -> int | None:
        """Return the number of the first listener that serves a realm, by the realm's number, or None."""
    def listen_on(self, name: str, realm: str) -> int:
        """Make a listener known; return its number in path keys. Raises ValueError."""

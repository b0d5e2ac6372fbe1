from engine.paths import PathTable

class Enrolment:
    """What to do with an account that is not in the path table.

    policy          enrol | quarantine | refuse
    rate            enrolments a second, with a burst of one second's worth; beyond: quarantine
    limit           paths in the table beyond which nobody is enrolled unasked
    supervision_ms  for transmitters that `registered` does not name; 0 = none
    registered      (protocol number, account, realm, supervision ms, key); these are always enrolled. The key has
                    16, 24 or 32 bytes, or none where the frames come in clear
    """

    enrolled: int
    quarantined: int
    refused: int

    def __init__(self, paths: PathTable, policy: str, rate: float, limit: int, supervision_ms: int,
                 registered: list[tuple[int, str, str, int, bytes]]) -> None: ...
    def listen_on(self, name: str, realm: str) -> int:
        """Make a listener known; return its number in path keys. Raises ValueError."""

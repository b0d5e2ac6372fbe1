"""Test modes: who is being tested until when, by whom and why. Few at a time; each ends by itself.

A facility as a whole, a transmitter, or one of its points. The records of the filter hold until when for each signal to
see; here is the rest, for people and for the end.
"""
import json
from dataclasses import asdict, dataclass, fields
from operator import attrgetter

TEST_MODES_MAX = 100_000
UNTIL_MAX_US = (2**63 - 1) // 1000


@dataclass(frozen=True, slots=True)
class TestMode:
    """One that is on. facility: its id, or empty; transmitter: its key, or empty; point: empty: all of its points."""

    facility: str
    transmitter: str
    point: str
    since_us: int
    until_us: int
    by: str
    why: str


class TestModes:
    """All of them, by what is tested."""

    def __init__(self) -> None:
        self._modes: dict[tuple[str, str, str], TestMode] = {}

    def __len__(self) -> int:
        return len(self._modes)

    def set(self, mode: TestMode) -> bool:
        """Begin, prolong or, with until_us 0, end one. Returns False when there are too many."""
        key = (mode.facility, mode.transmitter, mode.point)
        if mode.until_us == 0:
            self._modes.pop(key, None)
            return True
        if key not in self._modes and len(self._modes) >= TEST_MODES_MAX:
            return False
        if known := self._modes.get(key):
            mode = TestMode(*key, known.since_us, mode.until_us, mode.by, mode.why)
        self._modes[key] = mode
        return True

    def next_end_us(self) -> int | None:
        """Return when the next one ends, in us since 1970."""
        return min((mode.until_us for mode in self._modes.values()), default=None)

    def end_due(self, now_us: int) -> list[TestMode]:
        """Take out and return those whose time is over."""
        due = [mode for mode in self.listed() if mode.until_us <= now_us]
        for mode in due:
            del self._modes[mode.facility, mode.transmitter, mode.point]
        return due

    def listed(self) -> list[TestMode]:
        """Return all, the one that ends first first."""
        return sorted(self._modes.values(), key=attrgetter("until_us", "facility", "transmitter", "point"))

    def save(self) -> bytes:
        """Return all as JSON; equal ones give equal bytes."""
        return json.dumps([asdict(mode) for mode in self.listed()], separators=(",", ":")).encode()

    def load(self, saved: bytes) -> None:
        """Take over what `save` gave. Raises ValueError."""
        try:
            modes = [TestMode(**mode) for mode in json.loads(saved)]
        except (TypeError, KeyError, RecursionError) as error:
            raise ValueError(f"filter snapshot: test modes: {error}") from None
        for mode in modes:
            if any(type(getattr(mode, field.name)) is not (int if field.type == "int" or field.type is int else str)
                   for field in fields(mode)) or not 0 <= mode.until_us <= UNTIL_MAX_US:
                raise ValueError(f"filter snapshot: test modes: {mode} is none")
        self._modes = {(mode.facility, mode.transmitter, mode.point): mode for mode in modes}

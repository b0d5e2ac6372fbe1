"""What texts say of paths: the rows that make them known, and the times that people gave their transmitters."""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

Times = tuple[int, int, int]             # ms: primary, alternate, alternate alone; see engine.path_role


@dataclass(frozen=True, slots=True)
class EnrolmentText:
    """The parts of an enrolment row's text, such as `dc09:0123@north/default/R1/L0 supervision=90000/18000000/90000`.

    numbers   by letter, as hex digits: {"R": "1"}
    expected  somebody named the transmitter, and it has not spoken
    learned   the time is what the path's own habits showed; of a path that is known
    """

    protocol: str
    account: str
    listener: str
    realm: str
    numbers: dict[str, str]
    times: Times
    expected: bool
    learned: bool


def read_enrolment(text: str) -> EnrolmentText:
    """Read it. Raises ValueError."""
    key, _, said = text.partition(" supervision=")
    transmitter, listener, *numbers = key.split("/")
    protocol, _, rest = transmitter.partition(":")
    account, _, realm = rest.partition("@")
    supervision, *words = said.split(" ")
    primary, alternate, alone = [int(part or 0) for part in supervision.split("/")] + [0] * (2 - supervision.count("/"))
    return EnrolmentText(protocol, account, listener, realm, {part[0]: part[1:] for part in numbers},
                         (primary, alternate, alone), "expected" in words, "learned" in words)


def is_path_named(name: str, path: str) -> bool:
    """Tell whether `name`, a listener and perhaps numbers, fits a path's key: `default/R1`, `dc09:1/default/R1/L0`."""
    have, wanted = path.split("/")[1:], name.split("/")
    return have[:1] == wanted[:1] and set(wanted) <= set(have)


class NamedTimes:
    """What configuration and registry say of transmitters, for paths that do not exist yet.

    Those of a transmitter that has a path stand with that path; here it waits for its first one.
    """

    def __init__(self) -> None:
        self.default: Times = (0, 0, 0)  # of transmitters that nobody named, where it has an alternate time
        self._waiting: dict[str, Times] = {}
        self._primary: dict[str, str] = {}

    def wait(self, transmitter: str, times: Times) -> None:
        """Keep times until a path comes; 0: nobody names the transmitter any more."""
        if times[0]:
            self._waiting[transmitter.lower()] = times
        else:
            self._waiting.pop(transmitter.lower(), None)

    def set_primary(self, transmitter: str, name: str) -> None:
        """Name the primary path, as `is_path_named` reads it; empty: the first one."""
        if name:
            self._primary[transmitter.lower()] = name
        else:
            self._primary.pop(transmitter.lower(), None)

    def of_first_path(self, transmitter: str, supervision_ms: int) -> Times | None:
        """Return the times of a transmitter that gets its first path, if there is more to it than `supervision_ms`."""
        waited = self._waiting.pop(transmitter.lower(), None)
        if waited is None and self.default[1] and self.default[0] == supervision_ms:
            return self.default
        return waited

    def primary_of(self, transmitter: str, paths: Sequence[tuple[int, str]]) -> int | None:
        """Return the number of the path that is named the primary one, of (number, key) in their order."""
        name = self._primary.get(transmitter.lower())
        return next((number for number, key in paths if name and is_path_named(name, key)), None)

    def __bool__(self) -> bool:
        return bool(self._waiting or self._primary or self.default[1])

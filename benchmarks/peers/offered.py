"""UDP: how many messages a second a server handles without loss.

answered    the client keeps a window of messages outstanding, so that the server always finds work and is never offered
            more than it can take; the replies are counted.
unanswered  the client offers a fixed rate, and the peer itself tells what it handled. A rate counts when at most
            LOSS_SHARE_MAX was lost; the next one is then higher, else lower, until the two are near each other.
"""
import math
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.frames import write_frames
from benchmarks.harness import Refused, Size
from benchmarks.peers.running import Target
from benchmarks.udp import LOSS_SHARE_MAX, Shape, client

CLIENT_SHARE_MIN = 0.95          # sent less than this of what was asked for: the client can do no more
LOSS_SHARE_SURE = 0.1            # a loss below this may be a stall of the machine: the rate is offered again
AGAIN_MAX = 2
BEHIND = 1.15                    # times as long as they were offered: the last messages waited in a queue
NEAR = 1.06                      # between a clean rate and one with loss: near enough
UP = DOWN = 1.6
STILL_S, STILL_S_MAX, POLL_S = 0.3, 20.0, 0.01
TIMEOUT_MS = 1000                # a message without a reply then makes room for another; its reply still counts
TICK = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Scope:
    """Seconds of a window, seconds that a rate is offered, rates that are tried, sockets of the client, and how long
    the last replies are waited for."""
    window_s: float
    rate_s: float
    tries: int
    sockets: int
    linger_ms: int = 5000


SCOPES: dict[Size, Scope] = {"smoke": Scope(0.2, 0.2, 3, 4), "full": Scope(3.0, 1.0, 14, 16)}


@dataclass(frozen=True, slots=True)
class Trial:
    """What came of one run.

    asked      messages a second asked for; 0 for a window
    sent       messages in all, and those of them that were handled, until elapsed_s after the first
    offered_s  seconds from the first to the last message sent
    full       whether the client could send what was asked for
    cpu_s      CPU seconds of the server;  beside_s  of the programs that it started
    """
    asked: float
    sent: int
    handled: int
    elapsed_s: float
    offered_s: float
    full: bool = True
    cpu_s: float = 0.0
    beside_s: float = 0.0

    @property
    def cpu_us(self) -> float:
        """For each message that was handled."""
        return self.cpu_s * 1e6 / max(self.handled, 1)

    @property
    def beside_us(self) -> float:
        return self.beside_s * 1e6 / max(self.handled, 1)

    @property
    def busy(self) -> float:
        """Of a core, the server alone."""
        return self.cpu_s / self.elapsed_s

    @property
    def clean(self) -> bool:
        """Nothing was lost."""
        return self.sent > 0 and self.lost_share <= LOSS_SHARE_MAX

    @property
    def behind(self) -> bool:
        """It worked off a queue after the last message had come: what it handled a second is all that it can do."""
        return self.elapsed_s > BEHIND * self.offered_s

    @property
    def sure(self) -> bool:
        """Not such as a stall of the machine can bring about: a small loss, or a client that fell back."""
        return (self.clean and self.full) or self.lost_share > LOSS_SHARE_SURE

    @property
    def lost_share(self) -> float:
        return 1 - self.handled / max(self.sent, 1)

    @property
    def per_s(self) -> float:
        return self.handled / self.elapsed_s


def answered(target: Target, frames: Sequence[bytes], directory: Path, scope: Scope, window: int) -> Trial:
    """Keep a window of messages outstanding and count the replies; the CPU is that of all the work, also what is left
    to do behind the replies.

    Raises  Refused when messages were lost
    """
    file, before = write_frames(directory / "offered", frames), cpu_s(target)
    shape = Shape(scope.window_s, 0.0, 0, scope.sockets, window, TIMEOUT_MS, scope.linger_ms)
    report = client(target.server, file, shape, loss_max=math.inf)
    target.settle()
    after = cpu_s(target)
    found = Trial(0.0, int(report["sent"]), int(report["received"] + report["late"]), report["elapsed_s"],
                  scope.window_s, True, after[0] - before[0], after[1] - before[1])
    if not found.clean:
        raise Refused(f"messages were lost: {found}")
    return found


def unanswered(target: Target, frames: Sequence[bytes], directory: Path, scope: Scope) -> Callable[[float], Trial]:
    """Return what offers one rate to a running peer and asks it what it handled."""
    file = write_frames(directory / "offered", frames)

    def offer(rate: float) -> Trial:
        assert target.counted is not None
        before = cpu_s(target)
        report = client(target.server, file, Shape(scope.rate_s, 0.0, 0, scope.sockets, 1024, TIMEOUT_MS), rate,
                        math.inf)
        offered_s = report["elapsed_s"]
        elapsed_s = offered_s + still(target)
        after = cpu_s(target)
        sent, due = int(report["sent"]), rate * offered_s
        return Trial(rate, sent, target.counted(sent), elapsed_s, offered_s, sent >= CLIENT_SHARE_MIN * due,
                     after[0] - before[0], after[1] - before[1])

    return offer


def highest(offer: Callable[[float], Trial], first: float, tries: int) -> tuple[Trial, bool]:
    """Return the trial in which most was handled a second without loss, and whether the client could offer no more.

    offer   tries one rate;  first  the rate to begin with
    Raises  Refused when every rate had loss
    """
    best: Trial | None = None
    last: Trial | None = None
    below, above, rate, again = 0.0, math.inf, first, 0
    for _ in range(tries):
        again = again + 1 if last is not None and last.asked == rate else 0
        last = offer(rate)
        if last.clean:
            best = last if best is None or last.per_s > best.per_s else best
        if again < AGAIN_MAX and not last.sure:
            continue
        if last.clean and not last.full and not last.behind:
            return best or last, True
        if last.clean and not last.behind:
            below = rate
        else:
            above = rate
        if above < below * NEAR:
            break
        rate = following(below, above, last)
    if best is None:
        raise Refused(f"messages were lost at every rate, last: {last}")
    return best, False


def following(below: float, above: float, last: Trial) -> float:
    """The rate to try next, between a clean one (0: none yet) and one with loss (inf: none yet)."""
    if above == math.inf:
        return below * UP
    if below == 0:
        return min(above / DOWN, max(last.per_s, above / 16))
    return math.sqrt(below * above)


def still(target: Target) -> float:
    """Wait until the peer has handled what it received; return how many seconds that took."""
    assert target.progress is not None
    begin = moved = now = time.monotonic()
    seen = target.progress()
    while now < moved + STILL_S and now < begin + STILL_S_MAX:
        time.sleep(POLL_S)
        now = time.monotonic()
        if (found := target.progress()) != seen:
            seen, moved = found, now
    return moved - begin


def cpu_s(target: Target) -> tuple[float, float]:
    """CPU seconds of the server, and of the programs that it started. Source: proc(5), stat, fields 14 to 17."""
    own = stat_of(target.server.pid)
    if not target.family:
        return sum(own[1:3]) / TICK, 0.0
    parents = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            parents[int(path.parent.name)] = stat_of(int(path.parent.name))
        except OSError:                          # it ended since
            continue
    family, found = {target.server.pid}, True
    while found:
        more = {pid for pid, one in parents.items() if one[0] in family} - family
        family |= more
        found = bool(more)
    beside = sum(sum(parents[pid][1:]) for pid in family - {target.server.pid})
    return sum(own[1:3]) / TICK, beside / TICK


def stat_of(pid: int) -> tuple[int, int, int, int, int]:
    """Parent, and ticks: user, system, and those of children that ended, user and system."""
    words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(words[1]), int(words[11]), int(words[12]), int(words[13]), int(words[14])

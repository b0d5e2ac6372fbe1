"""LISTEN with a supervisor behind it, on a fake clock, and a journal that is played: rows land, or are lost."""
from __future__ import annotations

from codec.batch import Batch
from codec.reading import build_frame
from codec.words import Condition, RowKind, State
from engine.listen.registered import Registered
from engine.paths import PathTable
from engine.supervise.listening import ListeningClock
from engine.supervise.supervisor import Supervisor
from engine.supervise.touches import Touches
from engine.supervise.wheel import Wheel
from tests.unit import listen_world
from tests.unit.listen_world import HASH_KEY, MS, connect, receive

PATHS_MAX = 100_000
NAMES = {int(Condition.CONDITION_LINE_FAULT): "line", int(Condition.CONDITION_SYSTEM_FAULT): "system"}
STATES = {int(State.STATE_RAISED): "raised", int(State.STATE_CLEARED): "cleared"}
Row = tuple[int, str, str, int]


class World:
    """Transmitters of DC-09; a path is an account and a line number.

    rows     (path, line or system, raised or cleared, listening ms) of what has landed, in its order
    journal  every batch that has landed
    """

    def __init__(self, times: dict[str, tuple[int, ...]] | None = None, *, default: tuple[int, ...] = (90_000,),
                 registered: list[Registered] | None = None) -> None:
        self.world = listen_world.World(registered=registered)
        self.paths, self.clock, self.admit = self.world.paths, self.world.clock, self.world.admit
        self.listening = self.world.listening
        self.connection, _ = connect(self.world.tcp())
        self.rows: list[Row] = []
        self.journal: list[bytes] = []
        self._sequence = 0
        self.paths.set_default_times(*default)
        for transmitter, three in (times or {}).items():
            self.paths.supervise_transmitter(transmitter, *three)
        self.start()

    def start(self) -> None:
        self.supervisor = Supervisor(self.paths, Wheel(PATHS_MAX, self.listening.listening_ms), self.listening,
                                     self.clock, self.admit)

    @property
    def now_ms(self) -> int:
        return self.listening.listening_ms

    def hear(self, account: str, line: int = 0, *, land: bool = True) -> None:
        """Take a heartbeat; an unknown path is enrolled by it."""
        self._sequence = self._sequence % 9999 + 1
        frame = build_frame("NULL", account, line=str(line), sequence=self._sequence)
        self.listening.advance_to(self.clock.monotonic_ns())
        receive(self.connection, frame)
        self.supervisor.clear_returned()
        if land:
            self.land()

    def turn(self) -> None:
        while self.supervisor.turn():
            self.land()
        self.supervisor.clear_returned()

    def run(self, seconds: float, *hearing: tuple[str, int], step_ms: int = 100) -> World:
        """Let time go on; `hearing` are heard at each step."""
        for _ in range(round(seconds * 1000 / step_ms)):
            self.clock.advance(step_ms * MS)
            self.turn()
            for account, line in hearing:
                self.hear(account, line)
            self.land()
        return self

    def land(self) -> None:
        """Let what gathered be durable and applied."""
        if not len(self.admit):
            return
        self.journal.append(self.admit.batch.encode())
        sealed, ticket = Batch.view(self.journal[-1]), self.admit.take()
        for row in map(sealed.row, range(len(sealed))):
            if row["kind"] == int(RowKind.ROW_SIGNAL):
                self.rows.append((row["path"], NAMES[row["condition"]], STATES[row["state"]], self.now_ms))
        self.admit.release(ticket)
        for part in self.world.parts:
            part.release(ticket)
        self.paths.apply(sealed, self.now_ms)

    def lose(self) -> None:
        """Let what gathered be refused by the journal."""
        self.world.lose()

    def said(self) -> list[tuple[int, str, str]]:
        return [row[:3] for row in self.rows]

    def again(self, *, snapshot: bool, down_s: int = 3600, grace_ms: int = 90_000) -> World:
        """Return a world that goes on from the snapshot, or from the journal alone, after a while."""
        again = World()
        if snapshot:
            again.paths.load(b"".join(self.paths.save()))
        else:
            for entry in self.journal:
                again.paths.apply(Batch.view(entry))
        again.clock.advance(down_s * 1000 * MS)
        again.listening = again.world.listening = ListeningClock(self.now_ms, again.clock.monotonic_ns())
        again.connection, _ = connect(again.world.tcp())
        ages = b"".join(Touches(self.paths).ages(len(self.paths), self.now_ms))
        touches = Touches(again.paths)
        touches.load(ages, self.now_ms)
        touches.resume(self.now_ms, grace_ms, len(again.paths), life_ms=0)
        again.start()
        return again


def state_of(paths: PathTable) -> list[tuple[object, ...]]:
    """Return what must be the same after a replay."""
    shown = [paths.show(number) for number in range(len(paths))]
    return [(one["path"], one["state"], one["role"], one["times_ms"], one["supervision_ms"],
             paths.in_system_fault(number)) for number, one in enumerate(shown)]


__all__ = ["HASH_KEY", "MS", "Row", "World", "state_of"]

"""What stands of 1,000,000 transmitters: a condition that is raised or restored, a path that goes or returns.

states.floor   64 bytes of a table of as many slots, read, changed and written in the same random order
states.signal  a fault raised or restored in the table of open conditions
states.path    a path that goes or returns in the table of mass losses; `lost_ms` and `restored_ms` are what telling the
               loss of all of them takes, and its end: one turn of the loop each
"""
import random
from array import array
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib import import_module
from time import perf_counter

from benchmarks.harness import SEED, Result, Size, digest, in_turn, need, ratio
from codec.batch import Batch
from codec.words import Condition, SignalClass, State
from engine.filter.losses_view import LossesTable
from engine.filter.states_view import StatesTable

SLOTS = "benchmarks.slots"
COUNTS: dict[Size, int] = {"smoke": 5_000, "full": 1_000_000}
BATCH_ROWS = 4096
AREAS, GROUPS = 34, 5
S = 1_000_000_000
BOOK = (100, 0.5, 90 * S, 5 * S, 0.2)


@dataclass(slots=True)
class Tables:
    """All three tables, the order in which their slots are named, and what telling took last."""
    count: int
    now_ns: int = S
    lost_ms: float = 0.0
    restored_ms: float = 0.0
    order: list[bytes] = field(default_factory=list)


def run(size: Size, rounds: int = 5) -> list[Result]:
    """Measure all in turn; a row is one slot that is changed."""
    need(SLOTS)
    tables = Tables(COUNTS[size])
    numbers = list(range(tables.count))
    random.Random(SEED).shuffle(numbers)
    tables.order = [array("I", numbers[at:at + BATCH_ROWS]).tobytes() for at in range(0, tables.count, BATCH_ROWS)]
    slots, states, losses = import_module(SLOTS).Slots(tables.count), in_states(tables), in_losses(tables)
    sides: dict[str, Callable[[], float]] = {
        "floor": lambda: twice(tables, lambda numbers, _: slots.change(numbers)),
        "signal": lambda: twice(tables, states), "path": lambda: twice(tables, losses)}
    for side in sides.values():      # the first time commits the memory
        side()
    found = in_turn(rounds, sides)
    facts = {"floor": {}, "signal": {}, "path": {"lost_ms": tables.lost_ms, "restored_ms": tables.restored_ms}}
    return [Result(f"states.{side}", size, 2 * tables.count, "row", found[side].median, found[side].spread,
                   digest(tables.count.to_bytes(8, "little")),
                   {**facts[side], "times_floor": ratio(found["floor"], found[side])}) for side in sides]


def twice(tables: Tables, change: Callable[[bytes, bool], object]) -> float:
    """Change every slot, and change it back; return the rate."""
    begin = perf_counter()
    for raised in (True, False):
        for numbers in tables.order:
            change(numbers, raised)
    return 2 * tables.count / (perf_counter() - begin)


def in_states(tables: Tables) -> Callable[[bytes, bool], object]:
    """A mains fault of each transmitter, in batches as the filter gets them."""
    states = StatesTable(tables.count, tables.count)
    batches: dict[tuple[bool, int], Batch] = {}
    for state in (State.STATE_RAISED, State.STATE_CLEARED):
        for rows in {len(numbers) // 4 for numbers in tables.order}:
            batch = batches[state == State.STATE_RAISED, rows] = Batch(rows, 1 << 20)
            for _ in range(rows):
                batch.add(signal_class=SignalClass.CLASS_FAULT, condition=Condition.CONDITION_MAINS_FAULT, state=state,
                          point="1/2", received_ns=S)

    def change(numbers: bytes, raised: bool) -> None:
        changed = states.note_batch(1, batches[raised, len(numbers) // 4], numbers)
        assert changed == len(numbers) // 4
    return change


def in_losses(tables: Tables) -> Callable[[bytes, bool], object]:
    """All paths go within a moment and return; the loss is told in between, its end after that, within the rate."""
    losses = LossesTable(tables.count)
    for path in range(tables.count):
        losses.place(path, b"%02d" % (path % AREAS), b"network %d" % (path // AREAS % GROUPS))
    down = 0

    def tell(after_ns: int) -> float:
        tables.now_ns += after_ns
        begin = perf_counter()
        told = losses.due(tables.now_ns, 1, BOOK)
        took = perf_counter() - begin
        assert told is not None
        return took * 1e3

    def change(numbers: bytes, raised: bool) -> None:
        nonlocal down
        losses.note_many(numbers, raised, tables.now_ns, BOOK)
        down += len(numbers) // 4 if raised else -len(numbers) // 4
        if down == tables.count:
            tables.lost_ms = tell(BOOK[3])
        elif down == 0:
            tables.restored_ms = tell(BOOK[2])
    return change

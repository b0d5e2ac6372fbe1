"""The filter with 1,000,000 transmitters in state: what a signal of a random one costs.

judging.floor   64 bytes of a table of as many slots, read, changed and written in the same random order
judging.state   a mains fault raised or restored: verdict, state; no event
judging.fire    a fire raised or restored: verdict, alarm, and the text of its event

As in the engine a row has enrolled each transmitter's path before, in the order of the paths' numbers, and signals come
from one path each. So a transmitter's record lies where its path's number says, and signals reach them in random order.
"""
import random
from array import array
from collections.abc import Callable, Iterator
from importlib import import_module
from time import perf_counter

from benchmarks.harness import SEED, Result, Size, digest, in_turn, need, ratio
from codec.batch import Batch
from codec.words import Condition, RowKind, SignalClass, State
from engine.filter.filter import Filter

SLOTS = "benchmarks.slots"
COUNTS: dict[Size, int] = {"smoke": 5_000, "full": 1_000_000}
FIRES: dict[Size, int] = {"smoke": 1_000, "full": 200_000}
BATCH_ROWS = 8192
ARENA_BYTES = 1 << 18
S = 1_000_000_000


def run(size: Size, rounds: int = 5) -> list[Result]:
    """Measure all in turn; a row is one signal, or one slot that is changed."""
    need(SLOTS)
    count = COUNTS[size]
    numbers = list(range(count))
    random.Random(SEED).shuffle(numbers)
    slots = import_module(SLOTS).Slots(count)
    subject = Filter(2, alarms_max=count, paths_max=2 * count, hash_key=SEED.to_bytes(16, "little"))
    order = [array("I", numbers[at:at + BATCH_ROWS]).tobytes() for at in range(0, count, BATCH_ROWS)]
    state = batches(numbers, SignalClass.CLASS_FAULT, Condition.CONDITION_MAINS_FAULT)
    fire = batches(numbers[:FIRES[size]], SignalClass.CLASS_FIRE, Condition.CONDITION_SMOKE)
    for batch in enrolments(count):
        subject.apply(subject.position + 1, batch)
    sides: dict[str, Callable[[], float]] = {
        "floor": lambda: floor(slots.change, order, 2 * count),
        "state": lambda: judged(subject, state, 2 * count), "fire": lambda: judged(subject, fire, 2 * FIRES[size])}
    for side in sides.values():      # the first time commits the memory
        side()
    found = in_turn(rounds, sides)
    return [Result(f"judging.{side}", size, 2 * FIRES[size] if side == "fire" else 2 * count, "row", found[side].median,
                   found[side].spread, digest(count.to_bytes(8, "little")),
                   {"transmitters": count, "times_floor": ratio(found["floor"], found[side])}) for side in sides]


def floor(change: Callable[[bytes], object], order: list[bytes], rows: int) -> float:
    begin = perf_counter()
    for _ in range(2):
        for numbers in order:
            change(numbers)
    return rows / (perf_counter() - begin)


def judged(subject: Filter, given: list[Batch], rows: int) -> float:
    begin = perf_counter()
    for batch in given:
        subject.apply(subject.position + 1, batch)
    return rows / (perf_counter() - begin)


def enrolments(count: int) -> Iterator[Batch]:
    """Rows by which the paths become known, as LISTEN writes them."""
    batch = Batch(BATCH_ROWS, ARENA_BYTES * 2)
    for first in range(0, count, BATCH_ROWS):
        batch.clear()
        for number in range(first, min(first + BATCH_ROWS, count)):
            if not batch.add(kind=RowKind.ROW_ENROLMENT, protocol=1, account=f"{number:06X}", path=number,
                             received_ns=S, native=f"dc09:{number:06X}/default supervision=90000"):
                raise AssertionError(f"{ARENA_BYTES * 2} bytes are too few for {BATCH_ROWS} rows")
        yield batch


def batches(numbers: list[int], signal_class: int, condition: int) -> list[Batch]:
    """Rows that raise something at each transmitter, then rows that restore it, as the journal gives them."""
    made = []
    for state in (State.STATE_RAISED, State.STATE_CLEARED):
        for at in range(0, len(numbers), BATCH_ROWS):
            some = numbers[at:at + BATCH_ROWS]
            batch = Batch(len(some), ARENA_BYTES)
            for number in some:
                if not batch.add(protocol=1, account=f"{number:06X}", path=number, signal_class=signal_class,
                                 condition=condition, state=state, point="1/2", received_ns=S):
                    raise AssertionError(f"{ARENA_BYTES} bytes are too few for {len(some)} rows")
            made.append(batch)
    return made

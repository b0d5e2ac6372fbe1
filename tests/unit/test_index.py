"""The open-addressing index, through the two tables that live on it: inserted, removed and full to its limit."""
import random
from collections import OrderedDict

import pytest

from codec.batch import Batch
from engine.admit.admit import Admit
from engine.paths import PathTable

SECOND = 1_000_000_000


def row(frame, point, at):
    return {"path": frame, "identity": b"frame %d" % frame, "point": f"p{point}", "signal_class": 1,
            "received_ns": at, "occurred_ns": 7}


@pytest.mark.parametrize("entries_max", [1, 2, 9, 10, 11, 64, 640])
def test_random_insertions_and_removals_against_a_dictionary(entries_max):
    """Each frame that is new removes the oldest beyond `entries_max`; a frame is known while its entry is kept."""
    chance = random.Random(entries_max)
    gate = Admit(1024, 1 << 20, entries_max, 10**6 * SECOND, bytes(range(16)))
    kept: OrderedDict[int, None] = OrderedDict()
    for step in range(6000):
        frame = chance.randrange(entries_max * 2 + 1)
        offered = gate.offer_frame(row(frame, chance.randrange(3), step))
        assert offered is not None
        assert offered[1] == (frame not in kept), (entries_max, step)
        if offered[1]:
            kept[frame] = None
            while len(kept) > entries_max:
                kept.popitem(last=False)
        assert gate.entries_in == len(kept)
        if len(gate) > 900:
            gate.release(gate.take())
    gate.check()
    gate.release(gate.take())
    for frame in kept:  # nobody was lost on the way
        assert gate.offer_frame(row(frame, 0, 6000)) == (0, False)


def test_failed_appends_take_out_exactly_what_they_brought():
    chance = random.Random(5)
    gate = Admit(1024, 1 << 20, 512, 10**6 * SECOND, bytes(16))
    durable: set[int] = set()
    for step in range(300):
        frames = {chance.randrange(400) for _ in range(chance.randrange(1, 8))}
        frames = set(list(frames)[:max(0, 500 - len(durable))])
        for frame in frames:
            offered = gate.offer_frame(row(frame, frame, step))
            assert offered is not None
            assert offered[1] == (frame not in durable)
        if chance.random() < 0.4:
            gate.fail(gate.take())
        else:
            gate.release(gate.take())
            durable |= frames
        gate.check()
    assert gate.entries_in == len(durable)


def test_a_table_that_is_full_finds_everybody_and_nobody_else():
    paths = PathTable(1000, bytes(range(16)))
    for start in range(0, 1000, 100):
        batch = Batch(128, 1 << 16)
        for number in range(start, start + 100):
            batch.add(kind=2, path=number, native=f"dc09:{number:04d}/default/L{number % 3}")
        paths.apply(batch)
    paths.check()
    for number in range(1000):
        assert paths.paths_of(f"dc09:{number:04d}") == [number]
    assert all(not paths.paths_of(f"dc09:{number:04d}") for number in range(1000, 3000))

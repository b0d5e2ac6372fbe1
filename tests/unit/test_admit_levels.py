"""Status words in ADMIT against the rule in words: one signal for each bit that differs from the last durable word."""
import random
from collections import defaultdict
from typing import Any

import pytest

from codec.batch import Batch
from codec.gbt26875_levels import read_meanings
from engine.admit.admit import Admit

SECOND = 1_000_000_000
KEY = bytes(range(16))
NO_PATH = 0xFFFFFFFF
SPOKEN = 0xFFFE
FIRE, FAULT = 2, 4


def admit(levels_max: int = 4096, rows: int = 2048) -> Admit:
    return Admit(rows, 1 << 20, 4096, 600 * SECOND, KEY, levels_max)


def word(value: int, *, path: int = 7, point: str = "1/5/40-01000200", serial: int = 0, at: int = 0,
         stamp: int | None = None, account: str = "889", realm: str = "", source: int = 2) -> dict[str, Any]:
    """One status word of a smoke detector, as the codec hands it on."""
    return {"kind": 5, "protocol": 2, "path": path, "account": account, "realm": realm, "point": point,
            "level": source << 24 | 40 << 16 | value, "signal_class": 1 if value & FIRE else 10,
            "state": 1 if value & SPOKEN else 2, "condition": 2, "sequence": serial, "received_ns": at * SECOND,
            "occurred_ns": None if stamp is None else stamp * SECOND,
            "identity": b"%d %d %s %d" % (serial, path, point.encode(), value)}


def told(batch: Batch) -> list[tuple[str, int, int]]:
    """What the rows say: (point, class, state)."""
    rows = [batch.row(index) for index in range(len(batch))]
    assert all(row["kind"] == 1 for row in rows)
    return [(str(row["point"]), int(row["class"]), int(row["state"])) for row in rows]


def seal(gate: Admit) -> Batch:
    """Let what gathered become durable; return it."""
    sealed = Batch.view(gate.batch.encode())
    gate.release(gate.take())
    return sealed


def test_a_word_makes_a_row_for_each_changed_bit_and_none_when_it_is_said_again() -> None:
    gate = admit()
    assert gate.offer_frame(word(0)) == (0, False)
    assert gate.offer_frame(word(1)) == (0, False)             # bit 0 neither adds nor suppresses
    assert gate.offer_frame(word(FIRE | FAULT, serial=1)) == (2, True)
    assert gate.offer_frame(word(FIRE | FAULT | 1, serial=2)) == (2, False)   # its reply waits for the first one's rows
    assert [state for _, _, state in told(seal(gate))] == [1, 1]
    assert gate.offer_frame(word(FIRE | FAULT, serial=3)) == (0, False)
    assert gate.offer_frame(word(FAULT, serial=4)) == (3, True)
    assert told(seal(gate)) == [("1/5/40-01000200", 1, 2)]
    assert (len(gate), len(gate.levels)) == (0, 1)
    gate.offer_frame(word(0, serial=5))
    seal(gate)
    assert len(gate.levels) == 0                               # a quiet component takes no room
    gate.check()


def test_words_of_other_components_paths_accounts_and_kinds_are_apart() -> None:
    gate = admit()
    others = [word(FIRE), word(FIRE, point="1/5/40-01000201"), word(FIRE, path=8), word(FIRE, source=1),
              word(FIRE, path=NO_PATH), word(FIRE, path=NO_PATH, account="890"),
              word(FIRE, path=NO_PATH, account="88", point="1/5/40-010002009"),
              word(FIRE, path=NO_PATH, realm="north")]
    for number, one in enumerate(others, 1):
        assert gate.offer_frame(one) == (number, True)
    for one in others:
        assert gate.offer_frame(one | {"identity": b"again"})[1] is False
    gate.check()


def test_a_failed_append_goes_back_to_the_last_durable_word() -> None:
    gate = admit()
    gate.offer_frame(word(FAULT, serial=1))
    seal(gate)
    gate.offer_frame(word(FAULT | FIRE, serial=2))
    ticket = gate.take()
    gate.offer_frame(word(FIRE, serial=3))
    gate.take()
    gate.fail(ticket + 1)
    gate.check()
    assert gate.offer_frame(word(FAULT | FIRE, serial=2))[1]   # the fire that was lost is news again
    assert [entry[1:] for entry in told(seal(gate))] == [(1, 1)]


def test_the_first_append_may_end_while_the_next_one_gathers() -> None:
    gate = admit()
    gate.offer_frame(word(FIRE, serial=1))
    first = gate.take()
    assert gate.offer_frame(word(FIRE | FAULT, serial=2)) == (2, True)
    gate.release(first)
    assert gate.offer_frame(word(FIRE | FAULT, serial=3)) == (2, False)
    gate.fail(gate.take())
    assert gate.offer_frame(word(FIRE, serial=4)) == (0, False)   # what was durable before stays
    gate.check()


def test_a_repetition_that_comes_after_the_restore_raises_nothing() -> None:
    gate = admit()
    assert gate.offer_frame(word(FIRE, serial=1, at=1, stamp=1))[1]
    assert gate.offer_frame(word(0, serial=2, at=2, stamp=2))[1]
    assert not gate.offer_frame(word(FIRE, serial=1, at=3, stamp=1))[1]
    assert gate.duplicates == 1
    assert gate.offer_frame(word(FIRE, serial=1, at=4, stamp=4))[1]


def test_a_frame_that_finds_no_room_leaves_nothing_behind() -> None:
    gate = admit(rows=1024)
    for number in range(895):
        assert gate.offer_frame({"signal_class": 5, "identity": b"%d" % number})
    faults = [word(FAULT, point=f"1/1/40-{n:08x}", serial=1) for n in range(3)]
    assert gate.offer_frame(*faults) is None
    assert (len(gate), len(gate.levels)) == (895, 0)
    assert gate.offer_frame(word(0), word(1))[1] is False      # what says nothing new needs no room
    fires = [word(FIRE, point=f"1/1/40-{n:08x}", serial=1) for n in range(3)]
    assert gate.offer_frame(*fires)[1]
    gate.check()


def test_a_full_memory_repeats_rather_than_loses() -> None:
    gate = admit(levels_max=2)
    for number in range(4):
        assert gate.offer_frame(word(FIRE, path=number))[1]
    assert gate.levels.unremembered == 2
    seal(gate)
    assert gate.offer_frame(word(FIRE, path=3, serial=2))[1]
    assert not gate.offer_frame(word(FIRE, path=0, serial=2))[1]
    seal(gate)
    gate.offer_frame(word(0, path=0, serial=3))
    seal(gate)
    assert gate.offer_frame(word(FIRE, path=3, serial=4))[1]   # now there is room for it
    seal(gate)
    assert not gate.offer_frame(word(FIRE, path=3, serial=5))[1]
    gate.check()


@pytest.mark.parametrize("saved", [b"", b"\x09" + bytes(23), b"\x01\0\0\0\x09\0\0\0" + bytes(16)])
def test_a_damaged_memory_is_refused(saved: bytes) -> None:
    with pytest.raises(ValueError, match="version or length"):
        admit().levels.load(saved)


class Truth:
    """The rule again: a dictionary of durable words, one of words under way, and what the rows must say."""

    def __init__(self) -> None:
        self.durable: dict[tuple[int, str], int] = defaultdict(int)
        self.latest: dict[tuple[int, str], int] = defaultdict(int)
        self.rows: list[tuple[str, int, int]] = []
        self.meanings = read_meanings()

    def take(self, path: int, point: str, value: int) -> bool:
        changed = (self.latest[path, point] ^ value) & SPOKEN
        for bit in range(1, 16):
            if changed >> bit & 1:
                signal_class = self.meanings.get((2, 40, bit), (10, 0, 3))[0]
                self.rows.append((point, signal_class, 1 if value >> bit & 1 else 2))
        self.latest[path, point] = value & SPOKEN
        return bool(changed)


@pytest.mark.parametrize("seed", range(30))
def test_it_agrees_with_a_dictionary_over_failures_and_restarts(seed: int) -> None:
    """Frames of several words at random, appends that end well or badly, restarts from snapshot and journal."""
    chance = random.Random(seed)
    gate, truth = admit(), Truth()
    journalled: list[Batch] = []
    since_snapshot, snapshot = 0, admit().save()
    for step in range(400):
        frame = [(chance.randrange(4), f"1/1/40-{chance.randrange(6):08x}", chance.choice([0, 1, 2, 3, 4, 6, 0x104]))
                 for _ in range(chance.randrange(1, 4))]
        fresh = [truth.take(*one) for one in frame]
        rows = [word(value, path=path, point=point, serial=step, at=step, stamp=step) for path, point, value in frame]
        offered = gate.offer_frame(*(row | {"identity": b"frame %d" % step} for row in rows))
        assert offered is not None
        assert offered[1] == any(fresh), f"seed {seed}, step {step}"
        event = chance.random()
        if event < 0.3:
            journalled.append(seal(gate))
            assert sorted(told(journalled[-1])) == sorted(truth.rows), f"seed {seed}, step {step}"
            truth.durable, truth.rows = truth.latest.copy(), []
        elif event < 0.4:
            gate.fail(gate.take())
            truth.latest, truth.rows = truth.durable.copy(), []
        elif event < 0.45:
            snapshot, since_snapshot = gate.save(), len(journalled)
        elif event < 0.5:                                      # killed: what was not durable is gone
            gate = admit()
            gate.load(snapshot)
            for batch in journalled[since_snapshot:]:
                gate.apply(batch)
            truth.latest, truth.rows = truth.durable.copy(), []
        gate.check()
    assert len(gate.levels) <= 24


def reset(*, serial: int = 100, at: int = 50) -> dict[str, Any]:
    """The row by which a panel says that somebody has reset it."""
    return {"kind": 1, "protocol": 2, "path": 7, "account": "889", "point": "1/1/operation", "signal_class": 10,
            "condition": 121, "state": 3, "received_ns": at * SECOND, "occurred_ns": at * SECOND,
            "identity": b"reset %d" % serial}


def test_after_a_reset_what_a_word_says_is_news_and_after_that_it_is_not() -> None:
    gate = admit()
    gate.offer_frame(word(FIRE | FAULT, serial=1, stamp=1))
    gate.offer_frame(word(FIRE, serial=1, stamp=1, path=8))
    gate.offer_frame(reset())
    seal(gate)
    assert not gate.offer_frame(word(FIRE, serial=2, stamp=2, path=8))[1]     # another transmitter
    assert gate.offer_frame(word(FIRE, serial=2, stamp=2))[1]
    assert [entry[1:] for entry in told(seal(gate))] == [(1, 1), (5, 2)]      # fire again, and the fault is over
    assert gate.offer_frame(word(FIRE, serial=3, stamp=3)) == (0, False)
    gate.check()


def test_a_reset_that_was_lost_does_not_count() -> None:
    gate = admit()
    gate.offer_frame(word(FIRE, serial=1, stamp=1))
    seal(gate)
    gate.offer_frame(reset())
    assert gate.offer_frame(word(FIRE, serial=2, stamp=2))[1]
    gate.fail(gate.take())
    assert gate.offer_frame(word(FIRE, serial=3, stamp=3)) == (0, False)
    gate.offer_frame(reset())
    seal(gate)
    assert gate.offer_frame(word(FIRE, serial=2, stamp=2))[1]
    gate.check()


def test_a_memory_made_smaller_starts_and_forgets_what_does_not_fit() -> None:
    gate = admit()
    for number in range(10):
        gate.offer_frame(word(FIRE, point=f"1/1/40-{number:08x}", serial=number))
    seal(gate)
    smaller = admit(levels_max=4)
    smaller.load(gate.save())
    assert (len(smaller.levels), smaller.levels.unremembered) == (4, 6)
    smaller.check()
    fresh = sum(smaller.offer_frame(word(FIRE, point=f"1/1/40-{number:08x}", serial=20 + number))[1]
                for number in range(10))
    assert fresh == 6

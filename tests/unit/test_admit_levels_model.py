"""ADMIT's memory of levels against a slow truth in dictionaries: random frames, resets, appends that
fail, restarts.
"""
import random
from collections.abc import Iterator

import pytest

from codec.batch import Batch
from engine.admit.admit import Admit

SECOND = 1_000_000_000
KEY = bytes(range(16))
STEPS = 1500
BITS = 0xFFFE
LEVEL, SIGNAL, RESET = 5, 1, 121
NO_PATH = 0xFFFFFFFF
POINTS = [f"1/1/40-{number:08x}" for number in range(5)]
Key = tuple[object, ...]
Change = tuple[Key, int, bool]       # the key, the bit, whether it is raised


def admit() -> Admit:
    return Admit(2048, 1 << 20, 4096, 600 * SECOND, KEY, 4096)


class Truth:
    """The last word of each component and after how many resets it came, what of it is durable, and what waits."""

    def __init__(self) -> None:
        self.words: dict[Key, tuple[int, int]] = {}  # word, resets of its transmitter
        self.resets: dict[Key, int] = {}
        self.durable: tuple[dict[Key, tuple[int, int]], dict[Key, int]] = ({}, {})
        self.waiting: dict[Key, int] = {}            # key -> ticket of its last row that is not durable

    def changes(self, levels: list[tuple[Key, int]]) -> list[Change]:
        """Return what a frame changes; after a reset all that a word says is news."""
        found = []
        for key, word in levels:
            before, resets = self.words.get(key, (0, 0))
            if resets != self.resets.get(key[:-2], 0):
                before &= ~word
            differs = (word ^ before) & BITS
            found += [(key, bit, bool(word >> bit & 1)) for bit in range(1, 16) if differs >> bit & 1]
        return found

    def take(self, sender: Key, levels: list[tuple[Key, int]], ticket: int, *, reset: bool) -> None:
        changes = self.changes(levels)
        told = [key for key, bit, up in changes if bit == 13 and up and key[-2] == 1]
        if reset or told:
            self.resets[sender] = self.resets.get(sender, 0) + 1
        changed = {key for key, _, _ in changes}
        self.words.update({key: (word & BITS, self.resets.get(sender, 0)) for key, word in levels if key in changed})
        self.waiting.update(dict.fromkeys(changed, ticket))

    def seal(self, *, good: bool) -> None:
        """End an append of everything that was offered."""
        if good:
            self.durable = dict(self.words), dict(self.resets)
        else:
            self.words, self.resets = dict(self.durable[0]), dict(self.durable[1])
        self.waiting = {}


class Line:
    """Frames of a few transmitters, most of them quiet, all kinds of keys."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.serial = 0

    def frame(self) -> tuple[Key, list[dict], list[tuple[Key, int]]]:
        """Return the sender of a frame, its rows, and its levels as (key, word); none: it reports a reset."""
        rng = self.rng
        self.serial += 1
        path = rng.choice([0, 1, 2, NO_PATH])
        account, realm = rng.choice(["1", "2"]), rng.choice(["", "south"])
        source = rng.choice([1, 2, 2, 21])
        named = (account, realm) if path == NO_PATH else ()
        common = {"path": path, "account": account, "realm": realm, "protocol": 2, "identity": b"%d" % self.serial,
                  "received_ns": self.serial * SECOND, "occurred_ns": self.serial * SECOND}
        if rng.random() < 0.1:
            return (path, *named), [{**common, "condition": RESET, "signal_class": 10, "state": 3}], []
        rows, levels = [], []
        for where in rng.sample(POINTS, rng.choice([1, 1, 2, 5])):
            word = rng.choice([0, 1, 2, 2, 4, 6, 1 << rng.randrange(16), rng.randrange(65536)])
            subject = rng.choice([40, 10])
            levels.append(((path, *named, source, where), word))
            rows.append({**common, "kind": LEVEL, "level": source << 24 | subject << 16 | word, "point": where})
        return (path, *named), rows, levels


def emitted(gate: Admit, since: int) -> list[tuple[Key, list[int], bool]]:
    """Return what the rows since `since` say, as changes; each must carry the whole level."""
    found = []
    for index in range(since, len(gate)):
        row = gate.batch.row(index)
        assert row["kind"] == SIGNAL
        path = NO_PATH if row["path"] is None else row["path"]
        named = (row["account"], row["realm"]) if path == NO_PATH else ()
        bits = [bit for bit in range(1, 16) if bool(row["level"] >> bit & 1) == (row["state"] == 1)]
        found.append(((path, *named, row["level"] >> 24, row["point"]), bits, row["state"] == 1))
    return found


def agree(found: list, expected: list[Change]) -> None:
    """A row does not say its bit in so many words: it must be one that fits, in count, key and direction."""
    assert sorted((key, up) for key, _, up in found) == sorted((key, up) for key, _, up in expected)
    fitting: dict[Key, list[int]] = {}
    for key, bits, _ in found:
        fitting.setdefault(key, []).extend(bits)
    assert all(bit in fitting[key] for key, bit, _ in expected)


def restart(gate: Admit, snapshot: bytes | None, journal: list[bytes]) -> Admit:
    after = admit()
    if snapshot is not None:
        after.load(snapshot)
    for entry in journal:
        after.apply(Batch.view(entry))
    return after


@pytest.mark.parametrize("seed", range(12))
def test_levels_against_a_slow_truth(seed: int) -> None:
    line, truth, gate = Line(seed), Truth(), admit()
    snapshot, journal, last, admitted = None, [], None, 0
    for _ in range(STEPS):
        step = line.rng.random()
        if step < 0.80 or last is None:
            last, admitted = line.frame(), 0
        if step < 0.88:                              # a new frame, or the last one once more
            sender, rows, levels = last
            since, expected = len(gate), truth.changes(levels)
            ticket, is_new = gate.offer_frame(*rows)
            if admitted and not is_new:              # known by its stamp, whatever a reset in it says of its own words
                assert (len(gate), ticket in (0, admitted)) == (since, True)
                continue
            admitted = ticket if is_new else 0
            if levels:
                agree(emitted(gate, since), expected)
                assert is_new == bool(expected)
            truth.take(sender, levels, ticket, reset=is_new and not levels)
            owed = [truth.waiting[key] for key, _ in levels if key in truth.waiting]
            assert ticket >= max(owed) if owed else ticket == 0 or not levels
            assert ticket <= gate.offered
        elif step < 0.95:
            entry, good = gate.batch.encode(), line.rng.random() < 0.7
            (gate.release if good else gate.fail)(gate.take())
            truth.seal(good=good)
            if good:
                journal.append(entry)
        elif step < 0.97:
            snapshot, journal = gate.save(), []
        else:                                        # what was not durable is lost
            gate = restart(gate, snapshot, journal)
            truth.seal(good=False)
        gate.check()


def words(rows: list[int], point: str = "1/1") -> Iterator[dict]:
    for word in rows:
        yield {"kind": LEVEL, "level": 1 << 24 | 1 << 16 | word, "path": 0, "point": point, "protocol": 2,
               "identity": b"%d" % word, "received_ns": word * SECOND, "occurred_ns": word * SECOND}


def test_after_a_failed_append_the_last_durable_word_counts() -> None:
    gate = admit()
    quiet, fire, both = words([0, 2, 6])
    assert gate.offer_frame(fire) == (1, True)
    gate.release(gate.take())
    gate.offer_frame(both)
    gate.offer_frame(quiet)
    gate.fail(gate.take())
    assert gate.offer_frame(fire) == (0, False)
    assert gate.offer_frame(quiet)[1]
    assert gate.batch.row(0)["state"] == 2
    gate.check()


def test_only_the_failed_append_is_taken_back() -> None:
    """Rows that came in while it ran fail with it or stay with the next one; the words are those of what is left."""
    gate = admit()
    fire, both = words([2, 6])
    gate.offer_frame(fire)
    ticket = gate.take()
    gate.fail(ticket)
    assert gate.offer_frame(fire)[1]
    assert gate.offer_frame(both)[1]
    gate.release(gate.take())
    assert gate.offer_frame(both) == (0, False)
    assert gate.offer_frame(*words([0]))[1]
    assert len(gate) == 2

"""UDP sends nobody more than somebody sent: whoever forges a sender's address wins nothing by it.

Measured over all formats: a frame that anybody can write is answered with at most FREE_BYTES_MAX more than it had (a
DC-09 frame with a token of one letter and no line number gets `ACK` and `L0`); one that needs a key, or a recording
of who has it, with at most KEYED_FACTOR_MAX of its bytes. Each frame is answered once; what is at fault mostly not at
all, else (a wrong time, data that the protocol does not have) within the same bounds.
"""
import random
from collections import Counter

import pytest

from codec.reading import build_frame, build_message
from codec.words import PROTOCOL_NUMBER
from engine.listen.registered import FrameRules
from tests.fuzz import dc09_encrypted_frames, test_tocsin_twin
from tests.fuzz.formats import FORMATS, inputs
from tests.unit.listen_world import SECOND, World, bound, replies

FREE_BYTES_MAX = 4
KEYED_FACTOR_MAX = 1.5
INPUTS = 800
DATAGRAM_BYTES_MAX = 4600
KEYED = [("dc09", ("1234", "12AB", "1A2B3C4D", "1"), dc09_encrypted_frames.KEYS[0]),
         ("tocsin", ("1", "1207", "7", "16777215"), test_tocsin_twin.KEY)]


class Line:
    """A UDP listener and somebody who sends; `ask` returns the replies to one datagram, those that wait included."""

    def __init__(self, rules=None):
        self.world = World(rate=1e9, rows=8192, arena_bytes=1 << 24, registered=[
            (PROTOCOL_NUMBER[protocol], account, "", 90_000, key, rules)
            for protocol, accounts, key in KEYED for account in accounts] if rules else [])
        self.world.clock.jump(12 * 3600 * SECOND)    # the encrypted frames are of noon
        self.socket, self.panel = bound(), bound()
        self.udp = self.world.udp(self.socket)
        self.panel.connect(self.socket.getsockname())

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()
        self.panel.close()

    def ask(self, data):
        self.panel.send(data)
        assert self.udp.on_readable() == 1
        self.world.journal()
        return replies(self.panel)


def datagrams(name):
    """Known frames, and frames that are right, nearly right, or noise; all of them twice, as repetitions come."""
    wire = FORMATS[name]
    made = [*wire.seeds(), *(data for data, _ in inputs(random.Random(name), name, INPUTS))]
    return [data[:DATAGRAM_BYTES_MAX] for data in made if data for _ in range(2)]


@pytest.mark.parametrize("name", FORMATS)
def test_without_a_key_nothing_is_won(name):
    answered = 0
    with Line() as line:
        for data in datagrams(name):
            got = line.ask(data)
            answered += len(got)
            assert sum(map(len, got)) <= len(data) + FREE_BYTES_MAX * len(got), data
    assert (answered > INPUTS / 4) == (name in ("dc09", "gbt26875"))


@pytest.mark.parametrize("encrypted_only", [False, True])
@pytest.mark.parametrize("name", FORMATS)
def test_with_a_key_or_a_recording_hardly_anything(name, encrypted_only):
    rules, results = FrameRules(40, 20, encrypted_only, True, False), Counter()
    with Line(rules) as line:
        for data in datagrams(name):
            got = line.ask(data)
            results[bool(got)] += 1
            assert sum(map(len, got)) <= KEYED_FACTOR_MAX * len(data), data
    assert results[True] > INPUTS / 10 and results[False] > INPUTS / 10


@pytest.mark.parametrize("token", ["A", "NU", "NULL", "SIA-DCS"])
@pytest.mark.parametrize("account", ["123", "0123456789ABCDEF"])
@pytest.mark.parametrize("line_number", [None, "0", "123456"])
@pytest.mark.parametrize("receiver", [None, "1", "123456"])
def test_the_shortest_frames(token, account, line_number, receiver):
    with Line() as line:
        frame = build_frame(token, account, line=line_number, receiver=receiver)
        [reply] = line.ask(frame)
        assert len(reply) <= len(frame) + FREE_BYTES_MAX


@pytest.mark.parametrize("age", [0, 1, 2, 1_000_000])
def test_recordings_of_the_tocsin_profile(age):
    """An old counter is answered with the highest one: four bytes more than the shortest message."""
    with Line(FrameRules()) as line:
        def message(counter):
            return build_message(1207, counter, test_tocsin_twin.KEY, b"")
        assert line.ask(message(2_000_000))
        recorded = message(2_000_000 - age)
        [reply] = line.ask(recorded)
        assert len(reply) <= KEYED_FACTOR_MAX * len(recorded)


def test_silence_is_the_answer_to_what_is_no_frame():
    chance = random.Random(1)
    with Line() as line:
        for _ in range(1000):
            assert line.ask(chance.randbytes(chance.randrange(1, 1400))) == []

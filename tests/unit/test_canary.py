"""The canary's own line, its ear, its settings, and when it counts as overdue."""
from types import SimpleNamespace

import pytest

from codec.reading import build_frame
from engine.canary import ACCOUNT, Canary, Ear, Line
from engine.clock import SECOND_NS, FakeClock
from engine.config import ConfigError
from engine.configure import load

FRAME = build_frame("SIA-DCS", ACCOUNT, f"#{ACCOUNT}|NRP^canary 1^".encode())


def canary(**settings):
    clock = FakeClock(monotonic_ns=1000 * SECOND_NS)
    flags = {f"canary.{name}": value for name, value in settings.items()}
    return Canary(SimpleNamespace(clock=clock, config=load(flags=flags), outcomes=None,
                                  hash_key=bytes(16))), clock


@pytest.mark.parametrize("durable", [True, False])
def test_the_reply_leaves_only_when_the_row_is_durable(durable):
    line = Line(FakeClock(monotonic_ns=SECOND_NS), bytes(16))
    for _ in range(3):
        row = line.say(FRAME)
        assert (row["account"], row["native"], row["raw"], row["path"]) == (
            ACCOUNT, "RP^canary 1^", FRAME, 0xFFFFFFFF)
        assert line.settle(durable=durable) is durable


@pytest.mark.parametrize("frame", [
    FRAME[:-3] + b"?" + FRAME[-2:], build_frame("NULL", ACCOUNT), FRAME[:20], b"?",
    build_frame("SIA-DCS", ACCOUNT, f"#{ACCOUNT}|NRP1/FA2".encode())])
def test_anything_but_one_signal_is_none(frame):
    line = Line(FakeClock(monotonic_ns=SECOND_NS), bytes(16))
    assert line.say(frame) is None
    line.settle(durable=False)
    assert line.say(FRAME) is not None             # what went wrong before is forgotten


def test_an_ear_hears_events_and_nothing_else():
    heard = []
    ear = Ear(heard.append)
    ear.write(b'retry: 1000\nid: 7\n\nid: 7\nevent: gap\ndata: {"reason":"trimmed","oldest":"7"}\n\n: \n\n', 0)
    assert heard == []
    ear.write(b'id: 8\ndata: {"id":"8","data":{"native":"a"}}\n\nid: 9\ndata: {"id":"9","data":{"native":"b"}}\n\n', 0)
    assert [event["native"] for event in heard] == ["a", "b"]


def test_overdue_is_longer_than_both_times_together():
    bird, clock = canary(every="10s", within="5s")
    assert not bird.overdue()                      # it has not begun
    bird._since_ns = clock.monotonic_ns()
    clock.advance(15 * SECOND_NS)
    assert bird.checks()[0].ok
    clock.advance(1)
    [check] = bird.checks()
    assert (check.name, check.ok, check.detail) == ("canary", False, "no canary came out for 15 s: ")
    clock.jump(-3600 * SECOND_NS)                  # the wall clock has nothing to do with it
    assert not bird.checks()[0].ok
    bird._note(True)
    assert bird.checks()[0].ok
    assert bird.last_ns == clock.wall_ns()


def test_turned_off_it_has_no_stage_and_no_check():
    for zero in ("0", "0s"):
        bird, _ = canary(every=zero)
        assert (bird.on, bird.stages(), bird.checks()) == (False, [], ())


@pytest.mark.parametrize("every", ["99ms", "2h", "1", "-1s", "never"])
def test_a_time_that_cannot_be(every):
    with pytest.raises(ConfigError, match='allowed is a duration from "100ms" to "1h", or "0"'):
        canary(every=every)

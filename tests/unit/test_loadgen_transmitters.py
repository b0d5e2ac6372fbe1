"""Replies are matched to frames, and signals are repeated by the protocol's rule."""

import pytest

from loadgen.dc09_client import frame
from loadgen.sink import answer_to
from loadgen.transmitters import RETRY_SECONDS, Outcome, Transmitters, slots_each

SECOND_NS = 1_000_000_000
STAMP = 1_767_225_600
FIRST = 0xA00001


def make(count: int = 4, slots: int = 4, signals: int = 8) -> Transmitters:
    return Transmitters(FIRST, 6, count, slots, signals, b"run")


def counts(book: Transmitters) -> dict[str, int]:
    return {name: value for name, value in book.counts().items() if value}


def test_a_reply_closes_its_frame_and_counts_from_the_due_time():
    book = make()
    sent = book.heartbeat(2, 1000, STAMP)
    assert b'"NULL"0001L0#A00003[]' in sent
    book.reply(answer_to(sent), 51_000)
    assert counts(book) == {"heartbeats": 1, "heartbeats_answered": 1}
    assert book.heartbeat_latency.max_ns == 50_000


def test_doubles_and_strangers():
    book = make()
    reply = answer_to(book.heartbeat(0, 0, STAMP))
    for _ in range(3):
        book.reply(reply, 1)
    for body in (b'"ACK"0002L0#A00001[]', b'"ACK"0001L0#A00005[]', b'"ACK"0001L0#A00000[]', b'"ACK"0005L0#A00001[]'):
        book.reply(frame(body), 1)
    book.reply(b"noise", 1)
    book.reply(frame(b'"NAK"0000R0L0A0[]'), 1)
    assert counts(book) == {
        "heartbeats": 1, "heartbeats_answered": 1, "doubles": 2, "unexpected": 4, "unreadable": 1, "naks": 1,
    }


def test_signals_and_heartbeats_share_the_sequence_and_each_signal_has_its_own_zone_and_text():
    book = make()
    book.heartbeat(0, 0, STAMP)
    assert b'"SIA-DCS"0002L0#A00001[#A00001|NFA0001^run-0^]' in book.signal(0, 0, 0, STAMP)
    assert b'"SIA-DCS"0003L0#A00001[#A00001|NFA0002^run-1^]' in book.signal(0, 0, 0, STAMP)
    assert b'"SIA-DCS"0001L0#A00002[#A00002|NFA0001^run-2^]' in book.signal(1, 0, 0, STAMP)


def test_the_sequence_goes_from_9999_to_1():
    book = make(count=1)
    frames = [book.heartbeat(0, 0, STAMP) for _ in range(10_000)]
    assert b'"NULL"9999L0' in frames[9_998]
    assert b'"NULL"0001L0' in frames[9_999]


def test_a_signal_is_repeated_as_the_same_bytes_until_it_is_given_up():
    book = make()
    first = book.signal(3, 0, 0, STAMP)
    now = 0
    for pause in RETRY_SECONDS[:-1]:
        now += pause * SECOND_NS
        assert book.retry(now - 1) == b""
        assert book.retry(now) == first
        assert book.retry(now) == b""
    assert book.outcomes() == bytes([Outcome.OUTCOME_WAITS])
    assert book.retry(now + RETRY_SECONDS[-1] * SECOND_NS) == b""
    assert book.outcomes() == bytes([Outcome.OUTCOME_GIVEN_UP])
    assert counts(book) == {"signals": 1, "retransmissions": len(RETRY_SECONDS) - 1, "given_up": 1}
    book.reply(answer_to(first), now)
    assert counts(book)["unexpected"] == 1


def test_an_acknowledged_signal_is_not_repeated_and_its_latency_covers_all_tries():
    book = make()
    first, second = book.signal(0, 0, 0, STAMP), book.signal(1, 0, 1, STAMP)
    book.reply(answer_to(first), 5)
    assert book.retry(2 * SECOND_NS) == second
    assert book.retry(2 * SECOND_NS) == b""
    book.reply(answer_to(second), 3 * SECOND_NS)
    assert book.retry(100 * SECOND_NS) == b""
    assert book.outcomes() == bytes([Outcome.OUTCOME_ACKNOWLEDGED] * 2)
    assert book.signal_latency.max_ns == 3 * SECOND_NS


def test_not_understood_is_not_acknowledged():
    book = make()
    book.signal(0, 0, 0, STAMP)
    book.reply(frame(b'"DUH"0001L0#A00001[]'), 1)
    assert counts(book) == {"signals": 1, "refused": 1}


def test_a_waiting_heartbeat_gives_way_and_a_waiting_signal_does_not():
    book = make(slots=4)
    signals = [book.signal(0, 0, 0, STAMP) for _ in range(3)]
    beats = [book.heartbeat(0, 0, STAMP) for _ in range(3)]
    assert [b'"NULL"000%d' % n in beat for n, beat in zip((4, 8), beats[:2], strict=True)] == [True, True]
    assert b'"NULL"0012' in beats[2]
    assert book.counts()["heartbeats_evicted"] == 2
    assert b'"SIA-DCS"0016' in book.signal(0, 0, 0, STAMP)
    assert book.heartbeat(0, 0, STAMP) == b""
    assert book.signal(0, 0, 0, STAMP) == b""
    assert book.counts()["withheld"] == 2
    assert book.outcomes()[-1] == Outcome.OUTCOME_WITHHELD
    book.reply(answer_to(signals[1]), 1)
    assert b'"NULL"0026' in book.heartbeat(0, 0, STAMP)  # the two withheld ones tried 17 to 24


def test_slots_hold_two_seconds_of_a_transmitters_share():
    assert slots_each(100_000, 100_000) == 4
    assert slots_each(100, 10_000) == 256
    assert slots_each(1, 1_000_000) == 4096


@pytest.mark.parametrize("wrong", [
    {"run": b""}, {"run": b"x" * 33}, {"digits": 3}, {"digits": 16}, {"count": 0}, {"slots": 3},
])
def test_impossible_fleets(wrong):
    arguments = {"account_first": 1, "digits": 4, "count": 1, "slots": 4, "signals_max": 0, "run": b"r", **wrong}
    with pytest.raises(ValueError, match="transmitters"):
        Transmitters(**arguments)

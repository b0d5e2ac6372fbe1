"""The receiver's codec reads what the simulated transmitters write, and they read what it answers."""

from codec.batch import Batch
from codec.reading import decode_stream, encode_reply
from codec.words import SignalClass, State
from loadgen.dc09_client import ReplyKind, heartbeat_frame, reply_of, signal_frame

SECOND = 1_772_000_000


def test_a_signal_keeps_its_text():
    batch = Batch(4, 4096)
    decode_stream(signal_frame(0xA00001, 6, 42, SECOND, b"19a8f3c2b10", 123, 7), batch, SECOND * 10**9)
    assert len(batch) == 1
    row = batch.row(0)
    assert (row["account"], row["sequence"], row["class"], row["state"]) == (
        "A00001", 42, SignalClass.CLASS_FIRE, State.STATE_RAISED)
    assert "19a8f3c2b10-123" in str(row["native"])


def test_a_heartbeat_carries_nothing():
    batch = Batch(4, 4096)
    decode_stream(heartbeat_frame(0xA00001, 6, 42, SECOND), batch, SECOND * 10**9)
    assert len(batch) == 0


def test_replies_are_read():
    sent = heartbeat_frame(0xA00001, 6, 42, SECOND)
    for answer, kind in ((1, ReplyKind.REPLY_ACK), (3, ReplyKind.REPLY_DUH)):
        assert reply_of(encode_reply(sent, answer, SECOND * 10**9)) == (kind, 42, 0xA00001)
    assert reply_of(encode_reply(sent, 2, SECOND * 10**9))[0] == ReplyKind.REPLY_NAK

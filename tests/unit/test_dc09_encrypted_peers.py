"""Encrypted frames against two other implementations, both ways, in what they do right.

siadc09 1.0.1 leaves the bar out where the data is empty. pysiaalarm 3.2.2 pads its reply with the digit 0, without a
bar, and stamps it by the clock of the machine.
"""
from datetime import UTC, datetime

import pytest
from pysiaalarm import SIAAccount, SIAEvent
from siadc09 import account, admcid, message, siadcs

from codec.reading import build_frame, read_frames, reply_to

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
NOON_NS = int(NOON.timestamp()) * 10**9
KEYS = [bytes(range(65, 65 + size)) for size in (16, 24, 32)]
CONTENTS = [("ADM-CID", b"#1A2B3C|1110 01 017"), ("SIA-DCS", b"#1A2B3C|Nri1/FA17/SA18|ABoiler"), ("NULL", b"")]


def peer_account(key: bytes) -> account.Account:
    return account.Account(acct=0x1A2B3C, pref=0x84, rcvr=0x114, key=key)


def ours(token: str, content: bytes, key: bytes, extended: tuple[bytes, ...] = ()) -> bytes:
    return build_frame(token, "1A2B3C", content, sequence=42, receiver="114", line="84", stamp_ns=NOON_NS,
                       extended=extended, key=key)


def only(data: bytes, key: bytes) -> dict:
    found, = read_frames(data, NOON_NS, key=key)
    assert found["status"] == "ok"
    return found


@pytest.mark.parametrize("key", KEYS, ids=len)
def test_we_read_frames_of_siadc09(key: bytes) -> None:
    for _ in range(20):                  # its pad is random
        found = only(message.NullMessage(peer_account(key), timestamp=NOON, seqno=7).encode(), key)
        assert (found["kind"], found["account"], found["receiver"], found["line"], found["encrypted"]) == (
            "heartbeat", "1A2B3C", "114", "84", True)
        fire = message.EventMessage(peer_account(key), config={
            "idtoken": "ADM-CID", "timestamp": NOON, "data": admcid.parse_admcid(b"#1A2B3C|1110 01 017")})
        assert [each["condition"] for each in only(fire.encode(seq=9), key)["signals"]] == ["fire"]
        many = message.EventMessage(peer_account(key), config={
            "idtoken": "SIA-DCS", "timestamp": NOON, "data": siadcs.parse_siadcs(b"#1A2B3C|Nri1/FA17/SA18|ABoiler")})
        assert [(each["condition"], each["point"]) for each in only(many.encode(seq=9), key)["signals"]] == [
            ("fire", "1/17"), ("waterflow", "1/18")]
        reply = message.AckMessage(peer_account(key), seq=5, timestamp=NOON, encrypted=True).encode(encrypt=True)
        found = only(reply, key)
        assert (found["kind"], found["sequence"], found["account"]) == ("reply", 5, "1A2B3C")


@pytest.mark.parametrize("key", KEYS, ids=len)
@pytest.mark.parametrize(("token", "content"), CONTENTS, ids=[token for token, _ in CONTENTS])
def test_siadc09_reads_our_frames_and_replies(token: str, content: bytes, key: bytes) -> None:
    request = ours(token, content, key, (b"X105E51.2345",))
    read = message.parse_frame(request, key)
    assert (read.idtoken, read.seq, read.timestamp, read.encrypted) == (token, 42, NOON, True)
    assert (read.account.acct, read.account.pref, read.account.rcvr) == (0x1A2B3C, 0x84, 0x114)
    if token == "ADM-CID":
        assert (read.data.event.qualifier, read.data.event.code) == ("1", "110")
    reply = message.parse_frame(reply_to(request, NOON_NS, key=key, entropy=11), key)
    assert isinstance(reply, message.AckMessage)
    assert (reply.seq, reply.timestamp, reply.account.acct, reply.account.rcvr) == (42, NOON, 0x1A2B3C, 0x114)


@pytest.mark.parametrize("key", KEYS, ids=len)
@pytest.mark.parametrize(("token", "content"), [
    ("ADM-CID", b"#1A2B3C|1110 01 017"), ("SIA-DCS", b"#1A2B3C|NFA129")], ids=["contact_id", "sia"])
def test_pysiaalarm_reads_our_frames_and_we_its_reply(token: str, content: bytes, key: bytes) -> None:
    accounts = {"1A2B3C": SIAAccount("1A2B3C", key=key.decode(), allowed_timeband=None)}
    read = SIAEvent.from_line(ours(token, content, key).decode().strip(), accounts)
    assert read.valid_message
    assert (read.account, read.receiver, read.line, read.code, read.timestamp) == ("1A2B3C", "R114", "L84", "FA", NOON)
    found = only(read.create_response(), key)
    assert (found["token"], found["kind"], found["sequence"], found["encrypted"]) == ("ACK", "reply", 42, True)

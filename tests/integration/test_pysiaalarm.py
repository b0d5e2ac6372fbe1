"""Against two other implementations, both ways, in what they do right.

pysiaalarm 3.2.2 writes "None" for an absent receiver and swaps L and R in NAK; siadc09 1.0.1 reads and writes hex
alone. Both read clear frames with receiver and line well.
"""
from datetime import UTC, datetime

import pytest
from pysiaalarm import SIAAccount, SIAEvent
from siadc09 import account, admcid, message, siadcs

from codec.reading import build_frame, encode_reply, read_frames

ACCEPT, UNABLE = 1, 3
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
NOON_NS = int(NOON.timestamp()) * 10**9
CONTACT_ID = build_frame("ADM-CID", "1A2B3C", b"#1A2B3C|1110 01 017", sequence=42, receiver="114", line="84",
                         stamp_ns=NOON_NS)
SIA = build_frame("SIA-DCS", "1A2B3C", b"#1A2B3C|NFA129", sequence=43, receiver="114", line="84", stamp_ns=NOON_NS)
NULL = build_frame("NULL", "1A2B3C", sequence=0, receiver="114", line="84", stamp_ns=NOON_NS)


def peer_account() -> account.Account:
    return account.Account(acct=0x1A2B3C, pref=0x84, rcvr=0x114)


def only(data: bytes) -> dict:
    found, = read_frames(data, NOON_NS)
    assert found["status"] == "ok"
    return found


def test_siadc09_reads_our_frames() -> None:
    read = message.parse_frame(SIA)
    assert (read.idtoken, read.seq, read.timestamp) == ("SIA-DCS", 43, NOON)
    assert (read.account.acct, read.account.pref, read.account.rcvr) == (0x1A2B3C, 0x84, 0x114)
    happened = read.data.blocks[1].events[0]
    assert (happened.code, happened.addr) == ("FA", 0x129)
    read = message.parse_frame(CONTACT_ID)
    assert (read.data.event.qualifier, read.data.event.code, read.data.event.group) == ("1", "110", 1)


@pytest.mark.parametrize("frame", [SIA, CONTACT_ID, NULL], ids=["sia", "contact_id", "null"])
def test_siadc09_writes_what_we_wrote(frame: bytes) -> None:
    read = message.parse_frame(frame)
    assert read.encode(seq=read.seq, timestamp=NOON) == frame


@pytest.mark.parametrize(("answer", "kind"), [(ACCEPT, message.AckMessage), (UNABLE, message.DuhMessage)])
def test_siadc09_reads_our_replies(answer: int, kind: type) -> None:
    read = message.parse_frame(encode_reply(SIA, answer, NOON_NS))
    assert isinstance(read, kind)
    assert (read.seq, read.account.acct, read.account.pref, read.account.rcvr) == (43, 0x1A2B3C, 0x84, 0x114)


def test_we_read_frames_of_siadc09() -> None:
    found = only(message.NullMessage(peer_account(), timestamp=NOON, seqno=7).encode())
    assert (found["kind"], found["account"], found["receiver"], found["line"]) == ("heartbeat", "1A2B3C", "114", "84")
    fire = message.EventMessage(peer_account(), config={
        "idtoken": "ADM-CID", "data": admcid.parse_admcid(b"#1A2B3C|1110 01 017")})
    assert [each["condition"] for each in only(fire.encode(seq=9))["signals"]] == ["fire"]
    many = message.EventMessage(peer_account(), config={
        "idtoken": "SIA-DCS", "data": siadcs.parse_siadcs(b"#1A2B3C|Nri1/FA17/SA18|ABoiler")})
    assert [(each["condition"], each["point"]) for each in only(many.encode(seq=9))["signals"]] == [
        ("fire", "1/17"), ("waterflow", "1/18")]


def test_we_read_replies_of_siadc09() -> None:
    for made in (message.AckMessage(peer_account(), seq=5), message.DuhMessage(peer_account(), seq=5)):
        found = only(made.encode())
        assert (found["kind"], found["sequence"], found["account"]) == ("reply", 5, "1A2B3C")
    assert only(message.NakMessage(peer_account(), timestamp=NOON).encode())["timestamp"] == "2026-01-01T12:00:00Z"


@pytest.mark.parametrize(("frame", "code"), [(SIA, "FA"), (CONTACT_ID, "FA")], ids=["sia", "contact_id"])
def test_pysiaalarm_reads_our_frames(frame: bytes, code: str) -> None:
    read = SIAEvent.from_line(frame.decode().strip(), {"1A2B3C": SIAAccount("1A2B3C", allowed_timeband=None)})
    assert read.valid_message
    assert (read.account, read.receiver, read.line, read.code) == ("1A2B3C", "R114", "L84", code)


def test_pysiaalarm_replies_with_our_bytes() -> None:
    read = SIAEvent.from_line(SIA.decode().strip(), {"1A2B3C": SIAAccount("1A2B3C", allowed_timeband=None)})
    assert read.create_response() == encode_reply(SIA, ACCEPT, NOON_NS)

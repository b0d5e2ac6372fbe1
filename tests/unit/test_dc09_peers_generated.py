"""Two other implementations against ours over generated frames, both ways; and where they are wrong, by name.

The same frames each time (derandomised), for pysiaalarm 3.2.2 and siadc09 1.0.1. That knows accounts, receivers and
lines as numbers: what it writes has no leading zeros, so that only such are made here.
"""
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pysiaalarm import SIAAccount, SIAEvent
from siadc09 import account, admcid, message, siadcs

from codec.codes.lookup import read_table
from codec.reading import build_frame, read_frames, reply_to
from codec.words import CLASS_TEXT, CONDITION_TEXT

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
SIA_CODES = sorted(code for code in read_table("sia.tsv") if code != "RP")
CID_CODES = sorted(code for code in read_table("contact_id.tsv") if code.isdecimal())
KEYS = st.sampled_from([None, *(bytes(range(65, 65 + size)) for size in (16, 24, 32))])
ACCOUNTS = st.integers(0x100, 0xFFFFFFFF)
NUMBERS = st.integers(1, 0xFFFFFF)
SEQUENCES = st.integers(1, 9999)
TIMES = st.integers(0, 40 * 365 * 86400).map(lambda seconds: NOON + timedelta(seconds=seconds))
SIA_DATA = st.tuples(st.integers(1, 99), st.lists(st.tuples(st.sampled_from(SIA_CODES), st.integers(1, 999)),
                                                  min_size=1, max_size=4))
CID_DATA = st.tuples(st.sampled_from("136"), st.sampled_from(CID_CODES), st.integers(0, 99), st.integers(0, 999))
SAME = settings(derandomize=True, deadline=None, max_examples=300)


def only(data: bytes, at: datetime, key: bytes | None) -> dict[str, Any]:
    found, = read_frames(data, int(at.timestamp()) * 10**9, key=key)
    assert found["status"] == "ok", found
    return found


def peer(number: int, receiver: int, line: int, key: bytes | None) -> account.Account:
    return account.Account(acct=number, pref=line, rcvr=receiver, key=key)


def header(found: dict[str, Any]) -> tuple[Any, ...]:
    return found["account"], found["receiver"], found["line"], found["sequence"], found["encrypted"], found["timestamp"]


@SAME
@given(ACCOUNTS, NUMBERS, NUMBERS, SEQUENCES, TIMES, KEYS, SIA_DATA)
def test_siadc09_tells_us_sia_events(number, receiver, line, sequence, at, key, data):
    area, events = data
    field = f"#{number:X}|Nri{area}/" + "/".join(f"{code}{zone}" for code, zone in events)
    made = message.EventMessage(peer(number, receiver, line, key), config={
        "idtoken": "SIA-DCS", "timestamp": at, "data": siadcs.parse_siadcs(field.encode())})
    found = only(made.encode(seq=sequence), at, key)
    assert header(found) == (f"{number:X}", f"{receiver:X}", f"{line:X}", sequence, key is not None,
                             f"{at:%Y-%m-%dT%H:%M:%SZ}" if key or found["timestamp"] else None)
    told = read_table("sia.tsv")
    assert [(one["class"], one["condition"], one["point"]) for one in found["signals"]] == [
        (CLASS_TEXT[told[code][0]], CONDITION_TEXT[told[code][1]], f"{area}/{zone}") for code, zone in events]


@SAME
@given(ACCOUNTS, NUMBERS, NUMBERS, SEQUENCES, TIMES, KEYS, CID_DATA)
def test_siadc09_tells_us_contact_id_events(number, receiver, line, sequence, at, key, data):
    qualifier, code, area, zone = data
    field = f"#{number:X}|{qualifier}{code} {area:02} {zone:03}"
    made = message.EventMessage(peer(number, receiver, line, key), config={
        "idtoken": "ADM-CID", "timestamp": at, "data": admcid.parse_admcid(field.encode())})
    found = only(made.encode(seq=sequence), at, key)
    assert header(found)[:5] == (f"{number:X}", f"{receiver:X}", f"{line:X}", sequence, key is not None)
    [signal] = found["signals"]
    assert signal["class"] == CLASS_TEXT[read_table("contact_id.tsv")[code][0]]
    assert signal["native"] == field.partition("|")[2]
    assert signal["point"] == (f"{area:02}/{zone:03}" if area else f"{zone:03}")


@SAME
@given(ACCOUNTS, NUMBERS, NUMBERS, SEQUENCES, TIMES, KEYS, CID_DATA)
def test_siadc09_reads_our_frames_and_replies(number, receiver, line, sequence, at, key, data):
    qualifier, code, area, zone = data
    content = f"#{number:X}|{qualifier}{code} {area:02} {zone:03}".encode()
    at_ns = int(at.timestamp()) * 10**9
    frame = build_frame("ADM-CID", f"{number:X}", content, sequence=sequence, receiver=f"{receiver:X}",
                        line=f"{line:X}", stamp_ns=at_ns, key=key)
    read = message.parse_frame(frame, key) if key else message.parse_frame(frame)
    assert (read.idtoken, read.seq, read.timestamp, read.account.acct, read.account.pref, read.account.rcvr) == (
        "ADM-CID", sequence, at, number, line, receiver)
    assert (read.data.event.qualifier, read.data.event.code) == (qualifier, code)
    reply = reply_to(frame, at_ns, key=key, entropy=sequence)
    answer = message.parse_frame(reply, key) if key else message.parse_frame(reply)
    assert isinstance(answer, message.AckMessage)
    assert (answer.seq, answer.account.acct, answer.account.rcvr) == (sequence, number, receiver)


def pysiaalarm(frame: bytes, key: bytes | None = None) -> SIAEvent:
    known = SIAAccount("1A2B3C", key=key.decode() if key else None, allowed_timeband=None)
    return SIAEvent.from_line(frame.decode().strip(), {"1A2B3C": known})


@SAME
@given(SEQUENCES, TIMES, KEYS, st.sampled_from(SIA_CODES), st.integers(1, 999))
def test_pysiaalarm_reads_our_sia_events_and_we_its_reply(sequence, at, key, code, zone):
    at_ns = int(at.timestamp()) * 10**9
    frame = build_frame("SIA-DCS", "1A2B3C", f"#1A2B3C|N{code}{zone}".encode(), sequence=sequence, receiver="114",
                        line="84", stamp_ns=at_ns, key=key)
    read = pysiaalarm(frame, key)
    assert read.valid_message
    assert (read.account, read.receiver, read.line, read.code, int(read.sequence), read.timestamp) == (
        "1A2B3C", "R114", "L84", code, sequence, at)
    reply = read.create_response()
    found, = read_frames(reply, int(datetime.now(UTC).timestamp()) * 10**9, key=key)
    assert (found["token"], found["kind"], found["sequence"], found["account"]) == ("ACK", "reply", sequence, "1A2B3C")


def test_pysiaalarm_deviates_by_none_for_an_absent_receiver() -> None:
    """Its ACK says "None" where the frame has no receiver; panels declare the poll failed. Ours leaves it out."""
    frame = build_frame("SIA-DCS", "1A2B3C", b"#1A2B3C|NFA1", sequence=5)
    assert b"NoneL0" in pysiaalarm(frame).create_response()
    assert read_frames(pysiaalarm(frame).create_response(), 0)[0]["status"] == "field"
    assert reply_to(frame, 0) == build_frame("ACK", "1A2B3C", sequence=5)


def test_pysiaalarm_deviates_by_calling_a_sprinkler_a_water_leak() -> None:
    """Contact ID 113 is a waterflow of the fire system, SIA code SA; it makes WA of it."""
    frame = build_frame("ADM-CID", "1A2B3C", b"#1A2B3C|1113 01 017", receiver="1")
    assert pysiaalarm(frame).code == "WA"
    [signal] = only(frame, NOON, None)["signals"]
    assert (signal["class"], signal["condition"]) == ("fire", "waterflow")


@pytest.mark.parametrize("key", [b"A" * 16])
def test_siadc09_deviates_by_no_bar_before_empty_data(key: bytes) -> None:
    """By the text a bar stands behind the pad of every message; without data it leaves it out, and we read both."""
    made = message.NullMessage(peer(0x1A2B3C, 1, 1, key), timestamp=NOON, seqno=7).encode()
    assert only(made, NOON, key)["kind"] == "heartbeat"

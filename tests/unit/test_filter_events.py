"""The text of events: valid JSON for any row, equal to the row, in a sound Server-Sent Events block."""
import json
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from codec.batch import Batch
from codec.words import CLASS_TEXT, CONDITION_TEXT, PROTOCOL_TEXT, STATE_TEXT, SignalClass
from engine.filter.filter import Filter
from engine.filter.outcome import Outcome

CONTRACT = {"alarm_id", "signal_id", "protocol", "account", "facility", "area", "class", "condition", "state", "point",
            "verification", "priority", "revision", "count", "occurred_at", "received_at", "durable", "native",
            "details", "realm", "first_received_at", "signal_class", "facility_name", "reason", "rule", "rule_version",
            "detectors", "accepted", "by", "why"}
EVENT_FIXED_BYTES_MAX = 1536


def filter_of(**settings: Any) -> Filter:
    return Filter(**{"next_event": 501, "hash_key": bytes(16), **settings})


def event_of(row: dict[str, Any], show: bool = False, **settings: Any) -> dict[str, Any]:
    batch = Batch(1, 65536)
    assert batch.add(**{"protocol": 1, "account": "0123", "signal_class": 1, "state": 1, **row})
    subject = filter_of(**settings)
    outcome = Outcome.view(subject.show(batch) if show else subject.apply(500, batch))
    assert outcome.events_in == 1
    return outcome.event(0)


def time_of(ns: int | None) -> str | None:
    if ns is None:
        return None
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=ns // 1000)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def message_of(block: bytes) -> tuple[str | None, str]:
    """Read one block as a subscriber does: the id, or None, and the data."""
    assert block.endswith(b"\n\n")
    assert b"\r" not in block
    fields = dict(line.split(": ", 1) for line in block.decode()[:-2].split("\n"))
    assert set(fields) <= {"id", "data"}
    return fields.get("id"), fields["data"]


text = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=60)
times = st.integers(-2**62, 2**62)
details = st.dictionaries(text, text, max_size=3).map(lambda found: json.dumps(found) if found else "")


@settings(max_examples=200, deadline=None)
@given(st.fixed_dictionaries({
    "protocol": st.sampled_from(sorted(PROTOCOL_TEXT)), "account": text, "realm": text, "point": text, "native": text,
    "signal_class": st.sampled_from([1, 2, 3]), "state": st.sampled_from([0, 1, 3]),
    "condition": st.sampled_from(sorted(CONDITION_TEXT)), "received_ns": times, "occurred_ns": times | st.none(),
    "sequence": st.integers(0, 2**32 - 1), "details": details}), text)
def test_an_event_says_what_the_row_says(row: dict[str, Any], source: str) -> None:
    source = source or "x"
    event = event_of(row, source=source)
    identity, data = message_of(event["block"])
    assert (identity, data.encode()) == ("501", event["json"])
    message = json.loads(data)
    key = f"{PROTOCOL_TEXT[row['protocol']]}:{row['account']}" + (f"@{row['realm']}" if row["realm"] else "")
    inside = message.pop("data")
    assert message == {
        "specversion": "1.0", "id": "501", "source": source, "type": "io.tocsin.alarm.raised", "subject": key,
        "time": time_of(row["received_ns"]), "datacontenttype": "application/json", "sequence": f"{501:020}"}
    assert inside == {
        "alarm_id": "500", "signal_id": "500", "protocol": PROTOCOL_TEXT[row["protocol"]], "account": row["account"],
        "realm": row["realm"], "facility": None, "facility_name": None, "area": None,
        "class": CLASS_TEXT[row["signal_class"]],
        "signal_class": CLASS_TEXT[row["signal_class"]], "condition": CONDITION_TEXT[row["condition"]],
        "state": STATE_TEXT[row["state"]], "point": row["point"], "verification": event["verification"],
        "reason": event["reason"], "rule": event["rule"], "rule_version": event["rule_version"],
        "priority": event["priority"], "detectors": 1, "accepted": False, "revision": 1, "count": 1, "by": None,
        "why": None, "occurred_at": time_of(row["occurred_ns"]),
        "received_at": time_of(row["received_ns"]), "first_received_at": time_of(row["received_ns"]), "durable": True,
        "native": row["native"], "details": json.loads(row["details"]) if row["details"] else None}
    assert set(inside) == CONTRACT


def test_the_longest_event_fits_its_room() -> None:
    longest = max(CONDITION_TEXT, key=lambda number: len(CONDITION_TEXT[number]))
    row = {"protocol": 2, "account": "", "condition": longest, "signal_class": SignalClass.CLASS_PREALARM, "state": 2,
           "received_ns": 2**62, "occurred_ns": 2**62}
    for show in (False, True):
        event = event_of({**row, "state": 1}, show=show, next_event=2**63, source="s")
        # The numbers here are short by at most 20 digits for the signal and alarm, 9 for count and revision each.
        assert len(event["block"]) + 2 * 20 + 2 * 9 + 20 < EVENT_FIXED_BYTES_MAX


def test_many_long_texts_in_one_batch() -> None:
    batch = Batch(1000, 1_000_000)
    native = "\x01" * 256 + '"\\' * 128
    for number in range(1000):
        assert batch.add(protocol=1, account=f"{number:04}", point="\x1f" * 64, native=native, signal_class=1, state=1)
    outcome = Outcome.view(filter_of(source="\n" * 256).apply(500, batch))
    assert outcome.events_in == 1000
    end = 0
    for index in range(1000):
        event = outcome.event(index)
        message = json.loads(event["json"])  # type: ignore[arg-type]
        assert (message["data"]["account"], message["data"]["native"]) == (f"{index:04}", native)
        end += len(event["block"])  # type: ignore[arg-type]
    assert end < len(batch) * 10_000


def test_a_text_beyond_the_limits_is_cut_and_still_json() -> None:
    message = json.loads(event_of({"native": "é" * 1000, "point": "p" * 5000})["json"])
    assert message["data"]["native"] == "é" * 256
    assert message["data"]["point"] == "p" * 512


def test_details_are_carried_whole_or_not_at_all() -> None:
    longest = json.dumps({"note": "x" * 4084})
    assert len(longest) == 4096
    assert json.loads(event_of({"details": longest})["json"])["data"]["details"] == json.loads(longest)
    assert json.loads(event_of({"details": longest[:-2] + 'x"}'})["json"])["data"]["details"] is None


def test_update_and_clear_carry_the_life_of_the_alarm() -> None:
    batch = Batch(4, 4096)
    for second, (state, point) in enumerate([(1, "1"), (1, "2"), (2, "1"), (2, "2")]):
        assert batch.add(protocol=1, account="0123", signal_class=1, state=state, point=point,
                         received_ns=second * 10**9)
    outcome = Outcome.view(filter_of().apply(500, batch))
    inside = [json.loads(outcome.event(index)["json"]) for index in range(outcome.events_in)]  # type: ignore[arg-type]
    assert [m["type"].rpartition(".")[2] for m in inside] == ["raised", "updated", "updated", "cleared"]
    assert [m["id"] for m in inside] == ["501", "502", "503", "504"]
    assert [m["data"]["alarm_id"] for m in inside] == ["500"] * 4
    assert [m["data"]["signal_id"] for m in inside] == ["500", "501", "502", "503"]
    assert [m["data"]["revision"] for m in inside] == [1, 2, 3, 4]
    assert [m["data"]["count"] for m in inside] == [1, 2, 2, 2]
    assert [m["data"]["state"] for m in inside] == ["raised", "raised", "cleared", "cleared"]
    assert {m["data"]["first_received_at"] for m in inside} == {"1970-01-01T00:00:00.000000Z"}
    assert inside[3]["data"]["received_at"] == "1970-01-01T00:00:03.000000Z"


def test_what_is_not_durable_says_so() -> None:
    event = event_of({"native": "FA003", "received_ns": 10**18}, show=True)
    identity, data = message_of(event["block"])
    message = json.loads(data)
    assert identity is None
    assert "sequence" not in message
    assert message["type"] == "io.tocsin.alarm.raised"
    inside = message["data"]
    assert set(inside) == CONTRACT
    assert (inside["durable"], inside["alarm_id"], inside["signal_id"]) == (False, None, None)
    assert (inside["verification"], inside["priority"], inside["revision"], inside["count"]) == ("unconfirmed", 2, 0, 0)


def test_an_id_without_number_depends_on_every_part_of_the_row() -> None:
    base: dict[str, Any] = {"received_ns": 10**18, "native": "FA003", "point": "003", "identity": b"one"}
    others: list[dict[str, Any]] = [
        {"received_ns": 10**18 + 1}, {"native": "FA004"}, {"point": "004"}, {"identity": b"two"}, {"account": "0124"},
        {"realm": "north"}, {"protocol": 2}, {"signal_class": 2}, {"condition": 2}, {"state": 2}, {"sequence": 1},
        {"native": "FA00", "point": "3003"}]
    ids = [json.loads(event_of({**base, **other}, show=True)["json"])["id"] for other in [{}, *others]]
    assert len(set(ids)) == len(ids)
    assert json.loads(event_of(base, show=True, hash_key=b"another key 1234")["json"])["id"] == ids[0]


def test_shown_blocks_are_the_kept_ones_without_their_ids() -> None:
    batch = Batch(4, 65536)
    for account in ("0123", "0124", "0125"):
        assert batch.add(protocol=1, account=account, signal_class=1, state=1)
    outcome = Outcome.view(filter_of().apply(500, batch))
    kept, shown = outcome.blocks(), outcome.blocks(numbered=False)
    assert kept.startswith(b"id: 501\ndata: ")
    assert shown == b"".join(line + b"\n" for line in kept.split(b"\n")[:-1] if not line.startswith(b"id: "))
    assert shown.count(b"data: ") == 3

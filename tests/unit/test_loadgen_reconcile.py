"""The audit's own logic: who is missing, who is double, and how events and counters are read."""

from loadgen.audit import Audit, EventLines, parse_metrics, reconcile
from loadgen.transmitters import Outcome

ACKNOWLEDGED, GIVEN_UP, WITHHELD = (
    Outcome.OUTCOME_ACKNOWLEDGED, Outcome.OUTCOME_GIVEN_UP, Outcome.OUTCOME_WITHHELD)


def test_all_arrived():
    seen = {0: {"10"}, 1: {"11"}}
    found = reconcile(bytes([ACKNOWLEDGED, ACKNOWLEDGED]), seen, seen)
    assert (found.sent, found.acknowledged, found.stored, found.forwarded) == (2, 2, 2, 2)
    assert (found.lost, found.doubled, found.unacknowledged) == ([], [], [])


def test_losses_doubles_and_the_unacknowledged_are_named_one_by_one():
    outcomes = bytes([ACKNOWLEDGED, ACKNOWLEDGED, ACKNOWLEDGED, ACKNOWLEDGED, GIVEN_UP, WITHHELD])
    stored = {0: {"1"}, 2: {"3"}, 3: {"4", "5"}}
    forwarded = {0: {"1"}, 1: {"2"}, 3: {"4"}}
    found = reconcile(outcomes, stored, forwarded)
    assert (found.sent, found.acknowledged, found.stored, found.forwarded) == (5, 4, 3, 3)
    assert (found.not_stored, found.not_forwarded) == ([1], [2])
    assert (found.lost, found.doubled, found.unacknowledged) == ([1, 2], [3], [4])


def test_a_signal_that_arrived_without_being_acknowledged_is_not_lost():
    found = reconcile(bytes([GIVEN_UP]), {0: {"1"}}, {})
    assert (found.stored, found.lost, found.unacknowledged) == (1, [], [0])


def test_events_are_put_together_from_lines():
    lines = EventLines()
    text = b": comment\n\nid: 7\nevent: gap\ndata: a\ndata:b\n\ndata: c\n\nid: 8\n\n"
    events = [event for line in text.split(b"\n")[:-1] if (event := lines.feed(line))]
    assert events == [("gap", b"a\nb"), ("message", b"c")]
    assert lines.last_id == "8"


def test_only_this_run_is_counted_and_one_signal_in_two_events_is_no_double():
    audit = Audit("http://127.0.0.1:1", "abc")
    for native, signal in (("NFA0001^abc-12^", "5"), ("NFA0001^abc-12^", "5"), ("x abd-12", "6"), (None, "7")):
        for line in (b'data: {"data":{"native":%b,"signal_id":"%b"}}' % (
                b"null" if native is None else b'"' + native.encode() + b'"', signal.encode()), b""):
            audit.take_line(line)
    audit.take_line(b"event: gap")
    audit.take_line(b'data: {"oldest":"9"}')
    audit.take_line(b"")
    assert audit.forwarded == {12: {"5"}}
    assert audit.gaps == 1


def test_counters_are_read_and_the_rest_is_left():
    text = ('# TYPE tocsin_frames_received_total counter\n'
            'tocsin_frames_received_total{protocol="dc09",kind="signal"} 3\n'
            'tocsin_replies_total 4.0\ntocsin_paths{state="up"} 9\nprocess_cpu_seconds_total 1\n')
    assert parse_metrics(text) == {
        'tocsin_frames_received_total{protocol="dc09",kind="signal"}': 3.0, "tocsin_replies_total": 4.0}

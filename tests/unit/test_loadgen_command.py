"""Arguments, addresses, the frame by hand, the report and the progress line."""

import argparse
import io

import pytest

from loadgen import command, send
from loadgen.audit import reconcile
from loadgen.latency import Recorder
from loadgen.plan import Outcomes, accounts, address, new_run
from loadgen.progress import Progress
from loadgen.report import add_audit, judge, report, table

COUNTS = dict.fromkeys(("withheld", "retransmissions", "doubles", "unexpected", "unreadable", "refused", "naks"), 0)
MACHINE: dict[str, str | int] = {"cpu": "c", "cores": 2, "kernel": "k", "python": "p"}
NOW_NS = 1_767_225_600_000_000_000


def parse(module, *arguments: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    module.add_arguments(parser)
    return parser.parse_args(arguments)


@pytest.mark.parametrize(("text", "expected"), [
    ("127.0.0.1:10914", ("127.0.0.1", 10914)), ("[::1]:1", ("::1", 1)),
    ("panel.example:65535", ("panel.example", 65535)),
])
def test_addresses(text, expected):
    assert address(text) == expected


@pytest.mark.parametrize("text", ["", "10914", "host:", "host:0", "host:65536", ":1", "host:x"])
def test_wrong_addresses(text):
    with pytest.raises(ValueError, match="HOST|no host"):
        address(text)


def test_accounts_have_one_width():
    assert accounts("A00001", 100_000) == (0xA00001, 6)
    assert accounts("0001", 2) == (1, 4)
    assert accounts("1", 2) == (1, 4)
    assert accounts("FFFF", 2) == (0xFFFF, 5)
    for wrong in ("", "12G4", "1" * 16):
        with pytest.raises(ValueError, match="hex digits"):
            accounts(wrong, 1)
    with pytest.raises(ValueError, match="hex digits"):
        accounts("F" * 15, 2)


def test_runs_differ_and_fit():
    runs = {new_run() for _ in range(20)}
    assert len(runs) > 15
    assert all(1 <= len(run) <= 32 for run in runs)


@pytest.mark.parametrize("arguments", [
    ("--rate", "0"), ("--rate", "nan"), ("--alarms", "1.1"), ("--transmitters", "0"), ("--duration", "-1"),
    ("--sockets", "0"), ("--connections", "5000"), ("--to", "nowhere"), ("--first-account", "XYZ"),
    ("--heartbeat-loss", "2"), ("--token-file", "/no/such/file"), ("--report", "/no/such/folder/file"),
    ("--picture", "/no/such/folder/file.svg"), ("--picture", "file.html"), ("--rate", "max"),
    ("--no-replies", "--rate", "inf"), ("--no-replies", "--alarms", "0.1"), ("--no-replies", "--transport", "tcp"),
    ("--no-replies", "--fleet", "loadgen/fleets/province.toml"),
])
def test_usage_errors_name_the_argument_in_one_line(arguments, capsys):
    assert command.run(parse(command, *arguments)) == command.USAGE
    error = capsys.readouterr().err
    assert error.startswith("tocsin loadgen: ")
    assert error.count("\n") == 1


@pytest.mark.parametrize(("arguments", "body"), [
    (("--event", "fire"), '"SIA-DCS"0007L0#0123[#0123|NFA001]'),
    (("--event", "restore", "--zone", "12"), '"SIA-DCS"0007L0#0123[#0123|NFH012]'),
    (("--event", "fire", "--text", "hall"), '"SIA-DCS"0007L0#0123[#0123|NFA001^hall^]'),
    (("--code", "Nri2/GA003"), '"SIA-DCS"0007L0#0123[#0123|Nri2/GA003]'),
    (("--event", "heartbeat"), '"NULL"0007L0#0123[]'),
])
def test_a_frame_by_hand(arguments, body):
    args = parse(send, "--account", "0123", "--sequence", "7", *arguments)
    assert send.build(args, NOW_NS)[9:-1].decode() == body + "_00:00:00,01-01-2026"


@pytest.mark.parametrize("arguments", [
    ("--account", "12"), ("--account", "xyz1"), ("--account", "0123", "--sequence", "0"),
    ("--account", "0123", "--zone", "-1"),
    ("--account", "0123", "--text", "a]b"), ("--account", "0123", "--code", "N\r"),
    ("--account", "0123", "--timeout", "0"),
])
def test_a_wrong_frame_is_a_usage_error(arguments, capsys):
    assert send.run(parse(send, *arguments)) == 2
    assert capsys.readouterr().err.startswith("tocsin send: --")


def outcomes(signals: int, acknowledged: int, answered: int) -> Outcomes:
    heartbeats, alarms = Recorder(), Recorder()
    heartbeats.record([2_000_000] * answered)
    alarms.record([10_000_000] * acknowledged)
    counts = {**COUNTS, "heartbeats": 1000, "heartbeats_answered": answered, "signals": signals,
              "acknowledged": acknowledged}
    return Outcomes(
        counts=counts, network={"drops": 0, "unsendable": 0}, outcomes=bytes([2] * acknowledged),
        histograms={"heartbeats": heartbeats.sync().encode(), "signals": alarms.sync().encode()},
        sending_s=2.0, behind_ns=1_500_000, cpu_s=0.1,
    )


def test_a_clean_report():
    plan = command.make_plan(parse(command, "--rate", "501"))
    result = report(plan, outcomes(2, 2, 1000), 1e6, MACHINE)
    add_audit(result, reconcile(bytes([2, 2]), {0: {"a"}, 1: {"b"}}, {0: {"a"}, 1: {"b"}}), {}, 0, 0)
    result["audit"] = "running"
    judge(result, 0.0)
    assert result["failures"] == result["warnings"] == []
    assert (result["sent"], result["stored"], result["lost"]) == (2, 2, 0)
    assert (result["rate"], result["audit"]) == (501.0, "clean")
    assert result["latency"]["p50"] == pytest.approx(2, rel=0.001)
    assert result["latency"]["signals"]["max"] == pytest.approx(10, rel=0.001)
    assert result["behind"] == 1.5
    assert "audit clean" in table(result)


def test_a_failed_report_says_why():
    plan = command.make_plan(parse(command))
    result = report(plan, outcomes(3, 2, 990), 1e5, MACHINE)
    add_audit(result, reconcile(bytes([2, 2, 3]), {0: {"a", "b"}}, {1: {"c"}}), {}, 1, 2)
    result.update(audit="running", kernel={"udp_RcvbufErrors": 9})
    judge(result, 0.001)
    text = table(result)
    for part in ("1 acknowledged signals are not stored: 1", "never left on the stream: 0", "more than one id: 0",
                 "1 gaps", "10 of 1000 heartbeats unanswered", "udp_RcvbufErrors 9",
                 "1 signals were never acknowledged", "above 0.8 of the generator's own ceiling", "audit failed"):
        assert part in text


@pytest.mark.parametrize(("arguments", "ceiling", "why"), [
    (("--rate", "501"), 1e6, None), (("--rate", "501"), None, None),
    (("--rate", "501"), 600, "above 0.8 of the generator's own ceiling of 600 frames/s, latencies include it"),
    (("--rate", "600"), 1e6, "of the asked rate of 600 frames/s it reached 501, latencies include it"),
    (("--rate", "max", "--no-replies"), 1e6, "the generator was the limit: it sent as fast as it could"),
])
def test_a_run_says_whether_the_generator_was_the_limit(arguments, ceiling, why):
    result = report(command.make_plan(parse(command, *arguments)), outcomes(2, 2, 1000), ceiling, MACHINE)
    assert result["generator_limited"] == (why is not None)
    assert [one.endswith(why) for one in result["warnings"]] == ([] if why is None else [True])


def test_withheld_frames_are_not_the_generators_fault():
    seen = outcomes(2, 2, 1000)
    seen.counts["withheld"] = 198
    result = report(command.make_plan(parse(command, "--rate", "600")), seen, None, MACHINE)
    assert not result["generator_limited"]


def test_without_replies_nothing_is_said_of_them():
    seen = outcomes(0, 0, 0)
    seen.network.update(unsendable=3, errors=2)
    result = report(command.make_plan(parse(command, "--no-replies", "--rate", "500")), seen, 1e6, MACHINE)
    judge(result, 0.0)
    assert result["heartbeats"] == {"sent": 997, "answered": None, "unanswered": None}
    assert (result["unanswered"], result["frames"], result["rate"]) == (None, 997, 498.5)
    assert len(result["failures"]) == 2
    said = table(result)
    assert "without replies" in said
    assert "latency" not in said


def test_curves_reach_as_far_as_the_count_bears():
    curves = report(command.make_plan(parse(command)), outcomes(1, 1, 1000), None, MACHINE)["curves"]
    heartbeats, signals = curves["heartbeats"], curves["signals"]
    assert heartbeats["count"] == 1000
    assert heartbeats["percentile"][0] == 0
    assert heartbeats["percentile"][8::8] == pytest.approx([90, 99, 100], rel=1e-6)
    assert heartbeats["ms"] == pytest.approx([2] * len(heartbeats["percentile"]), rel=0.001)
    assert signals == {"count": 1, "percentile": [100.0], "ms": [pytest.approx(10, rel=0.001)]}
    assert report(command.make_plan(parse(command)), outcomes(0, 0, 0), None, MACHINE)["curves"]["signals"] == {
        "count": 0, "percentile": [], "ms": []}


def test_the_command_is_told_as_it_was_given():
    said = ("--rate", "max", "--no-replies", "--duration", "2.5", "--transmitters", "7", "--report", "a file")
    assert command.spoken(parse(command, *said)) == (
        "tocsin loadgen --transmitters 7 --rate max --no-replies --duration 2.5 --report 'a file'")
    assert command.spoken(parse(command, "--rate", "1000000", "--alarms", "0")) == (
        "tocsin loadgen --rate 1000000 --alarms 0")


def test_heartbeats_lost_within_the_share_are_clean():
    result = report(command.make_plan(parse(command)), outcomes(0, 0, 999), None, MACHINE)
    judge(result, 0.001)
    assert result["failures"] == []
    assert result["latency"]["signals"]["p50"] is None
    table(result)


def test_progress_in_a_file_is_a_line_now_and_then():
    out = io.StringIO()
    progress = Progress(100, out)
    progress(10, 5)
    assert out.getvalue() == ""
    progress.shown_ns -= 6 * 10**9
    progress(50, 40)
    progress.end()
    assert out.getvalue() == "50 of 100 frames sent, 10 without reply, 0 s\n"


def test_progress_without_an_end_or_replies_tells_what_it_knows():
    progress = Progress(0, io.StringIO(), replies=False)
    assert progress.text(1_000_000, 0, progress.began_ns + 2 * 10**9) == "1,000,000 frames sent, 2 s"
    progress.bar = True
    assert progress.text(5, 0, progress.began_ns) == "5 frames sent, 0 s"

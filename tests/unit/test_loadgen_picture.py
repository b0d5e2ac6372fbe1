"""The picture of a report: sound XML, the right points, nothing from elsewhere."""

import argparse
import re
from xml.etree import ElementTree

import pytest

from loadgen import command
from loadgen import picture as svg
from loadgen.latency import Recorder
from loadgen.picture import CHART_HEIGHT, LEFT, RIGHT, draw
from loadgen.plan import Outcomes
from loadgen.report import Report, report

SVG = "{http://www.w3.org/2000/svg}"
MACHINE: dict[str, str | int] = {"cpu": "c<&>", "cores": 2, "kernel": "k", "python": "p"}


def report_of(*arguments: str, heartbeats: int = 1000, signals: int = 10) -> Report:
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    plan = command.make_plan(parser.parse_args(arguments))
    beats, alarms = Recorder(), Recorder()
    beats.record([1_000_000] * (heartbeats - 1) + [100_000_000] * bool(heartbeats))
    alarms.record([10_000_000] * signals)
    zeros = ("withheld", "retransmissions", "doubles", "unexpected", "unreadable", "refused", "naks")
    counts = {**dict.fromkeys(zeros, 0), "heartbeats": heartbeats, "heartbeats_answered": heartbeats,
              "signals": signals, "acknowledged": signals}
    result = report(plan, Outcomes(
        counts=counts, network={"drops": 0, "unsendable": 0, "errors": 0}, outcomes=bytes([2] * signals),
        histograms={"heartbeats": beats.sync().encode(), "signals": alarms.sync().encode()},
        sending_s=2.0, behind_ns=0, cpu_s=0.1), 1e6, MACHINE)
    result["throughput"] = {"seconds": [1.0, 2.0], "sent": [600.0, 400.0], "acknowledged": [500.0, 510.0]}
    return result


def lines_of(picture: str) -> dict[str, list[tuple[float, float]]]:
    """Return the points of each line by its name."""
    found = {}
    for line in ElementTree.fromstring(picture).iter(f"{SVG}polyline"):
        pairs = [pair.split(",") for pair in line.attrib["points"].split()]
        found[line.findtext(f"{SVG}title")] = [(float(x), float(y)) for x, y in pairs]
    return found


def texts_of(picture: str) -> list[str]:
    return [text.text or "" for text in ElementTree.fromstring(picture).iter(f"{SVG}text")]


def test_scales_and_steps():
    assert svg.linear(0, 10, 100, 200)(5) == 150
    assert svg.logarithmic(1, 1000, 0, 300)(10) == pytest.approx(100)
    assert svg.logarithmic(1, 1000, 0, 300)(0) == 0
    assert [svg.step_of(most, 5) for most in (0.9, 1, 5, 6, 23, 60, 1e6)] == pytest.approx([0.2, 0.2, 1, 2, 5, 20, 2e5])
    assert [svg.number(value) for value in (0, 0.5, 10, 20_000.0, 0.001)] == ["0", "0.5", "10", "20,000", "0.001"]


def test_axes():
    assert [label for _, label in svg.percentile_axis(1000).ticks] == ["0", "90", "99", "99.9"]
    assert [label for _, label in svg.percentile_axis(1).ticks] == ["0", "90"]
    assert [label for _, label in svg.milliseconds_axis(0.3, 4, 0).ticks] == ["0.2", "0.5", "1", "2", "5"]
    assert [label for _, label in svg.milliseconds_axis(5, 5, 0).ticks] == ["5", "10"]
    assert [label for _, label in svg.milliseconds_axis(0.02, 300, 0).ticks] == ["0.1", "1", "10", "100"]
    assert svg.seconds_axis(30.02).at(30.02) == RIGHT
    assert [label for _, label in svg.seconds_axis(30.02).ticks][-1] == "30"
    assert [label for _, label in svg.rate_axis(1000, 0).ticks] == ["0", "200", "400", "600", "800", "1,000"]


def test_each_nine_is_equally_wide_and_the_maximum_stands_at_the_count():
    heartbeats = lines_of(draw(report_of(), "tocsin loadgen"))["heartbeats (1,000)"]
    assert heartbeats[0][0] == LEFT
    assert heartbeats[8][0] == pytest.approx(LEFT + (RIGHT - LEFT) / 3, abs=0.06)
    assert heartbeats[16][0] == pytest.approx(LEFT + (RIGHT - LEFT) / 3 * 2, abs=0.06)
    assert heartbeats[-1][0] == RIGHT
    one_ms, hundred_ms = heartbeats[0][1], heartbeats[-1][1]
    signals = lines_of(draw(report_of(), "tocsin loadgen"))["signals (10)"]
    assert one_ms - signals[-1][1] == pytest.approx((one_ms - hundred_ms) / 2, abs=0.5)
    assert one_ms - hundred_ms > CHART_HEIGHT * 0.7


def test_throughput_is_a_staircase_beside_the_asked_rate():
    lines = lines_of(draw(report_of("--rate", "500"), "tocsin loadgen"))
    middle = (LEFT + RIGHT) / 2
    assert [x for x, _ in lines["sent"]] == [LEFT, middle, middle, RIGHT]
    high, also_high, low, also_low = (y for _, y in lines["sent"])
    assert high == also_high
    assert low == also_low
    assert low - high == pytest.approx(CHART_HEIGHT / 3, abs=0.2)      # 200 of 600
    assert lines["asked"][0][1] == lines["asked"][1][1] == pytest.approx((high + low) / 2, abs=0.2)
    assert lines["acknowledged"][0][1] == pytest.approx(lines["asked"][0][1], abs=0.2)


def test_the_head_says_what_ran_where_and_how_it_ended():
    result = report_of()
    result["audit"] = "failed"
    result["failures"] = ["3 acknowledged signals are <not> stored: 1, 2, 5"]
    said = " ".join(texts_of(draw(result, "tocsin loadgen --to '<&>\x1b\udcff' " + "--very-long word " * 20)))
    for part in ("tocsin loadgen --to '<&>??'", "on 2 cores of c<&>, kernel k", "1,000 sent, 1,000 answered",
                 "10 sent, 10 acknowledged", "audit failed: 3 acknowledged signals are <not> stored: 1, 2, 5",
                 "latency, ms", "frames a second", "percentile, %", "s", "p99 "):
        assert part in said


def test_nothing_comes_from_elsewhere():
    picture = draw(report_of(), "tocsin loadgen")
    assert re.findall(r"https?://[^\"]*", picture) == ["http://www.w3.org/2000/svg"]
    assert not re.search(r"href|<script|<style|<image|@import|url\(", picture)


def test_texts_stay_inside():
    root = ElementTree.fromstring(draw(report_of(), "tocsin loadgen"))
    width, height = float(root.attrib["width"]), float(root.attrib["height"])
    for text in root.iter(f"{SVG}text"):
        assert 0 < float(text.attrib["x"]) < width
        assert 0 < float(text.attrib["y"]) < height - 10


def test_without_replies_there_is_throughput_alone():
    picture = draw(report_of("--no-replies", "--rate", "max", heartbeats=0, signals=0), "tocsin loadgen")
    assert list(lines_of(picture)) == ["sent"]
    assert not any("Latency" in text for text in texts_of(picture))


def test_a_run_in_which_nothing_happened_can_be_drawn():
    result = report_of(heartbeats=0, signals=0)
    result["throughput"] = {"seconds": [], "sent": [], "acknowledged": []}
    assert set(lines_of(draw(result, ""))) == {"sent", "acknowledged", "asked"}


def test_a_run_leaves_its_picture(tmp_path):
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    file = tmp_path / "run.svg"
    args = parser.parse_args(["--to", "127.0.0.1:9", "--rate", "100", "--duration", "0.3", "--transmitters", "10",
                              "--no-audit", "--no-ceiling", "--alarms", "0", "--picture", str(file)])
    command.run(args)
    assert len(lines_of(file.read_text("utf-8"))["sent"]) >= 4

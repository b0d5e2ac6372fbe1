"""The exposition, read back by a strict parser written from the two format documents."""
from __future__ import annotations

import re
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.histogram import BOUNDS_NS, Histogram
from engine.operate.metrics import Metrics, wants_open_metrics
from engine.operate.table import METRICS, PREFIX, TABLE

NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
LABEL = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?([eE][+-]?\d+)?|Inf)|NaN")
SUFFIXES = {"counter": ("_total",), "gauge": ("",), "info": ("_info",), "histogram": ("_bucket", "_sum", "_count")}


@dataclass
class Family:
    name: str
    help: str
    kind: str = ""
    samples: dict[tuple[str, tuple[tuple[str, str], ...]], float] = field(default_factory=dict)


def unescape(text: str) -> str:
    out, at = "", 0
    while at < len(text):
        if text[at] == "\\":
            out += {"\\": "\\", '"': '"', "n": "\n"}[text[at + 1]]
            at += 2
        else:
            assert text[at] != "\n"
            out += text[at]
            at += 1
    return out


def parse_sample(line: str) -> tuple[str, tuple[tuple[str, str], ...], float]:
    """One sample line; no blanks are allowed but the one before the value."""
    match = NAME.match(line)
    assert match, line
    name, at, labels = match[0], match.end(), []
    if line[at] == "{":
        at += 1
        while True:
            label = LABEL.match(line, at)
            assert label, line
            at = label.end()
            assert line[at:at + 2] == '="', line
            at += 2
            begin = at
            while line[at] != '"':
                at += 2 if line[at] == "\\" else 1
            labels.append((label[0], unescape(line[begin:at])))
            at += 1
            if line[at] == "}":
                at += 1
                break
            assert line[at] == ",", line
            at += 1
    assert line[at] == " ", line
    assert NUMBER.fullmatch(line, at + 1), line
    return name, tuple(labels), float(line[at + 1:])


def parse(data: bytes, open_metrics: bool) -> dict[str, Family]:
    text = data.decode("utf-8")
    assert text.endswith("\n")
    assert "\r" not in text
    lines = text[:-1].split("\n") if text != "\n" else []
    if open_metrics:
        assert lines.pop() == "# EOF"
    families: dict[str, Family] = {}
    current = Family("", "")
    for line in lines:
        if line.startswith("# HELP "):
            _, _, name, text = line.split(" ", 3)
            assert name not in families, f"{name} twice"
            current = families[name] = Family(name, text)
        elif line.startswith("# TYPE "):
            _, _, name, kind = line.split(" ")
            assert name == current.name
            assert not current.samples
            current.kind = kind
        else:
            name, labels, value = parse_sample(line)
            suffixes = SUFFIXES[current.kind] if open_metrics or current.kind == "histogram" else ("",)
            assert name in {current.name + suffix for suffix in suffixes}, f"{name} under {current.name}"
            assert (name, labels) not in current.samples, f"{line} twice"
            current.samples[name, labels] = value
    for family in families.values():
        if family.kind == "histogram":
            check_histogram(family)
    return families


def check_histogram(family: Family) -> None:
    """Buckets rise, end with +Inf, and agree with the count."""
    series: dict[tuple[tuple[str, str], ...], list[tuple[float, float]]] = {}
    for (name, labels), value in family.samples.items():
        if name.endswith("_bucket"):
            rest = tuple(pair for pair in labels if pair[0] != "le")
            series.setdefault(rest, []).append((float(dict(labels)["le"]), value))
    assert series
    for rest, buckets in series.items():
        assert buckets == sorted(buckets)
        assert [value for _, value in buckets] == sorted(value for _, value in buckets)
        assert buckets[-1][0] == float("inf")
        assert family.samples[family.name + "_count", rest] == buckets[-1][1]
        assert (family.name + "_sum", rest) in family.samples


def everything() -> Metrics:
    """Bind every name of the table, each to a value of its own."""
    metrics = Metrics()
    for number, metric in enumerate(METRICS):
        values = tuple(f"{label}{number}" for label in metric.labels)
        if metric.kind == "histogram":
            histogram = Histogram()
            histogram.add(BOUNDS_NS[number % 16], number + 1)
            metrics.bind(metric.name, lambda histogram=histogram: histogram, *values)   # type: ignore[misc]
        else:
            metrics.bind(metric.name, lambda number=number: number, *values)            # type: ignore[misc]
    return metrics


@pytest.mark.parametrize("open_metrics", [False, True])
def test_every_metric_of_the_table_is_read_back(open_metrics: bool) -> None:
    metrics = everything()
    families = parse(metrics.expose(open_metrics), open_metrics)
    assert len(families) == len(METRICS)
    assert metrics.unbound() == []
    for number, metric in enumerate(METRICS):
        stem = metric.name
        if open_metrics:
            stem = stem.removesuffix({"counter": "_total", "info": "_info"}.get(metric.kind, ""))
        family = families[stem]
        assert family.kind == ("gauge" if metric.kind == "info" and not open_metrics else metric.kind)
        assert unescape(family.help) == metric.help
        labels = tuple((label, f"{label}{number}") for label in metric.labels)
        name = metric.name + ("_count" if metric.kind == "histogram" else "")
        assert family.samples[name, labels] == (number + 1 if metric.kind == "histogram" else number)


def test_a_histogram_is_summed_up_and_in_seconds() -> None:
    metrics, histogram = Metrics(), Histogram()
    metrics.bind("tocsin_receive_to_reply_seconds", lambda: histogram, "heartbeat")
    histogram.add(1_000_000, 3)
    histogram.add(20_000_000_000)
    samples = parse(metrics.expose(), False)["tocsin_receive_to_reply_seconds"].samples
    kind = ("kind", "heartbeat")
    name = "tocsin_receive_to_reply_seconds"
    assert samples[f"{name}_bucket", (kind, ("le", "0.0005"))] == 0
    assert samples[f"{name}_bucket", (kind, ("le", "0.001"))] == 3
    assert samples[f"{name}_bucket", (kind, ("le", "10.0"))] == 3
    assert samples[f"{name}_bucket", (kind, ("le", "+Inf"))] == 4
    assert samples[f"{name}_sum", (kind,)] == 20.003


def test_the_contract_is_in_the_table() -> None:
    contract = {
        "frames_received_total": ("protocol", "kind"), "frames_rejected_total": ("protocol", "reason"),
        "replies_total": ("protocol", "result"), "duplicates_total": (), "signals_total": ("class",),
        "verdicts_total": ("verdict", "reason"), "receive_to_reply_seconds": ("kind",),
        "receive_to_durable_seconds": (), "receive_to_forwarded_seconds": (), "paths": ("state",),
        "line_faults_total": (), "queue_depth": ("stage",), "queue_capacity": ("stage",), "socket_drops_total": (),
        "shed_total": ("what",), "store_rows_total": (), "store_lag_rows": (), "store_up": (), "subscribers": (),
        "alarms_unaccepted": (), "clock_offset_seconds": (), "canary_last_success_timestamp_seconds": (),
        "event_loop_lag_seconds": ()}
    for name, labels in contract.items():
        assert TABLE[PREFIX + name].labels == labels
    assert "tocsin_build_info" in TABLE


def test_names_follow_the_rules() -> None:
    assert len(TABLE) == len(METRICS)
    for metric in METRICS:
        assert metric.name.startswith(PREFIX)
        assert NAME.fullmatch(metric.name)
        assert metric.name.endswith("_total") == (metric.kind == "counter")
        assert not {"account", "address", "peer", "key", "le"} & set(metric.labels)
        assert metric.help.endswith(".")


def test_what_is_not_bound_is_left_out() -> None:
    metrics = Metrics()
    metrics.bind("tocsin_subscribers", lambda: 3)
    assert parse(metrics.expose(True), True).keys() == {"tocsin_subscribers"}
    assert len(metrics.unbound()) == len(METRICS) - 1


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"], include_characters='\n\\"{},= '), max_size=30))
def test_any_label_value_is_read_back(value: str) -> None:
    metrics = Metrics()
    metrics.bind("tocsin_shed_total", lambda: {value: 1, value + "x": 2.5})
    samples = parse(metrics.expose(True), True)["tocsin_shed"].samples
    assert samples == {("tocsin_shed_total", (("what", text),)): number
                       for text, number in ((value, 1), (value + "x", 2.5))}


@pytest.mark.parametrize("value", [0, 2**63, 0.1, 1e-9, 1.5e300, float("inf"), float("-inf")])
def test_numbers_are_read_back(value: float) -> None:
    metrics = Metrics()
    metrics.bind("tocsin_clock_offset_seconds", lambda: value)
    family = parse(metrics.expose(), False)["tocsin_clock_offset_seconds"]
    assert family.samples["tocsin_clock_offset_seconds", ()] == value


def test_a_wrong_binding_is_refused() -> None:
    metrics = Metrics()
    metrics.bind("tocsin_subscribers", lambda: 1)
    with pytest.raises(KeyError):
        metrics.bind("tocsin_invented", lambda: 1)
    with pytest.raises(ValueError, match="labels"):
        metrics.bind("tocsin_shed_total", lambda: 1, "a", "b")
    with pytest.raises(ValueError, match="histogram"):
        metrics.bind("tocsin_receive_to_reply_seconds", Histogram)
    with pytest.raises(ValueError, match="already"):
        metrics.bind("tocsin_subscribers", lambda: 1)
    metrics.bind("tocsin_frames_received_total", lambda: {"dc09": 1})
    with pytest.raises(AssertionError):
        metrics.expose()


@pytest.mark.parametrize(("accept", "expected"), [
    ("", False), ("*/*", False), ("text/plain", False), ("application/openmetrics-text", True),
    ("application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.4", True),
    ("application/openmetrics-text;q=0.1,text/plain;q=0.9", False), ("application/openmetrics-text;q=0", False),
    ("application/openmetrics-text; version=1.0.0; charset=utf-8", True), ("application/openmetrics-text;q=x", False),
])
def test_the_format_is_negotiated(accept: str, expected: bool) -> None:
    assert wants_open_metrics(accept) is expected

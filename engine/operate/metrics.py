"""The registry of readings, and how it is written out for Prometheus.

A reading is taken when somebody scrapes; until then a counter costs its owner one addition.
"""
from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from engine.histogram import BOUNDS_NS, Histogram
from engine.operate.table import METRICS, TABLE, Metric

TEXT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
OPEN_TYPE = "application/openmetrics-text; version=1.0.0; charset=utf-8"
BOUND_TEXTS = (*(repr(bound / 1e9) for bound in BOUNDS_NS), "+Inf")

Number = int | float
Values = tuple[str, ...]
# A mapping's keys are label values: one alone, or a tuple with one for each label.
Reading = Number | Histogram | Mapping[Any, Number]
Read = Callable[[], Reading]


class Metrics:
    """What each name of the table reads from."""

    def __init__(self) -> None:
        self._reads: dict[str, list[tuple[Values, Read]]] = {}

    def bind(self, name: str, read: Read, *values: str) -> None:
        """Let `name` be read by calling `read` at every scrape.

        values  of all labels; or none, and then `read` returns a mapping from label values to numbers (where there is
                one label its value alone may be the key)
        read    returns a number or a `Histogram`, as the metric's type asks
        Several may be bound to one name, each with other label values.
        Raises  KeyError when the table has no such name, ValueError when the values are not those of the labels
        """
        metric = TABLE[name]
        if values and len(values) != len(metric.labels):
            raise ValueError(f"{name} has the labels {metric.labels}, not {values}")
        if metric.kind == "histogram" and len(values) != len(metric.labels):
            raise ValueError(f"{name}: a histogram is bound with its label values")
        reads = self._reads.setdefault(name, [])
        if any(bound == values for bound, _ in reads) and (values or not metric.labels):
            raise ValueError(f"{name} {values} is bound already")
        reads.append((values, read))

    def unbound(self) -> list[str]:
        """Return the names of the table that nothing is bound to."""
        return [metric.name for metric in METRICS if metric.name not in self._reads]

    def expose(self, open_metrics: bool = False) -> bytes:
        """Return all readings as Prometheus text 0.0.4, or as OpenMetrics 1.0."""
        lines: list[str] = []
        for metric in METRICS:
            reads = self._reads.get(metric.name)
            if reads:
                lines.extend(head_lines(metric, open_metrics))
                for values, read in reads:
                    lines.extend(sample_lines(metric, values, read()))
        if open_metrics:
            lines.append("# EOF")
        return "\n".join(lines).encode() + b"\n"


def wants_open_metrics(accept: str) -> bool:
    """Tell from an `Accept` header whether OpenMetrics is liked at least as well as the plain text."""
    liking = {"application/openmetrics-text": 0.0, "text/plain": 0.0}
    for part in accept.split(","):
        kind, *parameters = (word.strip() for word in part.split(";"))
        weight = 1.0
        for parameter in parameters:
            key, _, value = parameter.partition("=")
            if key.strip() == "q":
                try:
                    weight = float(value)
                except ValueError:
                    weight = 0.0
        if kind in liking:
            liking[kind] = max(liking[kind], weight)
    return liking["application/openmetrics-text"] > 0 and (
        liking["application/openmetrics-text"] >= liking["text/plain"])


def head_lines(metric: Metric, open_metrics: bool) -> Iterator[str]:
    """Yield HELP and TYPE. OpenMetrics names a counter and an info without the suffix that their samples have."""
    name, kind = metric.name, str(metric.kind)
    if open_metrics:
        name = name.removesuffix({"counter": "_total", "info": "_info"}.get(kind, ""))
    elif kind == "info":
        kind = "gauge"
    text = escape(metric.help) if open_metrics else metric.help.replace("\\", "\\\\").replace("\n", "\\n")
    yield f"# HELP {name} {text}"
    yield f"# TYPE {name} {kind}"


def sample_lines(metric: Metric, values: Values, reading: Reading) -> Iterator[str]:
    """Yield the samples of one reading."""
    if isinstance(reading, Histogram):
        yield from histogram_lines(metric, values, reading)
    elif isinstance(reading, Mapping):
        for key, number in reading.items():
            own = (key,) if isinstance(key, str) else key
            assert len(own) == len(metric.labels), f"{metric.name}: {own} for the labels {metric.labels}"
            yield f"{metric.name}{label_text(metric.labels, own)} {number_text(number)}"
    else:
        yield f"{metric.name}{label_text(metric.labels, values)} {number_text(reading)}"


def histogram_lines(metric: Metric, values: Values, histogram: Histogram) -> Iterator[str]:
    """Yield the buckets summed up, the sum in seconds and the count."""
    buckets, sum_ns, count = histogram.snapshot()
    total = 0
    for bound, bucket in zip(BOUND_TEXTS, buckets, strict=True):
        total += bucket
        yield f"{metric.name}_bucket{label_text((*metric.labels, 'le'), (*values, bound))} {total}"
    yield f"{metric.name}_sum{label_text(metric.labels, values)} {number_text(sum_ns / 1e9)}"
    yield f"{metric.name}_count{label_text(metric.labels, values)} {count}"


def label_text(labels: tuple[str, ...], values: Values) -> str:
    pairs = ",".join(f'{label}="{escape(value)}"' for label, value in zip(labels, values, strict=True))
    return f"{{{pairs}}}" if pairs else ""


def escape(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def number_text(number: Number) -> str:
    """Write a number so that it is read back the same; not-a-number and the infinities as both formats spell them."""
    text = repr(float(number)) if isinstance(number, float) else str(int(number))
    return {"inf": "+Inf", "-inf": "-Inf", "nan": "NaN"}.get(text, text)

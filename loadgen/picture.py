"""The report of a run as a picture: one SVG file that needs nothing else, for a browser or a printed page.

Two charts, one above the other: latency by percentile, on the axis usual for HdrHistograms (each nine has equal width),
and frames a second over the time of the run. Written by hand, because lines, ticks and text are all that it needs.
"""

import math
import textwrap
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape, quoteattr

from loadgen.report import Report, headline, machine_line

WIDTH, MARGIN = 1200, 40
LEFT, RIGHT = 130, 1160  # of a chart's inside
SIDE = 28  # where the title of its upright axis stands
CHART_HEIGHT, BELOW_CHART, ABOVE_CHART = 330, 70, 60
LINE_HEIGHT, TITLE_COLUMNS, TEXT_COLUMNS, BOLD_COLUMNS = 22, 92, 138, 122
INK, PALE, GRID = "#1c2733", "#5b6773", "#dfe4e8"
BLUE, LIGHT_BLUE, ORANGE, RED, GREEN = "#1565c0", "#90bdea", "#c9550a", "#c62828", "#2e7d32"
CHARACTER_WIDTH = 7.7  # about, of the legend's text
NINES_MIN = 1  # the percentile axis reaches at least to 90
NINES_MAX = 9
MILLISECONDS_MIN = 0.001  # the lowest that the latency axis shows
MILLISECONDS_TICKS_MAX = 12
TICKS_X, TICKS_Y = 12, 6
FONT = "system-ui, -apple-system, 'Segoe UI', 'Liberation Sans', 'DejaVu Sans', sans-serif"
STEPS = (1, 2, 5, 10)

Point = tuple[float, float]
Scale = Callable[[float], float]


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a chart: its name in the legend, its colour and its points in the chart's own units."""

    name: str
    colour: str
    points: Sequence[Point]
    width: float = 2
    dashed: bool = False


@dataclass(frozen=True, slots=True)
class Axis:
    """One axis: what stands beside it, where a value lies in the picture, and the values that are marked."""

    title: str
    at: Scale
    ticks: Sequence[tuple[float, str]]


def linear(low: float, high: float, begin: float, end: float) -> Scale:
    """Return the scale that puts `low` at `begin` and `high` at `end`."""
    return lambda value: begin + (value - low) / (high - low) * (end - begin)


def logarithmic(low: float, high: float, begin: float, end: float) -> Scale:
    """Return the scale of the same kind in which equal factors have equal lengths."""
    inner = linear(math.log10(low), math.log10(high), begin, end)
    return lambda value: inner(math.log10(max(value, low)))


def step_of(most: float, ticks: int) -> float:
    """Return the step 1, 2 or 5 times a power of ten that divides 0..most into at most so many."""
    power = 10.0 ** math.floor(math.log10(most / ticks))
    return power * next(step for step in STEPS if power * step * ticks >= most * (1 - 1e-9))


def number(value: float) -> str:
    """Return a number with as many digits as it needs."""
    return f"{value:,.0f}" if value >= 10 and value == round(value) else f"{value:,.6g}"


def percentile_axis(count: int) -> Axis:
    """Return the axis of 1/(1-p) for so many values: 0 %, 90 %, 99 %, ..."""
    nines = min(NINES_MAX, max(NINES_MIN, math.ceil(math.log10(max(count, 1)))))
    ticks = [(1.0, "0")] + [(10.0**nine, nines_text(nine)) for nine in range(1, nines + 1)]
    return Axis("percentile, % (logarithmic in 1/(1-p))", logarithmic(1.0, 10.0**nines, LEFT, RIGHT), ticks)


def nines_text(nines: int) -> str:
    """Return the percentile with so many nines: 1 is 90, 3 is 99.9."""
    return "90" if nines == 1 else "99" if nines == 2 else "99." + "9" * (nines - 2)


def milliseconds_axis(low: float, high: float, top: float) -> Axis:
    """Return a logarithmic axis from the round value (1, 2 or 5 times a power of ten) below `low` to that above `high`.

    Each round value is marked, or each power of ten where those are too many.
    """
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 2)
    round_values = [step * 10.0**power for power in powers for step in STEPS[:-1]]
    first = max(value for value in round_values if value <= low * (1 + 1e-9))
    last = min(value for value in round_values if value >= high and value > first)
    marked = [value for value in round_values if first <= value <= last]
    if len(marked) > MILLISECONDS_TICKS_MAX:
        marked = [value for value in marked if round(math.log10(value), 9).is_integer()]
    return Axis("latency, ms", logarithmic(first, last, top + CHART_HEIGHT, top),
                [(value, number(value)) for value in marked])


def seconds_axis(until: float) -> Axis:
    """Return the axis of the run's time, which ends where the run ends."""
    step = step_of(until, TICKS_X)
    ticks = [(step * index, number(step * index)) for index in range(int(until / step * (1 + 1e-9)) + 1)]
    return Axis("time since the first frame was due, s", linear(0.0, until, LEFT, RIGHT), ticks)


def rate_axis(most: float, top: float) -> Axis:
    """Return a linear axis from 0 to the first round step at or above `most` frames a second."""
    step = step_of(most, TICKS_Y)
    last = math.ceil(most / step * (1 - 1e-9))
    return Axis("frames a second", linear(0.0, step * last, top + CHART_HEIGHT, top),
                [(step * index, number(step * index)) for index in range(last + 1)])


def latency_lines(of: Report) -> list[Line]:
    """Return latency by 1/(1-p) of heartbeats and signals; the maximum stands at 1/(1-p) = the number of values."""
    lines = []
    for name, colour in (("heartbeats", BLUE), ("signals", ORANGE)):
        curve = of["curves"][name]
        if curve["count"]:
            at = [curve["count"] if percent >= 100 else 100 / (100 - percent) for percent in curve["percentile"]]
            lines.append(Line(f"{name} ({curve['count']:,})", colour, list(zip(at, curve["ms"], strict=True))))
    return lines


def steps(seconds: Sequence[float], rates: Sequence[float]) -> list[Point]:
    """Return a staircase: each rate from the end of the step before to its own."""
    points, begin = [], 0.0
    for end, rate in zip(seconds, rates, strict=True):
        points += [(begin, rate), (end, rate)]
        begin = end
    return points


def rate_lines(of: Report) -> list[Line]:
    """Return frames a second over time, and the asked rate."""
    series, asked = of["throughput"], of["asked"]
    sent = steps(series["seconds"], series["sent"])
    lines = [Line("sent", LIGHT_BLUE, sent, width=5) if asked["replies"] else Line("sent", BLUE, sent)]
    if asked["replies"]:
        lines.append(Line("acknowledged", GREEN, steps(series["seconds"], series["acknowledged"])))
    if asked["rate"] is not None:
        until = max(series["seconds"], default=1.0)
        lines.append(Line("asked", PALE, [(0.0, asked["rate"]), (until, asked["rate"])], dashed=True))
    return lines


def text(x: float, y: float, said: str, **more: str) -> str:
    """Return one line of text; words with an underscore become attributes with a hyphen."""
    attributes = "".join(f" {name.replace('_', '-')}={quoteattr(value)}" for name, value in more.items())
    return f'<text x="{x:.1f}" y="{y:.1f}"{attributes}>{escape(said)}</text>'


def chart(title: str, x: Axis, y: Axis, lines: Sequence[Line], top: float) -> Iterator[str]:
    """Draw one chart: grid, ticks with their values, titles with units, lines and their legend."""
    bottom = top + CHART_HEIGHT
    yield text(LEFT, top - 18, title, font_weight="600", font_size="17")
    yield from legend(lines, top - 18)
    for value, label in x.ticks:
        at = x.at(value)
        yield f'<path d="M{at:.1f} {top}V{bottom}" stroke="{GRID}"/>'
        yield text(at, bottom + 22, label, text_anchor="middle")
    for value, label in y.ticks:
        at = y.at(value)
        yield f'<path d="M{LEFT} {at:.1f}H{RIGHT}" stroke="{GRID}"/>'
        yield text(LEFT - 10, at + 5, label, text_anchor="end")
    yield f'<path d="M{LEFT} {top}V{bottom}H{RIGHT}" fill="none" stroke="{PALE}"/>'
    yield text((LEFT + RIGHT) / 2, bottom + 48, x.title, text_anchor="middle", fill=PALE)
    middle = (top + bottom) / 2
    yield text(SIDE, middle, y.title, text_anchor="middle", fill=PALE, transform=f"rotate(-90 {SIDE} {middle})")
    for line in lines:
        at_points = " ".join(f"{x.at(a):.1f},{y.at(b):.1f}" for a, b in line.points)
        dashes = ' stroke-dasharray="7 5"' if line.dashed else ""
        yield (f'<polyline points="{at_points}" fill="none" stroke="{line.colour}" stroke-width="{line.width}" '
               f'stroke-linejoin="round"{dashes}><title>{escape(line.name)}</title></polyline>')


def legend(lines: Sequence[Line], y: float) -> Iterator[str]:
    """Name the lines, from the right edge to the left."""
    end = float(RIGHT)
    for line in reversed(lines):
        begin = end - CHARACTER_WIDTH * len(line.name) - 32
        dashes = ' stroke-dasharray="7 5"' if line.dashed else ""
        width = max(line.width, 3)
        yield f'<path d="M{begin:.1f} {y - 5:.1f}h26" stroke="{line.colour}" stroke-width="{width}"{dashes}/>'
        yield text(begin + 32, y, line.name)
        end = begin - 18


def caption(of: Report) -> str:
    """Return the latencies of all frames at the percentiles that the report names."""
    latency = of["latency"]
    names = {"p50": "p50", "p90": "p90", "p99": "p99", "p999": "p99.9", "max": "max"}
    return "all frames: " + ", ".join(f"{label} {latency[name]:,.2f} ms" for name, label in names.items())


def verdict(of: Report) -> tuple[str, str]:
    """Return the verdict on the run and its colour."""
    if of["failures"]:
        failed = "audit failed" if of["audit"] == "failed" else f"audit {of['audit']}, run failed"
        return f"{failed}: " + "; ".join(of["failures"]), RED
    return f"audit {of['audit']}", GREEN if of["audit"] == "clean" else PALE


def counts(of: Report) -> str:
    """Return what became of the frames, in one line."""
    beats = of["heartbeats"]
    if not of["asked"]["replies"]:
        return f"heartbeats: {beats['sent']:,} sent, replies neither read nor waited for"
    known = ", ".join(f"{of[name]:,} {name}" for name in ("sent", "acknowledged", "stored", "forwarded", "lost",
                                                          "doubled") if of[name] is not None)
    return f"heartbeats: {beats['sent']:,} sent, {beats['answered']:,} answered; signals: {known}"


def head(of: Report, command: str) -> tuple[list[str], float]:
    """Return command, machine, counts and verdict, and where they end."""
    said, colour = verdict(of)
    blocks = [(command, TITLE_COLUMNS, {"font_size": "18", "font_weight": "600"}), (headline(of), TEXT_COLUMNS, {}),
              (counts(of), TEXT_COLUMNS, {}), (machine_line(of), TEXT_COLUMNS, {"fill": PALE}),
              *((f"warning: {one}", TEXT_COLUMNS, {"fill": ORANGE}) for one in of["warnings"]),
              (said, BOLD_COLUMNS, {"fill": colour, "font_weight": "600"})]
    parts, y = [], float(MARGIN)
    for block, columns, style in blocks:
        for line in textwrap.wrap("".join(one if one.isprintable() else "?" for one in block), columns):
            parts.append(text(MARGIN, y, line, **style))
            y += LINE_HEIGHT
    return parts, y


def draw(of: Report, command: str) -> str:
    """Return the report as an SVG document.

    of       a finished report, with `curves` and `throughput`
    command  what was run
    """
    parts, y = head(of, command)
    latencies, rates = latency_lines(of), rate_lines(of)
    if latencies:
        top = y + ABOVE_CHART
        values = [ms for line in latencies for _, ms in line.points]
        across = percentile_axis(max(curve["count"] for curve in of["curves"].values()))
        up = milliseconds_axis(max(min(values), MILLISECONDS_MIN), max(values), top)
        parts += chart("Latency by percentile, from when a frame was due to its reply", across, up, latencies, top)
        y = top + CHART_HEIGHT + BELOW_CHART
        parts.append(text(LEFT, y, caption(of), fill=PALE))
    top = y + ABOVE_CHART
    across = seconds_axis(max(of["throughput"]["seconds"], default=1.0))
    most = max((rate for line in rates for _, rate in line.points), default=1.0)
    parts += chart("Throughput", across, rate_axis(max(most, 1.0), top), rates, top)
    height = top + CHART_HEIGHT + BELOW_CHART
    inside = "\n".join(parts)
    return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:.0f}" width="{WIDTH}" '
            f'height="{height:.0f}" role="img" font-family={quoteattr(FONT)} font-size="14" fill="{INK}">\n'
            f"<title>tocsin loadgen</title>\n"
            f'<rect width="100%" height="100%" fill="#fff"/>\n{inside}\n</svg>\n')

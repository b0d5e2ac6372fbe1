"""What a person sees while a run goes on, on stderr: a bar on a terminal, else a line now and then."""

import sys
from typing import TextIO

from loadgen.clock import monotonic_ns

LINE_EVERY_NS = 5_000_000_000
BAR_EVERY_NS = 100_000_000
BAR_CELLS = 30


class Progress:
    """Call it with (frames sent, frames answered).

    frames   how many there will be, 0 when nobody knows
    replies  whether any are waited for
    """

    def __init__(self, frames: int, out: TextIO | None = None, *, replies: bool = True) -> None:
        self.frames = frames
        self.replies = replies
        self.out = out or sys.stderr
        self.bar = self.out.isatty()
        self.began_ns = self.shown_ns = monotonic_ns()

    def __call__(self, sent: int, answered: int) -> None:
        now = monotonic_ns()
        if now - self.shown_ns < (BAR_EVERY_NS if self.bar else LINE_EVERY_NS):
            return
        self.shown_ns = now
        text = self.text(sent, answered, now)
        self.out.write(f"\r{text}\x1b[K" if self.bar else f"{text}\n")
        self.out.flush()

    def text(self, sent: int, answered: int, now_ns: int) -> str:
        """Return one line on where the run stands."""
        seconds = (now_ns - self.began_ns) / 1e9
        cells = min(BAR_CELLS, BAR_CELLS * sent // self.frames) if self.frames else 0
        bar = f"[{'#' * cells}{'.' * (BAR_CELLS - cells)}] " if self.bar and self.frames else ""
        of = f" of {self.frames:,}" if self.frames else ""
        missing = f", {sent - answered:,} without reply" if self.replies else ""
        return f"{bar}{sent:,}{of} frames sent{missing}, {seconds:.0f} s"

    def end(self) -> None:
        """Clear the bar."""
        if self.bar:
            self.out.write("\r\x1b[K")
            self.out.flush()

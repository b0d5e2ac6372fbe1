"""Log lines: what they look like, and that repeats are counted and not written."""
import io
import json
import logging
from collections.abc import Callable, Iterator

import pytest

from engine.clock import FakeClock
from engine.command.logs import BURST, MESSAGES_MAX, WINDOW_NS, LimitedHandler, set_up
from engine.config import Log

Start = Callable[[str], tuple[io.StringIO, FakeClock, LimitedHandler]]


@pytest.fixture
def start() -> Iterator[Start]:
    """Take the root logger over, as the program does, and give it back."""
    root = logging.getLogger()
    before = root.handlers[:], root.level
    root.handlers.clear()

    def start_log(form: str) -> tuple[io.StringIO, FakeClock, LimitedHandler]:
        stream, clock = io.StringIO(), FakeClock()
        return stream, clock, set_up(Log(format=form), stream, clock)
    yield start_log
    logging.captureWarnings(False)
    root.handlers[:], root.level = before


def test_a_line_of_text(start: Start) -> None:
    stream, _, _ = start("text")
    about = {"host": "db 1", "after_ms": 12, "by": ""}
    logging.getLogger("engine.store").warning("lost the %s", "database", extra=about)
    logging.getLogger("engine.store").debug("not at this level")
    stamp, rest = stream.getvalue().split(" ", 1)
    assert len(stamp) == len("2026-01-01T00:00:00.000Z") and stamp.endswith("Z")
    assert rest == 'WARNING store        lost the database host="db 1" after_ms=12 by=""\n'


def test_a_message_stays_on_its_line(start: Start) -> None:
    stream, _, _ = start("text")
    logging.getLogger("engine.listen").info("a\nb", extra={"peer": "x\ny"})
    assert stream.getvalue().count("\n") == 1


def test_a_line_of_json(start: Start) -> None:
    stream, _, _ = start("json")
    try:
        raise OSError("disk")
    except OSError:
        logging.getLogger("engine.journal").exception("stopped", extra={"rows": 3, "what": object})
    line = json.loads(stream.getvalue())
    assert (line["level"], line["stage"], line["message"], line["rows"]) == ("error", "journal", "stopped", 3)
    assert "OSError: disk" in line["exception"]


def test_repeats_are_counted(start: Start) -> None:
    stream, clock, handler = start("json")
    log = logging.getLogger("engine.listen")
    for number in range(BURST + 7):
        log.info("refused %d", number, extra={"peer": number})
    log.info("another")
    assert len(stream.getvalue().splitlines()) == BURST + 1
    clock.advance(WINDOW_NS)
    log.info("refused %d", 99)
    assert json.loads(stream.getvalue().splitlines()[-1]) | {"time": ""} == {
        "time": "", "level": "info", "stage": "listen", "message": "refused 99", "repeated": 7}
    for _ in range(BURST + 2):
        log.info("refused %d", 5)
    before = len(stream.getvalue().splitlines())
    handler.close()
    last = [json.loads(line) for line in stream.getvalue().splitlines()[before:]]
    assert [(line["message"], line["repeated"]) for line in last] == [("refused 5", 3)]


def test_memory_for_repeats_is_bounded(start: Start) -> None:
    _, _, handler = start("text")
    for number in range(MESSAGES_MAX + 10):
        logging.getLogger("engine.x").info(f"message {number}")
    assert len(handler.limit.messages) == MESSAGES_MAX

"""Log lines on stderr: one a state change, as text for people or JSON for collectors.

    2026-01-01T00:00:00.000Z INFO    store        connected host=db1 after_ms=12

What the message is about comes in `extra`: `LOG.info("connected", extra={"host": host, "after_ms": 12})`. The
stage is the logger's name without `engine.`. Keys must not be attributes of logging.LogRecord (`name`, `args`, ...).

The same message of the same stage more than BURST times within WINDOW_NS is counted instead of written; the next one
that is written, at the latest the one at the stop, carries `repeated=` with the count. "The same" is the message
before its arguments are put in, so messages stay constant and what varies goes into `extra`.
"""
import logging
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TextIO

import orjson

from engine.clock import Clock
from engine.config import Log

BURST = 5
WINDOW_NS = 10_000_000_000
MESSAGES_MAX = 1024              # messages whose repeats are counted; the one that began longest ago is forgotten first
STANDARD = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName"}
PLAIN = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-+.,:;/@%()[]{}<>#*!?&|^~$")


@dataclass(slots=True)
class Repeats:
    """What is known of one message: since when its window runs, how many were written in it and how many not."""

    began_ns: int
    written: int
    held: int
    last: logging.LogRecord


class RateLimit(logging.Filter):
    """Lets BURST equal messages through in each window and counts the rest."""

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self.clock = clock
        self.messages: dict[tuple[str, int, str], Repeats] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        key, now = (record.name, record.levelno, str(record.msg)), self.clock.monotonic_ns()
        known = self.messages.get(key)
        if known is not None and now - known.began_ns < WINDOW_NS:
            if known.written >= BURST:
                known.held += 1
                known.last = record
                return False
            known.written += 1
            return True
        if known is not None:
            del self.messages[key]       # so that the dictionary stays in the order of the windows
            if known.held:
                record.repeated = known.held
        elif len(self.messages) >= MESSAGES_MAX:
            del self.messages[next(iter(self.messages))]
        self.messages[key] = Repeats(now, 1, 0, record)
        return True

    def held_back(self) -> list[logging.LogRecord]:
        """Return the last record of each message that was held back, with its count, and forget the counts."""
        records = []
        for known in self.messages.values():
            if known.held:
                known.last.repeated = known.held
                records.append(known.last)
                known.held = 0
        return records


class LimitedHandler(logging.StreamHandler[TextIO]):
    """Writes to a stream what the rate limit lets through; tells the counts that are left when it is closed."""

    def __init__(self, stream: TextIO, clock: Clock) -> None:
        super().__init__(stream)
        self.limit = RateLimit(clock)
        self.addFilter(self.limit)

    def close(self) -> None:
        for record in self.limit.held_back():
            self.emit(record)
        super().close()


def fields(record: logging.LogRecord) -> dict[str, object]:
    return {key: value for key, value in record.__dict__.items() if key not in STANDARD}


def stamp(record: logging.LogRecord) -> str:
    return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def stage(record: logging.LogRecord) -> str:
    return record.name.removeprefix("engine.")


class TextFormatter(logging.Formatter):
    """time level stage message key=value ...; values with anything but plain characters are quoted as in JSON."""

    def format(self, record: logging.LogRecord) -> str:
        pairs = "".join(f" {key}={quote(value)}" for key, value in fields(record).items())
        message = record.getMessage().replace("\n", "\\n")
        line = f"{stamp(record)} {record.levelname:<7} {stage(record):<12} {message}{pairs}"
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


class JsonFormatter(logging.Formatter):
    """One JSON object a line: time, level, stage, message, then the fields, then `exception`."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {"time": stamp(record), "level": record.levelname.lower(), "stage": stage(record),
                                   "message": record.getMessage(), **fields(record)}
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return orjson.dumps(line, default=str, option=orjson.OPT_NON_STR_KEYS).decode()


def quote(value: object) -> str:
    text = str(value)
    return text if text and PLAIN.issuperset(text) else orjson.dumps(text).decode()


def set_up(log: Log, stream: TextIO | None = None, clock: Clock | None = None) -> LimitedHandler:
    """Send all log lines of the process to `stream` (stderr) and return the handler; called once, at the start."""
    handler = LimitedHandler(stream or sys.stderr, clock or Clock())
    handler.setFormatter(JsonFormatter() if log.format == "json" else TextFormatter())
    logging.basicConfig(level=log.level.upper(), handlers=[handler], force=True)
    logging.captureWarnings(True)
    return handler

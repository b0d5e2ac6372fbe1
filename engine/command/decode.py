"""`tocsin decode`: frames as bytes in, one JSON object per frame out."""
import argparse
import sys
from datetime import UTC, datetime
from pathlib import Path

import orjson

from codec.reading import read_frames
from engine.clock import Clock

USAGE_ERROR = 2
KEY_BYTES = (16, 24, 32)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options on `parser`."""
    parser.add_argument("--key", metavar="HEX", help="key of encrypted frames, 32, 48 or 64 hex digits")
    parser.add_argument("--now", metavar="ISO-TIME", help="the time to take for now; UTC where it names no zone")
    parser.add_argument("file", nargs="?", metavar="FILE", help="the bytes; standard input without it")


def nanoseconds(text: str) -> int:
    """Return ns since 1970 UTC of an ISO 8601 time. Raises ValueError."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return int(moment.timestamp()) * 1_000_000_000 + moment.microsecond * 1000


def key_of(text: str) -> bytes:
    """Return the bytes of a key given as hex digits. Raises ValueError."""
    try:
        key = bytes.fromhex(text)
    except ValueError:
        key = b""
    if len(key) not in KEY_BYTES:
        raise ValueError("a key has 32, 48 or 64 hex digits")
    return key


def fail(message: str) -> int:
    sys.stderr.write(f"tocsin decode: {message}\n")
    return USAGE_ERROR


def run(arguments: argparse.Namespace) -> int:
    """Write what the input holds to standard output.

    Returns  0, also when there are bad frames: they are the answer; 2 for an option or a file that cannot be used
    """
    try:
        key = None if arguments.key is None else key_of(arguments.key)
    except ValueError as error:
        return fail(f"--key: {error}")       # without the key itself: this may end up in a log
    try:
        now_ns = Clock().wall_ns() if arguments.now is None else nanoseconds(arguments.now)
    except ValueError as error:
        return fail(f"--now {arguments.now}: {error}")
    try:
        data = sys.stdin.buffer.read() if arguments.file is None else Path(arguments.file).read_bytes()
    except OSError as error:
        return fail(f"{arguments.file}: {error.strerror}")
    for found in read_frames(data, now_ns, key=key):
        sys.stdout.buffer.write(orjson.dumps(found, option=orjson.OPT_APPEND_NEWLINE))
    sys.stdout.buffer.flush()
    return 0


def main(argv: list[str] | None = None) -> int:
    """Run the command alone, with `argv` or the process's own arguments."""
    parser = argparse.ArgumentParser(prog="tocsin decode", description="Print one JSON object for each frame.")
    add_arguments(parser)
    return run(parser.parse_args(argv))

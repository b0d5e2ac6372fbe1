"""`tocsin decode`: frames as bytes in, one JSON object per frame out; with --explain, each taken apart for a person."""
import argparse
import re
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson

from codec.explain import explain
from codec.explained import Setting, plural
from codec.reading import read_frames
from engine.clock import Clock
from engine.command.explaining import lines_of, printable, wrapped
from engine.command.rejected import DEFAULT_URL, REASONS, NotAsked, ask
from engine.config import read_key

USAGE_ERROR, NOT_DONE = 2, 1


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options on `parser`."""
    parser.add_argument("--key", metavar="HEX",
                        help="key of encrypted frames: 32, 48 or 64 hex digits, or 16, 24 or 32 characters")
    parser.add_argument("--now", metavar="ISO-TIME", help="the time to take for now; UTC where it names no zone")
    parser.add_argument("--hex", action="store_true", help="the input is hex digits, as a log shows them")
    parser.add_argument("--explain", action="store_true", help="take each frame apart: fields, faults, answer")
    parser.add_argument("--rejected", metavar="URL", nargs="?", const=DEFAULT_URL,
                        help=f"with --explain: the last refused frames of a running engine ({DEFAULT_URL})")
    parser.add_argument("--source", metavar="ADDRESS", help="with --rejected: from this address only")
    parser.add_argument("--account", help="with --rejected: of this account only")
    parser.add_argument("--token-file", metavar="FILE", help="with --rejected: the token to show the engine")
    parser.add_argument("--limit", type=int, default=10, help="with --rejected: at most so many, newest first (10)")
    parser.add_argument("file", nargs="?", metavar="FILE", help="the bytes; standard input without it")


def nanoseconds(text: str) -> int:
    """Return ns since 1970 UTC of an ISO 8601 time. Raises ValueError."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return int(moment.timestamp()) * 1_000_000_000 + moment.microsecond * 1000


def key_of(text: str) -> bytes:
    """Return the bytes of a key given as hex digits, or as characters where their number says so. Raises ValueError.

    32 hex digits are a key of 16 bytes, not one of 32 characters.
    """
    try:
        key = read_key(text)
    except ValueError:
        key = b""
    if not key:
        raise ValueError("a key has 32, 48 or 64 hex digits, or 16, 24 or 32 characters")
    return key


def bytes_of_hex(text: bytes) -> bytes:
    """Return the bytes that hex digits stand for; blanks, line breaks, commas, colons and 0x are passed over.

    Raises  ValueError that names the first character that is none of these, and where
    """
    digits = re.sub(rb"0[xX]|\\x|[\s:,;\-]", b"", text)
    if wrong := re.search(rb"[^0-9A-Fa-f]", digits):
        raise ValueError(f"{ascii(wrong[0].decode('latin-1'))} is no hex digit")
    if len(digits) % 2:
        raise ValueError(f"{plural(len(digits), 'hex digit')}: one is missing or too many")
    return bytes.fromhex(digits.decode())


def fail(message: str, code: int = USAGE_ERROR) -> int:
    sys.stderr.write(f"tocsin decode: {message}\n")
    return code


def run(arguments: argparse.Namespace) -> int:
    """Write what the input holds to standard output.

    Returns  0, also when there are bad frames: they are the answer; 1 when the engine cannot be asked; 2 for an option
             or a file that cannot be used
    """
    try:
        key = None if arguments.key is None else key_of(arguments.key)
    except ValueError as error:
        return fail(f"--key: {error}")       # without the key itself: this may end up in a log
    try:
        now_ns = Clock().wall_ns() if arguments.now is None else nanoseconds(arguments.now)
    except ValueError as error:
        return fail(f"--now {arguments.now}: {error}")
    if arguments.rejected is not None:
        return run_rejected(arguments, Setting(now_ns, key))
    try:
        data = sys.stdin.buffer.read() if arguments.file is None else Path(arguments.file).read_bytes()
    except OSError as error:
        return fail(f"{arguments.file}: {error.strerror}")
    if arguments.hex:
        try:
            data = bytes_of_hex(data)
        except ValueError as error:
            return fail(f"--hex: {error}")
    if arguments.explain:
        write_lines(explained(data, Setting(now_ns, key)))
    else:
        for found in read_frames(data, now_ns, key=key):
            sys.stdout.buffer.write(orjson.dumps(found, option=orjson.OPT_APPEND_NEWLINE))
    sys.stdout.buffer.flush()
    return 0


def write_lines(lines: Iterator[str]) -> None:
    for line in lines:
        sys.stdout.buffer.write(line.encode("utf-8", "replace") + b"\n")


def explained(data: bytes, setting: Setting) -> Iterator[str]:
    """Return the lines for everything in `data`, with an empty one between two things."""
    for number, explanation in enumerate(explain(data, setting)):
        if number and explanation.answered:
            yield ""
        yield from lines_of(explanation)
    if not data:
        yield "no bytes"


# ---- the refused frames of a running engine ----------------------------------------------------------------------

def run_rejected(arguments: argparse.Namespace, setting: Setting) -> int:
    if not arguments.explain:
        return fail("--rejected: give --explain with it; the JSON is at /v1/rejected")
    if arguments.file is not None or arguments.hex:
        return fail("--rejected: takes no FILE and no --hex")
    if not 1 <= arguments.limit <= 10_000:
        return fail(f"--limit {arguments.limit}: allowed is 1 to 10000")
    try:
        entries = ask(arguments.rejected, source=arguments.source, account=arguments.account, limit=arguments.limit,
                      token_file=arguments.token_file)
    except NotAsked as error:
        return fail(f"--rejected: {error}", NOT_DONE)
    write_lines(rejected_lines(entries, setting, fixed=arguments.now is not None))
    sys.stdout.buffer.flush()
    return 0


def rejected_lines(entries: list[dict[str, Any]], setting: Setting, fixed: bool = False) -> Iterator[str]:
    """Return the lines for refused frames; each is read as at the time when it came, unless the time is `fixed`."""
    if not entries:
        yield ("no refused frames are kept that fit: nothing arrived, it was answered, or newer ones took its place")
    for number, entry in enumerate(entries):
        if number:
            yield ""
        data, size = bytes.fromhex(entry["bytes"]), entry.get("size")
        count = entry.get("count", 1)
        times = "" if count == 1 else f", {count} times the same reason from there"
        yield from wrapped(f"{entry['at']}  from {entry['peer']}, account {entry['account'] or 'not known'}{times}",
                           "== ", "   ")
        reason = REASONS.get(entry["reason"], "")
        yield from wrapped(f"{entry['reason']}{': ' if reason else ''}{reason}", "   refused   ", "             ")
        yield from answered_lines(entry["answered"])
        if size is not None and size > len(data):
            yield f"   kept      {plural(len(data), 'byte')} of {size}"
        at = setting if fixed else Setting(nanoseconds(entry["at"].replace("Z", "+00:00")), setting.key)
        yield from explained(data, at)


def answered_lines(answered: str | None) -> Iterator[str]:
    if answered is None:
        yield "   answered  nothing"
        return
    data = bytes.fromhex(answered)
    for at in range(0, len(data), 16):
        yield (f"   {'answered' if at == 0 else '':<8}  {data[at:at + 16].hex(' '):<48} "
               f"{printable(data[at:at + 16])}").rstrip()


def main(argv: list[str] | None = None) -> int:
    """Run the command alone, with `argv` or the process's own arguments."""
    parser = argparse.ArgumentParser(prog="tocsin decode", description="Print one JSON object for each frame.")
    add_arguments(parser)
    return run(parser.parse_args(argv))

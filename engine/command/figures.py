"""`tocsin figures`: availability, line faults and alarms of a period, asked of a running engine."""
from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Iterator, Mapping
from typing import Any

import orjson

from engine.command.asking import DEFAULT_URL, NotAsked, asked

TIMEOUT_S = 90                   # longer than the engine takes for one piece
ANSWER_BYTES_MAX = 64 << 20
PIECE_ROWS = "1000"
NAME_CHARACTERS_MAX = 32
HEADS = ("", "name", "paths", "available", "faults", "in fault", "alarms", "confirmed", "false", "no answer",
         "false ratio", "accepted", "within 30 s", "p95")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--from", dest="since", required=True, metavar="TIME", help="2026-01-01, or a time of ISO 8601")
    parser.add_argument("--to", required=True, metavar="TIME", help="the first moment that does not count any more")
    parser.add_argument("--level", choices=("province", "commune", "team"), help="areas of this level")
    parser.add_argument("--area", help="facilities of this area, such as 40/17257 or vinh-1")
    parser.add_argument("--facility", metavar="ID", help="the paths of this facility; '' for those of none")
    parser.add_argument("--csv", action="store_true", help="all columns, as CSV")
    parser.add_argument("--url", default=DEFAULT_URL, help="of the engine (%(default)s)")
    parser.add_argument("--token-file", metavar="FILE", help="where the engine wants a token")


def run(args: argparse.Namespace) -> int:
    """Print figures: by area with --level, by path with --facility, else by facility. 1 when it could not be asked."""
    if sum(choice is not None for choice in (args.level, args.area, args.facility)) > 1:
        print("tocsin figures: allowed is one of --level, --area, --facility", file=sys.stderr)
        return 2
    what = "areas" if args.level else "paths" if args.facility is not None else "facilities"
    question = {"from": args.since, "to": args.to, "level": args.level, "area": args.area, "facility": args.facility}
    try:
        if args.csv:
            with asked(args.url, f"/v1/figures/{what}", {**question, "format": "csv"}, args.token_file,
                       TIMEOUT_S) as response:
                shutil.copyfileobj(response, sys.stdout.buffer)
                sys.stdout.buffer.flush()
        else:
            print_table([HEADS, *map(line_of, rows_of(args, what, question))])
    except NotAsked as error:
        print(f"tocsin figures: {error}", file=sys.stderr)
        return 1
    return 0


def rows_of(args: argparse.Namespace, what: str, question: Mapping[str, str | None]) -> Iterator[Mapping[str, Any]]:
    """Yield the rows of all pieces. Raises NotAsked."""
    cursor: str | None = ""
    while cursor is not None:
        try:
            with asked(args.url, f"/v1/figures/{what}", {**question, "format": "json", "limit": PIECE_ROWS,
                                                         "cursor": cursor}, args.token_file, TIMEOUT_S) as response:
                body = orjson.loads(response.read(ANSWER_BYTES_MAX))
            rows, cursor = body[what], body["next"]
        except (ValueError, KeyError, TypeError):
            raise NotAsked(f"{args.url}: what answers is no engine of ours") from None
        yield from rows


def line_of(row: Mapping[str, Any]) -> tuple[str, ...]:
    """Return a row as texts under HEADS; a path has no alarms."""
    key = row["path"] if "path" in row else row["facility"] if "facility" in row else row["area"]
    name = "".join(letter if letter.isprintable() else "?" for letter in row.get("name") or "")
    wanted = row.get("accepted", 0) + row.get("not_accepted", 0)
    return (key or "(none)", name[:NAME_CHARACTERS_MAX], number(row.get("paths", 1)), share(row["availability"]),
            number(row["line_faults"]), duration(row["fault_s"]), number(row.get("alarms")),
            number(row.get("confirmed")), number(row.get("false")), number(row.get("unanswered")),
            share(row.get("false_ratio"), 1), f"{row['accepted']}/{wanted}" if wanted else "-",
            share(row.get("accepted_within_30_s"), 1), duration(row.get("accept_p95_s")))


def number(value: int | None) -> str:
    return "-" if value is None else str(value)


def share(value: float | None, digits: int = 3) -> str:
    """Return a share in per cent, rounded down: what was not always there is never 100 %."""
    if value is None:
        return "-"
    return f"{int(value * 100 * 10**digits + 1e-6) / 10**digits:.{digits}f} %"


def duration(seconds: float | None) -> str:
    if seconds is None:
        return "-"
    if seconds < 60:
        return f"{seconds:.3g} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h {minutes % 60:02} min"


def print_table(lines: list[tuple[str, ...]]) -> None:
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        print("  ".join(text.ljust(width) if place < 2 else text.rjust(width)
                        for place, (text, width) in enumerate(zip(line, widths, strict=True))).rstrip())

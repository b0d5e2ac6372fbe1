"""`tocsin import`: files into the registry, all of them in one transaction, or a dry run that says what is wrong."""
import argparse
import asyncio
import contextlib
import getpass
import io
import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any, BinaryIO

import asyncpg  # type: ignore[import-untyped]
import orjson

from engine.clock import Clock
from engine.config import Config
from engine.configure import load, without_password
from engine.registry.areas import NoAreas, vietnam
from engine.registry.audit import BadEdit, Who, imported, keep, read_who
from engine.registry.fields import AREAS, KINDS, Finding, Kind
from engine.registry.importing import Import, Report
from engine.registry.keys import KeyStore, KeyStoreError
from engine.registry.sheets import Sheet
from engine.store.embedded import SOCKET_NAME, EmbeddedPostgres
from engine.store.errors import DATABASE_ERRORS

DONE, NOT_DONE, USAGE = 0, 1, 2
CONNECT_S_MAX = 10.0


class NotDone(Exception):
    """Nothing was imported; the text says why, in one line."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare files and options."""
    parser.add_argument("files", metavar="FILE", nargs="*", help="CSV or JSON; - is stdin")
    parser.add_argument("--areas", choices=("vietnam",), help="the provinces and communes of a country that we have")
    parser.add_argument("--kind", choices=tuple(KINDS), help="of rows in all files; without it their columns tell")
    parser.add_argument("--dry-run", action="store_true", help="say what is wrong and what would change; no more")
    parser.add_argument("--replace", action="store_true",
                        help="what the files do not name goes, for each kind of rows that they have")
    parser.add_argument("--by", help="who imports; without it the user who runs this")
    parser.add_argument("--why", help="kept with the change; without it the names of the files")
    parser.add_argument("--config", metavar="FILE", help="the engine's; it tells data and database")
    parser.add_argument("--data", metavar="DIR", help="the engine's data: its database and its keys (./tocsin-data)")
    parser.add_argument("--database", metavar="URL", help="postgresql://... where the engine has one of its own")


def run(args: argparse.Namespace) -> int:
    """Import. Returns 0 done, or nothing is wrong; 1 something is, and nothing was changed; 2 usage."""
    flags = {name: value for name in ("data", "database") if (value := getattr(args, name)) is not None}
    config = load(args.config, os.environ, flags)
    if not args.files and not args.areas:
        return fail("nothing to import: name files, or --areas", USAGE)
    names = [*([f"--areas {args.areas}"] if args.areas else []), *(Path(name).name for name in args.files)]
    try:
        who = read_who({"by": args.by or getpass.getuser(), "why": args.why or cut(f"tocsin import {' '.join(names)}")})
        with contextlib.ExitStack() as open_files:
            sheets = [area_sheet()] if args.areas else []
            kind = KINDS[args.kind] if args.kind else None
            sheets += [sheet_of(name, kind, open_files) for name in args.files]
            keys = KeyStore(config.data) if Path(config.data).is_dir() else None
            if keys is not None:
                keys.load()
            return asyncio.run(take(config, keys, sheets, who, dry_run=args.dry_run, replace=args.replace))
    except BadEdit as error:
        return fail(f"--{error}", USAGE)
    except OSError as error:
        return fail(f"{error.filename}: {error.strerror}", USAGE)
    except (NotDone, NoAreas, KeyStoreError) as error:
        return fail(str(error), NOT_DONE)


def fail(message: str, code: int) -> int:
    sys.stderr.write(f"tocsin import: {message}\n")
    return code


def cut(text: str) -> str:
    return text if len(text.encode()) <= 200 else text.encode()[:190].decode(errors="ignore") + " ..."


def area_sheet() -> Sheet:
    rows = [{"code": area.code, "parent": area.parent, "kind": area.kind, "name": area.name} for area in vietnam()]
    return Sheet(io.BytesIO(orjson.dumps(rows)), "vietnam-provinces", AREAS)


def sheet_of(name: str, kind: Kind | None, open_files: contextlib.ExitStack) -> Sheet:
    """Open a file; stdin goes into one, since a sheet is looked at twice. Raises OSError."""
    if name != "-":
        return Sheet(open_files.enter_context(open(name, "rb")), name, kind)
    file: BinaryIO = open_files.enter_context(tempfile.TemporaryFile())  # noqa: SIM115
    shutil.copyfileobj(sys.stdin.buffer, file)
    file.seek(0)
    return Sheet(file, "stdin", kind)


async def take(config: Config, keys: KeyStore | None, sheets: list[Sheet], who: Who, *, dry_run: bool,
               replace: bool) -> int:
    """Import and print what came of it. Raises NotDone, KeyStoreError."""
    connection = await connect(config)
    try:
        async def note(report: Report) -> None:
            for kind, detail in imported(report):
                await keep(connection, "import", kind, [], who, detail)
        report = await Import(connection, keys, show, replace=replace).run(sheets, dry_run=dry_run, then=note)
    except DATABASE_ERRORS as error:
        raise NotDone(f"the database refused it, and nothing was changed: {' '.join(str(error).split())}") from None
    finally:
        connection.terminate()
    print(summary(report))
    return DONE if not report.bad else NOT_DONE


def show(finding: Finding) -> None:
    sys.stderr.write(f"{finding}\n")


def summary(report: Report) -> str:
    lines = []
    for name, counts in report.kinds.items():
        keys = f", {counts.keys:,} keys" if counts.keys else ""
        done = f"{counts.added:,} added, {counts.changed:,} changed, {counts.removed:,} removed{keys}"
        lines.append(f"{name:13}{counts.rows:,} rows" + ("" if report.bad else f": {done}"))
    if report.bad:
        lines.append(f"{report.bad:,} things are wrong; nothing was changed")
    elif not report.done:
        lines.append("a dry run: nothing is wrong, and nothing was changed")
    return "\n".join(lines)


async def connect(config: Config) -> Any:
    """Return a connection to the engine's database, whose tables are there. Raises NotDone."""
    url = config.database
    if not url:
        postgres = EmbeddedPostgres(Path(config.data) / "postgresql", Clock())
        if not (postgres.places.run / SOCKET_NAME).exists():
            raise NotDone(f"no engine runs on {config.data}: start it, name its data with --data, or its database "
                          "with --database")
        url = postgres.url
    try:
        connection = await asyncpg.connect(url, timeout=CONNECT_S_MAX, server_settings={
            "application_name": "tocsin import", "timezone": "UTC", "jit": "off"})
        made = await connection.fetchval("SELECT to_regclass('tocsin.registry_audit') IS NOT NULL")
    except (*DATABASE_ERRORS, ValueError) as error:
        raise NotDone(f"{without_password(url)}: {' '.join(str(error).split()) or type(error).__name__}") from None
    if not made:
        await connection.close()
        raise NotDone(f"{without_password(url)}: the engine has not made its tables there yet; start it once")
    return connection

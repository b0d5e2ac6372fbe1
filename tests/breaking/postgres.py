"""A PostgreSQL that outlives the engine, on a disk that fails on order: `python -m tests.breaking.postgres DIRECTORY`.

Prints its URL when it is there, starts it again whenever it dies, stops it in order on SIGTERM.
"""
from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

from engine.clock import Clock
from engine.store import child
from engine.store.embedded import EmbeddedPostgres

CLEAN = child.environment
FAULTY = ("LD_PRELOAD", "FAULTY_DISK", "FAULTY_ORDER")


def environment() -> dict[str, str]:
    """What a server gets of ours, and the faulty disk besides."""
    return CLEAN() | {name: os.environ[name] for name in FAULTY}


async def main(directory: Path) -> None:
    ended = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
    server = EmbeddedPostgres(directory, Clock())
    await server.start()
    sys.stdout.write(server.url + "\n")
    sys.stdout.flush()
    await ended.wait()
    await server.stop()


if __name__ == "__main__":
    child.environment = environment
    asyncio.run(main(Path(sys.argv[1])))

"""An engine from its start to its end as a process: signals, the line that says ready, exit codes."""
import asyncio
import contextlib
import logging
import os
import signal
import sys
from dataclasses import dataclass, field

import uvloop

from engine.clock import Clock
from engine.config import Config
from engine.configure import without_password
from engine.journal.errors import JournalError
from engine.listen.inherited import Inherited
from engine.operate.access import BadTokenFile
from engine.pipeline import Pipeline
from engine.store.embedded import EmbeddedPostgresError
from engine.takeover.manager import Manager

log = logging.getLogger("engine.pipeline")
DATABASE_S = 5.0                 # a database that has much to recover may come after the ready line


@dataclass(frozen=True, slots=True)
class Start:
    """How this process was started.

    inherited  listening sockets that are open already
    takeover   replace the engine that runs on the same data
    manager    the service manager, where there is one
    """

    inherited: Inherited = field(default_factory=Inherited)
    takeover: bool = False
    manager: Manager = field(default_factory=Manager)


def show(host: str) -> str:
    return f"[{host}]" if ":" in host else host


async def say_ready(pipeline: Pipeline, start: Start) -> None:
    """Say that it serves. Who reads it would like a database, too; the transmitters do not wait for it."""
    await asyncio.wait({pipeline.database}, timeout=DATABASE_S)
    start.manager.tell("READY=1")        # first: who reads the line may end, and the manager then looks
    host, port = pipeline.bound[0][1]
    line = (f"ready listen={show(host)}:{port} http={show(pipeline.http[0])}:{pipeline.http[1]} "
            f"database={without_password(pipeline.database_url())}\n")
    try:
        sys.stdout.write(line)
        sys.stdout.flush()
    except OSError as error:
        log.warning("nobody reads that this engine is ready: %s", error.strerror)


async def tell(pipeline: Pipeline, start: Start) -> None:
    """Tell those who started us how we are, until cancelled."""
    if start.takeover:
        start.manager.tell(f"MAINPID={os.getpid()}")     # at once: the process that it knew is about to end
    await asyncio.gather(say_ready(pipeline, start), start.manager.run())


async def serve(config: Config, start: Start) -> None:
    """Serve until SIGTERM or SIGINT, or until another engine has taken over."""
    pipeline = Pipeline(config, Clock(), inherited=start.inherited, takeover=start.takeover)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, pipeline.stop)
    loop.add_signal_handler(signal.SIGHUP, pipeline.tls.reload)
    telling: asyncio.Task[None] | None = None
    try:
        await pipeline.open()
        pipeline.giving.open()
        telling = asyncio.create_task(tell(pipeline, start), name="tell")
        await pipeline.run()
    finally:
        if telling:
            telling.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await telling
        await pipeline.close()


def run(config: Config, start: Start) -> int:
    """Run the engine; the exit code is 0 after an orderly stop, 1 when it could not start, 2 for a bad token file.

    Raises  ConfigError for a certificate that cannot be used; nothing was started then
    """
    try:
        uvloop.run(serve(config, start))
    except BadTokenFile as error:
        log.error("http_token: %s", error)
        return 2
    except (JournalError, OSError, EmbeddedPostgresError) as error:
        log.error("%s", error.strerror if isinstance(error, OSError) and not error.filename else error)
        return 1
    return 0

"""The faults, one function each. Some take a moment; the others last as long as their context.

A fault that is not possible just now (the database that it would act on is away) raises NotNow, and is not counted.
"""
from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass

import asyncpg

from tests.breaking.world import World, pause, signal_all
from tests.integration.engine import until

DATABASE_AWAY = (OSError, TimeoutError, asyncio.TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError)
STORE_BACKEND = "SELECT pid FROM pg_stat_activity WHERE application_name = 'tocsin store' LIMIT 1"
TABLES = ("signal_row", "event", "alarm", "position", "path")
SUBSCRIBERS = 5                  # that never read
CONNECTIONS = 200                # of a flood; every second one talks garbage
DATAGRAMS = 2000
GARBAGE = 1400                   # bytes of each


class NotNow(Exception):
    """This fault has nothing to act on at the moment."""


@dataclass(frozen=True)
class Fault:
    """One kind of fault; exactly one of `strike` and `hold` is there.

    strike    does it, and returns when the engine runs again
    hold      does it for as long as the context is open
    embedded, elsewhere  with which PostgreSQL it can be
    alone     the engine may not be ended meanwhile: it could not start
    """

    name: str
    strike: Callable[[World], None] | None = None
    hold: Callable[[World], AbstractContextManager[None]] | None = None
    embedded: bool = True
    elsewhere: bool = True
    alone: bool = False
    weight: int = 1

    def fits(self, world: World) -> bool:
        return self.embedded if world.embedded else self.elsewhere


# -- deaths


def kill_engine(world: World) -> None:
    world.kill()
    world.restart()


def kill_postgres(world: World) -> None:
    """The postmaster: its children end by themselves, and whoever keeps it starts another."""
    pid = world.postmaster()
    if not pid:
        raise NotNow
    signal_all([pid], signal.SIGKILL)


def kill_backend(world: World) -> None:
    """The process of PostgreSQL that serves the store: PostgreSQL then throws everybody out and recovers."""
    if world.hung:
        raise NotNow
    try:
        [row] = world.ask(STORE_BACKEND)
    except (*DATABASE_AWAY, ValueError):                 # or no backend serves the store
        raise NotNow from None
    signal_all([row["pid"]], signal.SIGKILL)


def kill_both(world: World) -> None:
    signal_all(world.postgres_processes(), signal.SIGKILL)
    kill_engine(world)


def stop_in_order(world: World) -> None:
    world.stop()
    world.restart()


# -- stalls


def stall_engine(world: World, supervisions: float | None = None) -> None:
    """Stopped, for longer than a supervision time now and then: nobody may be called silent for it."""
    seconds = (supervisions or world.chance.uniform(0.1, 1.5)) * world.supervision_s
    process = world.running.process
    process.send_signal(signal.SIGSTOP)
    try:
        pause(seconds)
    finally:
        process.send_signal(signal.SIGCONT)
    world.until_served()


@contextmanager
def postgres_stopped(world: World) -> Iterator[None]:
    """Hung: it takes connections (the kernel does) and says nothing."""
    stopped = world.postgres_processes()
    if not stopped:
        raise NotNow
    signal_all(stopped, signal.SIGSTOP)
    world.hung = True
    try:
        yield
    finally:
        world.hung = False
        signal_all(stopped, signal.SIGCONT)


@contextmanager
def table_locked(world: World, table: str = "") -> Iterator[None]:
    table = table or world.chance.choice(TABLES)
    if world.hung:
        raise NotNow
    with ExitStack() as stack:
        try:
            stack.enter_context(world.holding(f"LOCK TABLE tocsin.{table} IN ACCESS EXCLUSIVE MODE"))
        except DATABASE_AWAY:
            raise NotNow from None
        yield


# -- room and connections


@contextmanager
def postgres_full(world: World) -> Iterator[None]:
    """No block is left for the database; the log of its transactions has those that it had."""
    with world.postgres_disk.under("full"):
        yield


def cut_in_copy(world: World) -> None:
    """The way to the database breaks when half of a COPY's data has gone over it."""
    cuts = world.proxy.cuts
    world.proxy.cut_armed.set()
    try:
        until(lambda: world.proxy.cuts > cuts, "a COPY", 5)
    except AssertionError:
        world.proxy.cut_armed.clear()
        raise NotNow from None


@contextmanager
def journal_full(world: World) -> Iterator[None]:
    """No write succeeds. Every second time the engine is killed before there is room again."""
    with world.journal_disk.under("thin"):
        yield
        killed = world.chance.random() < 0.5
        if killed:
            world.kill()
    if killed:
        world.restart()


@contextmanager
def journal_broken(world: World) -> Iterator[None]:
    """Flushing fails with EIO. The engine then asks for a restart, where the outcome log was concerned."""
    with world.journal_disk.under("broken"):
        yield
    world.kill()
    world.restart()


@contextmanager
def journal_slow(world: World) -> Iterator[None]:
    with world.journal_disk.under(f"slow {world.chance.randint(20, 400)}"):
        yield


# -- the others on the network


@contextmanager
def dead_subscribers(world: World) -> Iterator[None]:
    """They ask for the stream and never read it."""
    with ExitStack() as stack:
        for _ in range(SUBSCRIBERS):
            link = stack.enter_context(socket.socket())
            link.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            link.settimeout(5)
            with contextlib.suppress(OSError):
                link.connect(("127.0.0.1", world.http_port))
                link.sendall(b"GET /v1/alarms/stream?after=0 HTTP/1.1\r\nHost: tocsin\r\n\r\n")
        yield


@contextmanager
def flood(world: World) -> Iterator[None]:
    """Garbage by UDP and TCP, and connections that say nothing."""
    place = ("127.0.0.1", world.port)
    with ExitStack() as stack:
        link = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        for _ in range(DATAGRAMS):
            link.sendto(world.chance.randbytes(world.chance.randint(1, GARBAGE)), place)
        for number in range(CONNECTIONS):
            connection = stack.enter_context(socket.socket())
            connection.settimeout(5)
            with contextlib.suppress(OSError):
                connection.connect(place)
                if number % 2:
                    connection.sendall(world.chance.randbytes(GARBAGE))
        yield


FAULTS = (
    Fault("engine killed", kill_engine, weight=8),
    Fault("engine and PostgreSQL killed", kill_both, weight=3),
    Fault("engine stopped in order", stop_in_order),
    Fault("engine stalled", stall_engine),
    Fault("PostgreSQL killed", kill_postgres, weight=2),
    Fault("PostgreSQL's backend killed", kill_backend),
    Fault("cut in the middle of a COPY", cut_in_copy, embedded=False, weight=2),
    Fault("PostgreSQL hung", hold=postgres_stopped),
    Fault("table locked", hold=table_locked),
    Fault("PostgreSQL out of space", hold=postgres_full, embedded=False),
    Fault("journal's volume full", hold=journal_full, alone=True),
    Fault("journal's flush fails", hold=journal_broken, alone=True),
    Fault("journal's flush slow", hold=journal_slow),
    Fault("dead subscribers", hold=dead_subscribers),
    Fault("garbage and connections", hold=flood),
)
BY_NAME = {fault.name: fault for fault in FAULTS}

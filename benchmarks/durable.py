"""Durable signals: what the flush costs when it is shared, and when one signal comes alone.

durable.unsynced   frames decoded and appended while the append before is written; nothing is flushed
durable.synced     the same, each append flushed before the next begins: the group commit of the engine
Target             synced / unsynced at least 0.5, on the same disk in one run
durable.bare       one write and one fdatasync of the bytes of one signal, on its own
durable.reply      `tocsin serve`, idle: from a fire to its reply, as its transmitter sees it
                   inside: from its receipt to its reply, by the engine's own clock, without the way there and back
Target             inside at most 3 times bare, means of the rounds in turn
"""
import asyncio
import os
import shutil
import socket
import tempfile
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, median
from time import perf_counter

from benchmarks.harness import Refused, Result, Rounds, Size, digest, in_turn, ratio
from benchmarks.rows import batch_of
from benchmarks.servers import Server, engine, reading
from codec.batch import Batch
from codec.reading import build_frame, decode_stream
from engine.clock import Clock
from engine.journal import Journal, JournalSettings, RealDisk
from engine.journal.real_disk import RealFile

RATIO_MIN, TIMES_MAX = 0.5, 3.0
ROWS_MAX = 8192                  # of one append, as the engine's own
FRAMES_AT_ONCE = 64              # as one receive gives
ARENA_BYTES = 4 << 20
ROOM_BYTES = 16 << 20
REST_S = 0.02                    # until the database has what the last one gave
ACCOUNT = "00BEEF"


@dataclass(frozen=True, slots=True)
class Shape:
    """Signals of a round; fires of a round, one after the other."""
    signals: int
    fires: int


SHAPES: dict[Size, Shape] = {"smoke": Shape(2000, 5), "full": Shape(300_000, 200)}


class UnsyncedFile(RealFile):
    """A file that takes the order to flush for done."""

    async def write(self, offset: int, data: bytes, sync: bool) -> None:
        await super().write(offset, data, False)


class UnsyncedDisk(RealDisk):
    """A disk whose appends are written and never flushed."""

    def _file(self, name: str, descriptor: int) -> RealFile:
        return UnsyncedFile(name, descriptor, self._flush, self._files)


def run(size: Size, rounds: int = 5) -> list[Result]:
    """Measure the shared flush, then the one alone."""
    with tempfile.TemporaryDirectory(prefix="tocsin-durable-") as name:
        return [*shared(size, rounds, Path(name)), *alone(size, rounds, Path(name))]


def shared(size: Size, rounds: int, directory: Path) -> list[Result]:
    signals = SHAPES[size].signals
    frames = b"".join(build_frame("SIA-DCS", f"{number:06X}", f"#{number:06X}|Nri1/FA{number % 512:03d}".encode(),
                                  sequence=number % 9999 + 1) for number in range(FRAMES_AT_ONCE))
    kinds = {"unsynced": UnsyncedDisk, "synced": RealDisk}
    sides: dict[str, Callable[[], float]] = {
        side: lambda kind=kind: asyncio.run(  # type: ignore[misc]
            appended(kind, directory / "journal", frames, signals)) for side, kind in kinds.items()}
    found = in_turn(rounds, sides)
    compared = {"ratio": ratio(found["synced"], found["unsynced"]), "ratio_min": RATIO_MIN}
    return [Result(f"durable.{side}", size, signals, "signal", found[side].median, found[side].spread,
                   digest(frames), compared if side == "synced" else {}) for side in sides]


async def appended(kind: type[RealDisk], place: Path, frames: bytes, signals: int) -> float:
    """Decode and append so many signals as the engine does: rows gather while an append is on its way."""
    disk = kind(place)
    journal = await Journal.open(disk, Clock(), JournalSettings())
    batch, done = Batch(ROWS_MAX, ARENA_BYTES), 0
    begin = perf_counter()
    while done < signals:
        decode_stream(frames, batch, 0)
        done += len(batch)
        append = asyncio.ensure_future(journal.append(0, Batch.view(batch.encode())))
        batch.clear()
        while not append.done():
            if len(batch) <= ROWS_MAX - FRAMES_AT_ONCE:
                decode_stream(frames, batch, 0)
            await asyncio.sleep(0)
        await append
    seconds = perf_counter() - begin
    await journal.close()
    await disk.close()
    shutil.rmtree(place)
    return done / seconds


def alone(size: Size, rounds: int, directory: Path) -> list[Result]:
    fires = SHAPES[size].fires
    encoded = batch_of(1).encode()
    bare_s: list[float] = []
    with engine(directory) as server, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as link, \
            Room(directory / "bare") as room:
        link.connect(("127.0.0.1", server.port))
        link.settimeout(5)
        fire = Fires(link)
        rate_of(fire.one, 1)             # the enrolment
        inside = Inside(server)
        found = in_turn(rounds, {"bare": lambda: rate_of(lambda: room.append(encoded), fires, bare_s),
                                 "reply": lambda: inside.during(lambda: rate_of(fire.one, fires))})
    facts: dict[str, dict[str, float | int | str]] = {
        "bare": {"bytes": len(encoded), "p50_us": p50_us(found["bare"]), "mean_us": median(bare_s) * 1e6},
        "reply": {"p50_us": p50_us(found["reply"]), "times_bare": ratio(found["bare"], found["reply"]),
                  "inside_us": median(inside.mean_s) * 1e6, "inside_times_bare_max": TIMES_MAX,
                  "inside_times_bare": median(ours / bare for ours, bare in zip(inside.mean_s, bare_s, strict=True))}}
    return [Result(f"durable.{side}", size, fires, "signal", found[side].median, found[side].spread,
                   digest(encoded), facts[side])
            for side in ("bare", "reply")]


def rate_of(step: Callable[[], float], count: int, means_s: list[float] | None = None) -> float:
    """Return the inverse of the median that a step takes, s, with everything at rest between two of them.

    means_s  gets the mean
    """
    taken = []
    for _ in range(count):
        threading.Event().wait(REST_S)
        taken.append(step())
    if means_s is not None:
        means_s.append(mean(taken))
    return 1 / median(taken)


def p50_us(rounds: Rounds) -> float:
    return 1e6 / rounds.median


class Room:
    """A file whose room is there already, as a segment of the journal is."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
        os.posix_fallocate(self._file, 0, ROOM_BYTES)
        os.fsync(self._file)
        self._at = 0

    def __enter__(self) -> "Room":
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._file)

    def append(self, data: bytes) -> float:
        """Write and flush once; return seconds."""
        begin = perf_counter()
        os.pwrite(self._file, data, self._at)
        os.fdatasync(self._file)
        seconds = perf_counter() - begin
        self._at += len(data)
        return seconds


class Inside:
    """What the engine itself says of its signals, from receipt to reply; mean_s of each round."""

    def __init__(self, server: Server) -> None:
        self.mean_s: list[float] = []
        self._server = server

    def during(self, work: Callable[[], float]) -> float:
        """Return what `work` returns, and keep the mean of the replies meanwhile."""
        names = ("tocsin_receive_to_reply_seconds_sum", "tocsin_receive_to_reply_seconds_count")
        before = [reading(self._server, name) for name in names]
        done = work()
        seconds, count = (reading(self._server, name) - at for name, at in zip(names, before, strict=True))
        self.mean_s.append(seconds / count)
        return done


class Fires:
    """Fires of one transmitter, each sent when the one before is answered."""

    def __init__(self, link: socket.socket) -> None:
        self._link = link
        self._sequence = 0

    def one(self) -> float:
        """Send one; return seconds to its reply. Raises Refused for another reply."""
        self._sequence = self._sequence % 9999 + 1
        data = f"#{ACCOUNT}|Nri1/FA{self._sequence}".encode()
        frame = build_frame("SIA-DCS", ACCOUNT, data, sequence=self._sequence)
        begin = perf_counter()
        self._link.send(frame)
        reply = self._link.recv(512)
        seconds = perf_counter() - begin
        if b'"ACK"' not in reply:
            raise Refused(f"answered {reply!r}")
        return seconds

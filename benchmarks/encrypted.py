"""Whole DC-09 signals over UDP, clear and encrypted: what receiving, decrypting and answering costs.

encrypted.clear            fires of transmitters without keys
encrypted.aes              fires of as many transmitters, each with an AES-128 key of its own, in random order
encrypted.heartbeat_clear  heartbeats of the same: receiving, decrypting and answering alone
encrypted.heartbeat_aes
Target                     CPU of the engine for one encrypted frame at most 1.5 times that for a clear one

All are offered at the same rate, below what any side can do, to one engine that journals, stores and forwards the
fires; each frame is sent once, and a round begins when all is stored. The CPU is the engine's alone: all its threads,
user and system, without the database.
"""
import random
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass
from hashlib import blake2s
from importlib import import_module
from pathlib import Path
from time import sleep, time_ns

from benchmarks.frames import write_frames
from benchmarks.harness import SEED, Result, Size, digest, in_turn, need
from benchmarks.servers import ENGINE_CONFIGURATION, Server, engine, reading
from benchmarks.udp import Report, client, cpu_ns
from benchmarks.udp import Shape as Offer

CPU_RATIO_MAX = 1.5
STORED_S_MAX, POLL_S = 60.0, 0.1
ENROL_TRIES = 5
CLEAR, AES = "clear", "aes"
SIDES = {CLEAR: (CLEAR, "SIA-DCS"), AES: (AES, "SIA-DCS"),
         "heartbeat_clear": (CLEAR, "NULL"), "heartbeat_aes": (AES, "NULL")}
BESIDE = {AES: CLEAR, "heartbeat_aes": "heartbeat_clear"}
FIRST = {CLEAR: 0xA00000, AES: 0xE00000}         # accounts count up from here


@dataclass(frozen=True, slots=True)
class Shape:
    """Transmitters of each side, and how long a round offers how many frames a second; less than one frame for each."""
    accounts: int
    rate: int
    seconds: float
    warm_up: float


SHAPES: dict[Size, Shape] = {"smoke": Shape(500, 1000, 0.2, 0.1), "full": Shape(100_000, 20_000, 4.0, 0.5)}


def run(size: Size, rounds: int = 5) -> list[Result]:
    """Measure both sides in turn.

    Raises  Refused when frames were lost
    """
    need("engine.pipeline", "codec.reading")
    shape = SHAPES[size]
    with tempfile.TemporaryDirectory(prefix="tocsin-encrypted-") as name, ExitStack() as stack:
        directory = Path(name)
        server = stack.enter_context(engine(directory, configuration(shape)))
        for owners in FIRST:
            enrol(server, shape, directory, owners)
        reports: dict[str, list[Report]] = {side: [] for side in SIDES}

        def one(side: str) -> float:
            owners, token = SIDES[side]
            wait_stored(server)
            made = frames(shape, owners, len(reports[side]) + 2, token)
            reports[side].append(offer(server, shape, write_frames(directory / side, made)))
            return reports[side][-1]["rate"]

        found = in_turn(rounds, {side: lambda side=side: one(side) for side in SIDES})  # type: ignore[misc]
    cpu = {side: cpu_ns(reports[side]) for side in SIDES}
    return [Result(f"encrypted.{side}", size, shape.accounts, "frame", found[side].median, found[side].spread,
                   digest(*(f"{account:06X}".encode() for account in accounts(shape, SIDES[side][0]))),
                   facts(side, cpu)) for side in SIDES]


def facts(side: str, cpu: dict[str, float]) -> dict[str, float | int | str]:
    told: dict[str, float | int | str] = {"server_cpu_ns": cpu[side]}
    if side in BESIDE:
        told |= {"cpu_ratio": cpu[side] / max(cpu[BESIDE[side]], 1.0), "cpu_ratio_max": CPU_RATIO_MAX}
    return told


def accounts(shape: Shape, owners: str) -> list[int]:
    """All accounts with or without keys, in an order that no cache foresees, always the same."""
    order = list(range(FIRST[owners], FIRST[owners] + shape.accounts))
    random.Random(SEED).shuffle(order)
    return order


def key_of(account: int) -> bytes:
    return blake2s(f"{account:06X}".encode(), digest_size=16).digest()


def configuration(shape: Shape) -> str:
    return ENGINE_CONFIGURATION + "".join(
        f'[[transmitter]]\naccount = "dc09:{account:06X}"\nkey = "{key_of(account).hex()}"\n'
        for account in accounts(shape, AES))


def frames(shape: Shape, owners: str, turn: int, token: str) -> list[bytes]:
    """One frame of each account, stamped now; `turn` makes those of one round others than those of the one before."""
    build_frame = import_module("codec.reading").build_frame
    now_ns = time_ns()
    return [build_frame(token, f"{account:06X}",
                        b"#%06X|Nri%d/FA017" % (account, turn) if token != "NULL" else b"", sequence=turn,
                        stamp_ns=now_ns, key=key_of(account) if owners == AES else None)
            for account in accounts(shape, owners)]


def offer(server: Server, shape: Shape, file: Path) -> Report:
    """Send a round at its rate; see benchmarks.udp.client."""
    return client(server, file, Offer(shape.seconds, shape.warm_up, shape.accounts, 16, 1024, timeout_ms=5000),
                  shape.rate)


def enrol(server: Server, shape: Shape, directory: Path, owners: str) -> None:
    """Let the engine know all those transmitters by a heartbeat.

    Raises  RuntimeError when it does not
    """
    before = reading(server, "tocsin_paths")
    file = write_frames(directory / owners, frames(shape, owners, 1, "NULL"))
    for _ in range(ENROL_TRIES):             # one pass misses a few where the machine stalls
        client(server, file, Offer(1.1 * shape.accounts / shape.rate, 0.0, shape.accounts, 16, 1024, timeout_ms=5000),
               shape.rate)
        enrolled = reading(server, "tocsin_paths") - before
        if enrolled >= shape.accounts:
            return
    raise RuntimeError(f"only {enrolled:.0f} of {shape.accounts} transmitters were enrolled")


def wait_stored(server: Server) -> None:
    """Wait until nothing of the round before is left to do.

    Raises  RuntimeError when that takes too long
    """
    for _ in range(int(STORED_S_MAX / POLL_S)):
        if reading(server, "tocsin_store_lag_rows") == 0:
            return
        sleep(POLL_S)
    raise RuntimeError(f"the engine has not stored its rows within {STORED_S_MAX} s")

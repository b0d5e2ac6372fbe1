"""TCP: N connections, one message on its way on each, as transmitters do it: the next one follows the reply."""
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.frames import write_frames
from benchmarks.harness import Size
from benchmarks.servers import Server
from benchmarks.tcp import Shape, client

KEEPALIVE_S = 60
PINGREQ, PINGRESP = b"\xc0\x00", b"\xd0\x00"
CONNACK = b"\x20\x02\x00\x00"
SHAPES: dict[Size, Shape] = {"smoke": Shape(0.2, 0.1, 200, 10, 1), "full": Shape(3.0, 1.0, 10_000, 1000, 1)}


@dataclass(frozen=True, slots=True)
class Talk:
    """How a protocol is spoken: the first message of each connection and the answer to it, and a reply's last byte."""
    hello: Sequence[bytes] = ()
    welcome: bytes = b""
    reply_end: int = 13


def mqtt_connect(name: str) -> bytes:
    """The CONNECT of MQTT 3.1.1 for a client of that name: clean session, keepalive of a minute (OASIS, 3.1)."""
    body = b"\x00\x04MQTT\x04\x02" + KEEPALIVE_S.to_bytes(2, "big") + len(name).to_bytes(2, "big") + name.encode()
    return b"\x10" + bytes([len(body)]) + body


def mqtt(connections: int) -> Talk:
    """PINGREQ and PINGRESP; D0, the first byte of PINGRESP, comes once in each."""
    return Talk([mqtt_connect(f"panel-{number:06d}") for number in range(connections)], CONNACK, PINGRESP[0])


def run(server: Server, frames: Sequence[bytes], talk: Talk, directory: Path,
        size: Size) -> tuple[float, float, float, bool]:
    """Return (messages answered a second, CPU microseconds of the server for each, how busy it kept its core, whether
    the client had more to do than the server, so that it set the limit)."""
    file, more = write_frames(directory / "offered", frames), ["--reply-end", str(talk.reply_end)]
    if talk.hello:
        more += ["--hello", str(write_frames(directory / "hello", talk.hello)),
                 "--hello-reply-bytes", str(len(talk.welcome))]
    report = client(server, file, SHAPES[size], *more)
    cpu_s, received = report["server_cpu_s"], max(report["received"], 1)
    return report["rate"], cpu_s * 1e6 / received, cpu_s / report["elapsed_s"], report["client_cpu_s"] > cpu_s

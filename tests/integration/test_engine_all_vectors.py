"""All vectors in disorder, cut anywhere and mixed with garbage, over TCP and UDP: rows and replies are the truth's.

Each listener is a realm of its own and hears one transmitter site: what reaches it has an order, and all are heard at
the same time. SEED=number in the environment repeats a run; the name of the test tells it.
"""
from __future__ import annotations

import json
import os
import random
import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from codec import reference, reference_dc09
from codec.gbt26875_downlink import build_frame as build_gbt
from codec.gbt26875_downlink import tag_bytes
from codec.reading import build_frame, enclose
from tests.fuzz.formats import bytes_of
from tests.integration.engine import DEADLINE_S, Engine, data_directory, serve
from tests.integration.gbt26875 import send, status
from tests.integration.truth import Told, Truth

VECTORS = Path(__file__).parents[1] / "vectors"
DC09 = json.loads((VECTORS / "dc09.json").read_text())
GBT26875 = json.loads((VECTORS / "gbt26875.json").read_text())
TOCSIN = json.loads((VECTORS / "tocsin.json").read_text())
SEED = int(os.environ.get("SEED", "0")) or random.SystemRandom().randrange(1, 2**32)
KEYS = {"tcp-a": bytes(range(16)), "tcp-b": bytes(range(24)), "tcp-c": bytes(range(32)), "udp": bytes(range(16))}
KEYED = ("1A2B3C", "1234")
SECOND_NS = 1_000_000_000
COPIES = 5
CONNECTIONS = 4
SURGARD_ACK = 6
AHEAD = 16                           # datagrams under way: none is lost, for no buffer fills
GARBAGE = [b"\n", b"@", b"@@", b"\r\n", b"\n0000", b"\n00000FFF\"", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"\0", b"##",
           b"\n\n\n\n", b"@@@@", b"\xff\xfe", b"[]\"|#", b"]_12:00:00,01-01-2026\r"]

Reply = tuple[str, str, int, str]


def config() -> str:
    listeners = "".join(f'[[listener]]\nname = "{name}"\nlisten = "127.0.0.1:0"\nrealm = "{name}"\n' for name in KEYS)
    return listeners + "".join(f'[[transmitter]]\naccount = "dc09:{account}@{name}"\nkey = "{key.hex()}"\n'
                               for name, key in KEYS.items() for account in KEYED)


def key_of(listener: str, account: str) -> bytes | None:
    return KEYS[listener] if account in KEYED else None


def stamped_anew(frame: bytes, now_ns: int) -> bytes:
    """A GB/T 26875.3 frame sent again later: the header's time and the checksum are others."""
    data = bytearray(frame)
    data[6:12] = tag_bytes(now_ns)
    data[-3] = sum(data[2:-3]) & 0xFF
    return bytes(data)


def vectors(listener: str, now_ns: int, rng: random.Random) -> list[bytes]:
    """Every vector as it is; those with a key again with a stamp of now; the clear ones encrypted, now and late."""
    key = KEYS[listener]
    found = [bytes_of(vector) for vector in (*DC09, *GBT26875, *TOCSIN)]     # no Tocsin key is known here: silence
    for vector in DC09:
        expect, raw = vector["expect"], bytes.fromhex(vector["raw_hex"])
        if "key_hex" in vector:
            head, _, digits = reference_dc09.split(raw)[0].partition(b"[")
            opened = reference_dc09.unseal(bytes.fromhex(vector["key_hex"]), digits)
            assert opened is not None
            plain = b"|" + opened[0][:-20] + build_frame("NULL", "1234", stamp_ns=now_ns)[-21:-1]
            found.append(build_frame("NULL", "1234", stamp_ns=now_ns, key=key))
            found.append(enclose(head + b"[" + encrypted(key, plain)))
        elif raw[0] == 0x0A and expect["status"] == "ok" and expect["kind"] in ("signal", "heartbeat"):
            data = reference_dc09.read_header(reference_dc09.split(raw)[0])["data"]
            at_ns = now_ns if rng.random() < 0.6 else now_ns - 7200 * SECOND_NS
            found.append(build_frame(expect["token"], rng.choice(KEYED), data, key=key, stamp_ns=at_ns,
                                     sequence=expect["sequence"]))
    for vector in GBT26875:
        if vector["expect"]["valid"]:
            found.append(stamped_anew(bytes.fromhex(vector["raw_hex"]), now_ns))
    for number in range(40):             # words that come and go, of few components, and resets between them
        word = rng.choice([0, 1, 2, 3, 4, 6, 0x104, 0xFFFF, 0x2000])
        found.append(status(4000 + number % 2, word, number % 3, address=rng.randrange(3), kind=rng.choice([40, 23]),
                            at_ns=now_ns + rng.randrange(20) * SECOND_NS))
    found += [send(4000, b"\x18\1\1\1", 5), send(4001, b"\4\1\1\1\1\1", 6)]
    found.append(build_gbt(2, b"\x18\x7f" + b"\3\0" * 127, source=889))          # more rows than a batch may get
    found.append(build_frame("SIA-DCS", "1234", b"N" + b"/FA1" * 129, key=key, stamp_ns=now_ns))
    found.append(build_frame("SIA-DCS", "7777", b"N" + b"/FA1" * 129))
    return found


def encrypted(key: bytes, text: bytes) -> bytes:
    encryptor = Cipher(algorithms.AES(key), modes.CBC(bytes(16))).encryptor()
    return (encryptor.update(b"x" * (-len(text) % 16) + text) + encryptor.finalize()).hex().upper().encode()


def pieces(listener: str, now_ns: int, rng: random.Random) -> list[bytes]:
    """What a listener hears, in its order: whole vectors, broken and cut ones, garbage."""
    found = vectors(listener, now_ns, rng) * COPIES
    rng.shuffle(found)
    heard = []
    for frame in found:
        draw = rng.random()
        if draw < 0.06:
            heard.append(frame[:rng.randrange(len(frame))])
        elif draw < 0.10:
            at = rng.randrange(len(frame))
            heard.append(frame[:at] + bytes([frame[at] ^ 1 << rng.randrange(8)]) + frame[at + 1:])
        elif draw < 0.20:
            heard.append(rng.choice([*GARBAGE, rng.randbytes(rng.randrange(1, 60))]))
        heard.append(frame)
        if rng.random() < 0.1:
            heard.append(frame)                                                   # at once again
    return heard


def parts(rng: random.Random, data: bytes) -> Iterator[bytes]:
    """Cut anywhere: single bytes, and several frames at once."""
    at = 0
    while at < len(data):
        size = rng.choice([1, 2, rng.randrange(1, 40), rng.randrange(1, 200), rng.randrange(1, 5000)])
        yield data[at:at + size]
        at += size


def read_replies(data: bytes, key: bytes) -> list[Reply]:
    """Read replies of any protocol, one behind the other."""
    replies: list[Reply] = []
    while data:
        if data[0] == SURGARD_ACK:
            replies.append(("dc09", "06", 0, ""))
            data = data[1:]
            continue
        each = reference.read_frames(data, time.time_ns(), reference.Profile(key))[0]
        assert (each["status"], each["kind"]) == ("ok", "reply"), each
        replies.append((each["protocol"], each["token"], each["sequence"], each["account"]))
        data = data[each["length"]:]
    return replies


def speak_tcp(place: tuple[str, int], listener: str, rng: random.Random, truth: Truth) -> None:
    """Say it all on one connection after the other; what was cut between two of them is garbage on both."""
    now_ns = time.time_ns()
    data = b"".join(pieces(listener, now_ns, rng))
    cuts = [0, *sorted(rng.sample(range(len(data)), CONNECTIONS - 1)), len(data)]
    for start, end in zip(cuts, cuts[1:], strict=False):
        expected = truth.take(listener, data[start:end], now_ns, goes_on=True)
        with socket.create_connection(place, DEADLINE_S) as connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            seed = rng.random()

            def say(connection=connection, piece=data[start:end], seed=seed) -> None:
                for part in parts(random.Random(seed), piece):
                    connection.sendall(part)
                connection.shutdown(socket.SHUT_WR)

            speaker = threading.Thread(target=say)
            speaker.start()
            received = b""
            while piece := connection.recv(65536):
                received += piece
            speaker.join()
        assert read_replies(received, KEYS[listener]) == expected, f"seed {SEED}, {listener}, bytes {start}..{end}"


def speak_udp(place: tuple[str, int], listener: str, rng: random.Random, truth: Truth) -> None:
    """Say it in datagrams of one or several pieces; replies leave when they may, so their order is free."""
    now_ns = time.time_ns()
    heard = pieces(listener, now_ns, rng)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as transmitter:
        transmitter.settimeout(DEADLINE_S)
        transmitter.connect(place)
        while heard:
            expected: Counter[Reply] = Counter()
            for _ in range(AHEAD):
                count = rng.choice([1, 1, 1, 2, 3])
                datagram, heard = b"".join(heard[:count])[:4000], heard[count:]
                if datagram:
                    expected.update(truth.take(listener, datagram, now_ns, goes_on=False))
                    transmitter.send(datagram)
            replies: Counter[Reply] = Counter()
            while replies.total() < expected.total():
                replies.update(read_replies(transmitter.recv(4096), KEYS[listener]))
            assert replies == expected, f"seed {SEED}, {listener}"
        transmitter.setblocking(False)
        with pytest.raises(BlockingIOError):
            transmitter.recv(4096)


def stored(engine: Engine) -> list[Told]:
    """Every stored signal as the truth tells it."""
    engine.until_stored()
    rows = engine.rows("SELECT realm, account, class, condition, state, point, native FROM tocsin.signal ORDER BY id")
    return [tuple(row.values()) for row in rows]


def shown(engine: Engine, count: int) -> Counter[Any]:
    """The same from /v1/signals, page by page."""
    found: Counter[Any] = Counter()
    query = "/v1/signals?limit=500"
    while True:
        page = engine.json(query)
        found.update((row["realm"] or "", *(row[name] for name in (
            "account", "class", "condition", "state", "point", "native"))) for row in page["signals"])
        assert found.total() <= count
        if not page["next"]:
            return found
        query = f"/v1/signals?limit=500&cursor={page['next']}"


def place_of(engine: Engine, listener: str) -> tuple[str, int]:
    address = next(entry["address"] for entry in engine.json("/v1/status")["listen"] if entry["name"] == listener)
    host, _, port = address.rpartition(":")
    return host, int(port)


@pytest.mark.parametrize("seed", [SEED])
def test_all_vectors_in_disorder(seed: int) -> None:
    truths = {name: Truth(key_of) for name in KEYS}
    with data_directory() as data, serve(data, config()) as engine, ThreadPoolExecutor(len(KEYS)) as pool:
        told = [pool.submit(speak_udp if name == "udp" else speak_tcp, place_of(engine, name), name,
                            random.Random(f"{seed} {name}"), truth) for name, truth in truths.items()]
        for one in told:
            one.result()
        rows = stored(engine)
        for name, truth in truths.items():
            assert [row for row in rows if row[0] == name] == truth.rows, f"seed {SEED}, {name}"
        assert shown(engine, len(rows)) == Counter(rows)
        metrics = engine.metrics()
    for family, labels, kind in (("frames_received", 'protocol="{}",kind="{}"', "frames"),
                                 ("replies", 'protocol="{}",result="{}"', "replies")):
        expected = sum((getattr(truth, kind) for truth in truths.values()), Counter())
        for names, count in expected.items():
            assert metrics[f"{family}{{{labels.format(*names)}}}"] == count, f"seed {SEED}: {names}"
        assert sum(value for name, value in metrics.items() if name.startswith(f"{family}{{")) == expected.total()
    assert metrics["duplicates"] == sum(truth.duplicates for truth in truths.values()) > 100
    refused = sum((truth.refused for truth in truths.values()), Counter())
    assert min(refused["dc09", "time"], refused["dc09", "crypto"], refused["gbt26875", "field"]) > 0
    assert len(rows) > 400

"""Did every acknowledged signal arrive? Asked of the engine from outside, over HTTP, signal by signal.

Forwarded is what the stream of events showed while the run went on (what it showed as not durable has no number yet,
and counts when it comes again with one); stored is what the list of signals shows afterwards. A signal is known by the
text `run`-`number` in its `native`, whatever number the engine gave it.
"""

import asyncio
import contextlib
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

import aiohttp
import orjson

from loadgen.clock import monotonic_ns
from loadgen.transmitters import Outcome

PAGE_LIMIT = 10_000
PAGES_MAX = 10_000
OPEN_TIMEOUT_S = 10.0
REQUEST_TIMEOUT_S = 60.0
POLL_S = 0.25  # between two looks at the engine while waiting for it
REOPEN_S = 0.25
LINE_BYTES_MAX = 1 << 20
ACKNOWLEDGED = int(Outcome.OUTCOME_ACKNOWLEDGED)
NEVER_SENT = (int(Outcome.OUTCOME_UNSENT), int(Outcome.OUTCOME_WITHHELD))
LISTED_MAX = 20  # numbers that a report names
METRIC = re.compile(r"(tocsin_\w+)(\{.*\})? (\S+)")

Sightings = dict[int, set[str]]  # signal's number in the run -> the engine's ids of it


class AuditError(Exception):
    """The engine could not be asked; the text says what to look at."""


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """Signals of one run, one by one; lists hold their numbers in rising order."""

    sent: int
    acknowledged: int
    stored: int
    forwarded: int
    not_stored: list[int]
    not_forwarded: list[int]
    doubled: list[int]
    unacknowledged: list[int]

    @property
    def lost(self) -> list[int]:
        """Acknowledged, but not stored or not forwarded."""
        return sorted({*self.not_stored, *self.not_forwarded})


def reconcile(outcomes: bytes, stored: Sightings, forwarded: Sightings) -> Reconciliation:
    """Compare what was acknowledged with what was seen.

    outcomes           loadgen.transmitters.Outcome of each signal by its number
    stored, forwarded  the ids under which each was seen; more than one is a doubled signal
    """
    sent = [n for n, outcome in enumerate(outcomes) if outcome not in NEVER_SENT]
    acknowledged = [n for n in sent if outcomes[n] == ACKNOWLEDGED]
    return Reconciliation(
        sent=len(sent),
        acknowledged=len(acknowledged),
        stored=sum(n in stored for n in sent),
        forwarded=sum(n in forwarded for n in sent),
        not_stored=[n for n in acknowledged if n not in stored],
        not_forwarded=[n for n in acknowledged if n not in forwarded],
        doubled=[n for n in sent if len(stored.get(n, ())) > 1 or len(forwarded.get(n, ())) > 1],
        unacknowledged=[n for n in sent if outcomes[n] != ACKNOWLEDGED],
    )


@dataclass(slots=True)
class EventLines:
    """Server-sent events, put together line by line."""

    last_id: str | None = None
    ident: str | None = None
    name: str = "message"
    data: list[bytes] = field(default_factory=list)

    def feed(self, line: bytes) -> tuple[str, bytes] | None:
        """Take one line without its end; return (event name, data) when it closes an event."""
        if line:
            name, _, value = line.partition(b":")
            value = value.removeprefix(b" ")
            if name == b"data":
                self.data.append(value)
            elif name == b"event":
                self.name = value.decode()
            elif name == b"id":
                self.ident = value.decode()
            return None
        if self.ident is not None:
            self.last_id = self.ident
        event = (self.name, b"\n".join(self.data)) if self.data else None
        self.ident, self.name, self.data = None, "message", []
        return event


class Audit:
    """Watches the engine during one run. Use: `async with Audit(...)`, then send, then `settle`, then read the results.

    url      of the engine's HTTP side, as http://127.0.0.1:8914
    run      the run's id
    token    bearer token, or None
    """

    def __init__(self, url: str, run: str, token: str | None = None) -> None:
        self.url = url.rstrip("/")
        self.text = re.compile(re.escape(run) + r"-(\d+)(?!\d)")
        self.run = run.encode()
        self.headers = {"Authorization": f"Bearer {token}"} if token else {}
        self.forwarded: Sightings = defaultdict(set)
        self.stored: Sightings = defaultdict(set)
        self.newest: str | None = None  # the engine's newest signal before the run
        self.metrics_before: dict[str, float] = {}
        self.reconnects = 0
        self.gaps = 0
        self.not_durable = 0  # events of this run that were shown without a number
        self.lines = EventLines()

    async def __aenter__(self) -> Self:
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=OPEN_TIMEOUT_S)
        self.session = aiohttp.ClientSession(
            headers=self.headers, timeout=timeout, read_bufsize=LINE_BYTES_MAX, connector=aiohttp.TCPConnector(limit=4)
        )
        try:
            async with asyncio.timeout(OPEN_TIMEOUT_S):
                self.newest = await self.newest_id()
                self.metrics_before = await self.metrics()
                stream = await self.open_stream()
        except (aiohttp.ClientError, OSError, ValueError) as error:
            await self.session.close()
            raise AuditError(f"{self.url} does not answer as Tocsin ({error or type(error).__name__})") from error
        except BaseException:
            await self.session.close()
            raise
        self.watcher = asyncio.create_task(self.watch(stream))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.watcher.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self.watcher
        await self.session.close()

    async def open_stream(self) -> aiohttp.ClientResponse:
        """Subscribe, from the last event seen on."""
        headers = {"Accept": "text/event-stream"}
        if self.lines.last_id is not None:
            headers["Last-Event-ID"] = self.lines.last_id
        stream = await self.session.get(f"{self.url}/v1/alarms/stream", headers=headers)
        stream.raise_for_status()
        return stream

    async def watch(self, stream: aiohttp.ClientResponse) -> None:
        """Collect events until cancelled; a stream that ends is opened again where it ended."""
        while True:
            try:
                async for line in stream.content:
                    self.take_line(line.rstrip(b"\r\n"))
            except (aiohttp.ClientError, TimeoutError, ConnectionError, ValueError):
                pass  # counted below, as an end of the stream is
            finally:
                stream.close()
            stream = await self.open_again()

    async def open_again(self) -> aiohttp.ClientResponse:
        """Subscribe again, as often as it takes."""
        self.lines = EventLines(last_id=self.lines.last_id)
        while True:
            self.reconnects += 1
            await asyncio.sleep(REOPEN_S)
            with contextlib.suppress(aiohttp.ClientError, TimeoutError, ConnectionError):
                return await self.open_stream()

    def take_line(self, line: bytes) -> None:
        """Take one line of the stream."""
        event = self.lines.feed(line)
        if event is None:
            return
        name, data = event
        if name == "gap":
            self.gaps += 1
        elif self.run in data:
            alarm: dict[str, Any] = orjson.loads(data).get("data") or {}
            if alarm.get("durable") is False:
                self.not_durable += 1
                return
            for number in self.numbers(alarm.get("native")):
                self.forwarded[number].add(str(alarm.get("signal_id")))

    def numbers(self, native: object) -> Iterator[int]:
        """Return the numbers of this run's signals that a native text names."""
        return (int(number) for number in self.text.findall(native)) if isinstance(native, str) else iter(())

    async def get(self, path: str, **params: str | int) -> bytes:
        """Return the body of one request."""
        timeout = aiohttp.ClientTimeout(total=REQUEST_TIMEOUT_S)
        async with self.session.get(self.url + path, params=params, timeout=timeout) as response:
            response.raise_for_status()
            return await response.read()

    async def newest_id(self) -> str | None:
        """Return the id of the engine's newest signal, None when it has none."""
        signals = orjson.loads(await self.get("/v1/signals", limit=1))["signals"]
        return str(signals[0]["id"]) if signals else None

    async def read_stored(self, until: str | None) -> str | None:
        """Note this run's stored signals, newest first, back to the one with the id `until`; return the newest id."""
        newest: str | None = None
        cursor: str | None = None
        for _ in range(PAGES_MAX):
            where: dict[str, str] = {"cursor": cursor} if cursor else {}
            page = orjson.loads(await self.get("/v1/signals", limit=PAGE_LIMIT, **where))
            for signal in page["signals"]:
                ident = str(signal["id"])
                newest = newest or ident
                if ident == until:
                    return newest
                for number in self.numbers(signal.get("native")):
                    self.stored[number].add(ident)
            cursor = page["next"]
            if cursor is None:
                return newest
        raise AuditError(f"/v1/signals goes on after {PAGES_MAX} pages")

    async def settle(self, outcomes: bytes, seconds: float) -> Reconciliation:
        """Wait until every acknowledged signal is stored and forwarded, at most `seconds`; read the store once more.

        Raises  AuditError when the engine cannot be asked
        """
        end = monotonic_ns() + round(seconds * 1e9)
        seen = self.newest
        try:
            while True:
                seen = await self.read_stored(seen) or seen
                if not reconcile(outcomes, self.stored, self.forwarded).lost or monotonic_ns() >= end:
                    break
                await asyncio.sleep(POLL_S)
            await self.read_stored(self.newest)  # a row that took its place behind a newer one, and late doubles
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise AuditError(f"{self.url}/v1/signals: {error or type(error).__name__}") from error
        return reconcile(outcomes, self.stored, self.forwarded)

    async def metrics(self) -> dict[str, float]:
        """Return the engine's counters by name and labels."""
        return parse_metrics((await self.get("/metrics")).decode())

    async def metrics_during(self) -> dict[str, float]:
        """Return by how much the counters grew since the run began; what did not move is left out."""
        after = await self.metrics()
        grown = {name: value - self.metrics_before.get(name, 0.0) for name, value in after.items()}
        return {name: value for name, value in sorted(grown.items()) if value}


def parse_metrics(text: str) -> dict[str, float]:
    """Return the counters (`..._total`) of a Prometheus text, by name and labels as written."""
    counters = {}
    for line in text.splitlines():
        sample = METRIC.match(line)
        if sample and sample[1].endswith("_total"):
            counters[sample[1] + (sample[2] or "")] = float(sample[3])
    return counters

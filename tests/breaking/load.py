"""The load under which things are broken: two fleets of the load generator, by UDP and by TCP, their audit, and the
truth of what they sent when.

They run in processes of their own and are never disturbed; this process only listens to them, on a thread with a loop.
"""
from __future__ import annotations

import asyncio
import threading
import time
from bisect import bisect_left
from collections.abc import Coroutine
from contextlib import ExitStack
from typing import Any, Self, TypeVar

from loadgen.audit import Audit, Reconciliation, reconcile
from loadgen.child import Child
from loadgen.pacing import count_signals
from loadgen.plan import Outcomes, Plan, new_run
from loadgen.transmitters import Outcome
from loadgen.worker import run_fleet

T = TypeVar("T")
TRANSMITTERS = 150               # of each fleet
INTERVAL_S = 0.5                 # between two frames of one transmitter
ALARMS = 0.1                     # fires among the frames
LINKS = 8
FIRST = {"udp": 0xB00001, "tcp": 0xC00001}
DIGITS = 6
EVERYONE = 2 * TRANSMITTERS      # as many replies are one turn of all
REPEATED_S = 20.0                # what has no reply is repeated for so long, then given up


class LoopThread:
    """An event loop on a thread of its own, for what must go on while the main thread breaks things."""

    def __enter__(self) -> Self:
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, name="breaking")
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(20)
        self.loop.run_until_complete(self.loop.shutdown_default_executor())
        self.loop.close()

    def do(self, work: Coroutine[Any, Any, T], deadline_s: float = 60.0) -> T:
        """Run a coroutine there, and return what it returns."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(deadline_s)


class Told:
    """What one fleet has told of its progress: at each time (monotonic ns) how many frames had left."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.times: list[int] = []
        self.sent: list[int] = []
        self.answered = 0

    def take(self, sent: int, answered: int, now_ns: int) -> None:
        self.answered = answered
        self.times.append(now_ns)
        self.sent.append(sent)

    def last_left_ns(self, transmitter: int, at_ns: int) -> int | None:
        """When the last frame of a transmitter before `at_ns` had left for sure; None: none had."""
        sample = bisect_left(self.times, at_ns) - 1
        sent = self.sent[sample] if sample >= 0 else 0
        number = sent - 1 - (sent - 1 - transmitter) % self.plan.transmitters
        return self.times[bisect_left(self.sent, number + 1)] if number >= 0 else None


class Load:
    """Sends from `with` to `rest`; every fire and its fate is known afterwards.

    place, http  where the engine's transmitters and its readers go; both stay over restarts
    seed         decides which frames are fires
    seconds      the longest that it may send
    """

    def __init__(self, thread: LoopThread, place: tuple[str, int], http: str, seed: int, seconds: float) -> None:
        self.thread = thread
        self.seed, self.run = seed, new_run()
        self.wall_less_monotonic_ns = time.time_ns() - time.monotonic_ns()
        plans = [self._plan(transport, place, seconds, number) for number, transport in enumerate(FIRST)]
        self.first_of_second = count_signals(plans[0].seed, plans[0].alarms, plans[0].frames)
        plans[1] = self._plan("tcp", place, seconds, 1, self.first_of_second)
        self.told = [Told(plan) for plan in plans]
        self.audit = Audit(f"http://{http}", self.run)
        self.outcomes = b""
        self.counts: dict[str, int] = {}

    def _plan(self, transport: str, place: tuple[str, int], seconds: float, number: int, first: int = 0) -> Plan:
        return Plan(host=place[0], port=place[1], transport=transport, links=LINKS, transmitters=TRANSMITTERS,
                    rate=TRANSMITTERS / INTERVAL_S, alarms=ALARMS, duration_s=seconds, account_first=FIRST[transport],
                    digits=DIGITS, seed=2 * self.seed + number, run=self.run, number_first=first)

    def __enter__(self) -> Self:
        self.stack = ExitStack()
        try:
            self.thread.do(self._open())
        except BaseException:
            self.stack.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.thread.do(self._close())

    async def _open(self) -> None:
        self.children = [self.stack.enter_context(Child(run_fleet, told.plan)) for told in self.told]
        for child in self.children:
            await child.message()
        await self.audit.__aenter__()
        self.results = [asyncio.create_task(self._listen(child, told))
                        for child, told in zip(self.children, self.told, strict=True)]

    async def _listen(self, child: Child, told: Told) -> Outcomes:
        child.send("begin")
        while (message := await child.message())[0] != "result":
            told.take(*message[1:])
        outcomes: Outcomes = message[1]
        return outcomes

    async def _close(self) -> None:
        await self.audit.__aexit__(None, None, None)
        for child, result in zip(self.children, self.results, strict=True):
            if not result.done():
                child.send("stop")
        await asyncio.gather(*self.results, return_exceptions=True)
        self.stack.close()

    @property
    def sent(self) -> int:
        """Frames so far, those of both fleets."""
        return sum(told.sent[-1] for told in self.told if told.sent)

    @property
    def answered(self) -> int:
        return sum(told.answered for told in self.told)

    def going(self) -> bool:
        """Whether it still sends; an error of its own is raised here."""
        for result in self.results:
            if result.done():
                result.result()
        return not any(result.done() for result in self.results)

    def rest(self) -> None:
        """Send nothing new, wait for what has no reply yet, and note what became of each fire."""
        for child in self.children:
            child.send("rest")
        first, second = self.thread.do(self._ended(), REPEATED_S + 40)
        never = bytes([Outcome.OUTCOME_UNSENT])
        self.outcomes = first.outcomes.ljust(self.first_of_second, never) + second.outcomes
        self.counts = {name: first.counts[name] + second.counts[name] for name in first.counts}
        self.behind_s = max(first.behind_ns, second.behind_ns) / 1e9

    async def _ended(self) -> list[Outcomes]:
        return await asyncio.gather(*self.results)

    def settle(self, seconds: float) -> Reconciliation:
        """Wait until all that was acknowledged is stored and forwarded, at most so long; return what is."""
        return self.thread.do(self.audit.settle(self.outcomes, seconds), seconds + 120)

    def reconcile(self, stored: dict[int, set[str]]) -> Reconciliation:
        """Compare with rows that were read from the database itself."""
        return reconcile(self.outcomes, stored, self.audit.forwarded)

    def acknowledged(self) -> int:
        return self.outcomes.count(bytes([Outcome.OUTCOME_ACKNOWLEDGED]))

    def silent_s(self, account: str, at_wall_ns: int) -> float | None:
        """How long the transmitter had really sent nothing at a time; None for an account that is none of ours."""
        for told in self.told:
            transmitter = int(account, 16) - told.plan.account_first
            if len(account) == DIGITS and 0 <= transmitter < told.plan.transmitters:
                at_ns = at_wall_ns - self.wall_less_monotonic_ns
                left_ns = told.last_left_ns(transmitter, at_ns)
                return float("inf") if left_ns is None else (at_ns - left_ns) / 1e9
        return None

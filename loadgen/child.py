"""A child process and the pipe to it."""

import asyncio
import multiprocessing
from collections.abc import Callable
from multiprocessing.connection import Connection
from types import TracebackType
from typing import Any, Self

from loadgen.plan import Outcomes, Plan
from loadgen.worker import run_fleet, run_sink

END_TIMEOUT_S = 5.0
Progress = Callable[[int, int, int], None]  # frames sent, frames answered, at monotonic ns


class FleetError(Exception):
    """The fleet could not run; the text says why."""


class Child:
    """One process that runs `entry(*arguments, pipe)`; ended when the block is left, however it is left."""

    def __init__(self, entry: Callable[..., None], *arguments: object) -> None:
        context = multiprocessing.get_context("spawn")  # forking a process with an event loop and threads is not safe
        self.pipe: Connection
        self.pipe, self.far = context.Pipe()
        self.process = context.Process(target=entry, args=(*arguments, self.far), daemon=True)

    def __enter__(self) -> Self:
        self.process.start()
        self.far.close()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            self.process.terminate()
        self.process.join(END_TIMEOUT_S)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()
        self.pipe.close()
        self.process.close()

    def receive(self) -> tuple[Any, ...]:
        """Wait for the child's next message.

        Raises  FleetError when it says that it failed, or ended without a word
        """
        try:
            message: tuple[Any, ...] = self.pipe.recv()
        except (EOFError, ConnectionResetError):
            raise FleetError("the generator's process ended without a result") from None
        if message[0] == "failed":
            raise FleetError(message[1])
        return message

    async def message(self) -> tuple[Any, ...]:
        """Wait for the child's next message without holding up the loop."""
        return await asyncio.to_thread(self.receive)

    def send(self, *message: object) -> None:
        """Send a message to the child."""
        self.pipe.send(message)


async def run_plan(plan: Plan, progress: Progress) -> Outcomes:
    """Run the fleet in its own process and return what it saw.

    Raises  FleetError
    """
    with Child(run_fleet, plan) as fleet:
        await fleet.message()
        fleet.send("begin")
        while True:
            message = await fleet.message()
            if message[0] == "result":
                outcomes: Outcomes = message[1]
                return outcomes
            progress(message[1], message[2], message[3])


async def with_sink(transport: str, plan_for: Callable[[int], Plan], *, replies: bool = True) -> tuple[Outcomes, int]:
    """Run a plan against a null receiver; return what the fleet saw, and how many frames the receiver did.

    plan_for  makes the plan from the receiver's port
    replies   False: the receiver counts and is silent
    Raises    FleetError
    """
    with Child(run_sink, transport, replies) as sink:
        port: int = (await sink.message())[1]
        try:
            outcomes = await run_plan(plan_for(port), lambda sent, answered, at_ns: None)
        finally:
            sink.send("stop")
        frames: int = (await sink.message())[1]
        return outcomes, frames

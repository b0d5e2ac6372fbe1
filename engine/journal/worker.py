"""A thread for calls that block, one at a time in order, with their results brought back to the loop."""
import asyncio
import logging
import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import TypeVar

Result = TypeVar("Result")
log = logging.getLogger("engine.journal")


def settle(future: "asyncio.Future[Result]", result: list[Result], error: BaseException | None) -> None:
    """Give a call's end to who waits, unless he has gone."""
    if future.cancelled():
        return
    if error is not None:
        future.set_exception(error)
    else:
        future.set_result(result[0])


class Worker:
    """One thread. Its queue is as long as the number of callers, each of whom waits for his call."""

    def __init__(self, name: str) -> None:
        self._jobs: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._work, name=name, daemon=True)
        self._thread.start()

    def run(self, call: Callable[[], Result]) -> "asyncio.Future[Result]":
        """Let `call` run in the thread; the future gets what it returns or raises. Cancelling does not stop it."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Result] = loop.create_future()

        def job() -> None:
            result: list[Result] = []
            error = None
            try:
                result.append(call())
            except BaseException as raised:  # whatever it is, it belongs to who waits
                error = raised
            try:
                loop.call_soon_threadsafe(settle, future, result, error)
            except RuntimeError:  # the loop was closed without waiting
                log.error("a disk call ended after its loop was closed", exc_info=error)

        self._jobs.put(job)
        return future

    def post(self, call: Callable[[], None]) -> None:
        """Let `call` run in the thread; nobody waits. It must not raise."""
        self._jobs.put(call)

    def close(self) -> None:
        """Finish the queue and end the thread."""
        self._jobs.put(None)
        self._thread.join()

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            job()

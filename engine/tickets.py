"""Who waits for a row of the intake to be durable, beside the replies of LISTEN."""
import asyncio
from collections import deque


class Tickets:
    """Futures by ticket. Tickets rise, so the oldest is settled first."""

    def __init__(self) -> None:
        self._waiting: deque[tuple[int, asyncio.Future[bool]]] = deque()

    def wait(self, ticket: int) -> asyncio.Future[bool]:
        """Return what becomes true when the rows up to this ticket are durable, false when they never will be."""
        durable: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._waiting.append((ticket, durable))
        return durable

    def settle(self, ticket: int, *, durable: bool) -> None:
        """Let those who wait for a ticket up to this one go on."""
        while self._waiting and self._waiting[0][0] <= ticket:
            waiting = self._waiting.popleft()[1]
            if not waiting.done():
                waiting.set_result(durable)

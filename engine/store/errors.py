"""What a database, or the way to it, may do to us."""
import asyncio

import asyncpg  # type: ignore[import-untyped]

# asyncpg reports a lost connection as any of them.
DATABASE_ERRORS = (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)


def raise_if_cancelled() -> None:
    """To be called where an error of the database was caught: raise CancelledError when our task is to end.

    A task that is cancelled inside a transaction rolls it back; when that fails, because the connection is gone too,
    the error takes the place of the cancellation, and who catches it would go on for ever.
    """
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError

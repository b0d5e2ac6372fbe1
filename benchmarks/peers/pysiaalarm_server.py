"""`python -O -m benchmarks.peers.pysiaalarm_server udp|tcp ACCOUNTS`: pysiaalarm's own asyncio server.

It knows accounts 000000 and up; the handler is empty, so that nothing but pysiaalarm is measured. Prints `port N`.
"""
import asyncio
import logging
import signal
import sys

from pysiaalarm import SIAAccount
from pysiaalarm.aio import CommunicationsProtocol, SIAClient
from pysiaalarm.event import SIAEvent

from benchmarks.harness import tell


async def ignore(event: SIAEvent) -> None:
    """What a user would do with the event."""


async def serve(protocol: str, accounts: int) -> None:
    known = [SIAAccount(f"{account:06X}") for account in range(accounts)]
    server = SIAClient("127.0.0.1", 0, known, ignore, protocol=CommunicationsProtocol[protocol.upper()])
    await server.async_start()
    socket = server.transport.get_extra_info("socket") if protocol == "udp" else server.server.sockets[0]
    tell(f"port {socket.getsockname()[1]}")
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    await stop.wait()


if __name__ == "__main__":
    logging.disable()                            # a connection that ends is an error to it, with a page of traceback
    asyncio.run(serve(sys.argv[1], int(sys.argv[2])))

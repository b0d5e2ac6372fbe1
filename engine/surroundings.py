"""What an engine stands on besides its clock: files, sockets, the way to a database, and chance.

The machine's own by default. A simulation brings others, and so runs the whole engine on what fails when it
wants it to.
"""
from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from socket import socket
from typing import Any

import asyncpg  # type: ignore[import-untyped]

from engine.journal.disk import Disk
from engine.journal.real_disk import RealDisk
from engine.listen.binding import open_sockets

Connect = Callable[..., Any]     # asyncpg.connect, or what takes and gives the same


@dataclass(frozen=True, slots=True)
class Surroundings:
    """open_disk  makes the disk that a directory is; raises Locked where another engine has it
    open_sockets  binds a listener's sockets, as binding.open_sockets does; `shared` with several receivers alone
    connect       opens a connection to PostgreSQL
    entropy       returns so many bytes that nobody can guess
    """

    open_disk: Callable[[Path], Disk] = RealDisk
    open_sockets: Callable[..., tuple[socket | None, socket]] = open_sockets
    connect: Connect = asyncpg.connect
    entropy: Callable[[int], bytes] = secrets.token_bytes

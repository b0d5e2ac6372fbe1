"""Who may ask: bearer tokens from files, each with a role and the name of whoever holds it."""
from __future__ import annotations

import binascii
import hashlib
import hmac
import stat
from base64 import b64decode
from collections.abc import Callable, Iterable
from contextvars import ContextVar
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import Any

from aiohttp import web

from engine.config import HttpToken
from engine.operate.problem import Handler, problem

TOKEN_CHARACTERS_MIN = 24
HOLDER = ContextVar("HOLDER", default="")  # of the request at hand: whose token it came with; empty without tokens
OPEN_ROUTES = frozenset({"/livez", "/readyz"})


class Role(IntEnum):
    """Each role may do what the smaller ones may."""

    READ = 1
    OPERATE = 2
    ADMIN = 3


def needs(role: Role) -> Callable[[Any], Any]:
    """Let a handler be reached with this role alone, whatever its method."""
    def mark(handler: Any) -> Any:
        handler.role = role
        return handler
    return mark


ROLE = ContextVar("ROLE", default=Role.ADMIN)  # of the request at hand; without tokens whoever reaches us may do all


class BadTokenFile(ValueError):
    """A token file that must not be used; the text names the file, never the token."""


@dataclass(frozen=True, slots=True)
class Holder:
    """name: who is written down with a change; digest: SHA-256 of the token."""

    name: str
    role: Role
    digest: bytes


def read_token(path: Path, role: str) -> Holder:
    """Read a token file: the token stands on its first line, and the file's name without its suffix names the holder.

    role    read, operate or admin
    Raises  BadTokenFile, also when others than the owner may read the file; KeyError on another role; OSError
    """
    if path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise BadTokenFile(f"{path}: others may read it; allowed is mode 0600")
    token = path.read_text().partition("\n")[0].strip()
    if len(token) < TOKEN_CHARACTERS_MIN or " " in token or not token.isascii():
        raise BadTokenFile(f"{path}: allowed is one token of at least {TOKEN_CHARACTERS_MIN} characters")
    return Holder(path.stem, Role[role.upper()], digest_of(token))


def holders_of(tokens: Iterable[HttpToken]) -> tuple[Holder, ...] | None:
    """Read the token files that the configuration names; None when it names none.

    Raises  BadTokenFile, also when others than the owner may read a file; OSError
    """
    return tuple(read_token(Path(entry.file), entry.role) for entry in tokens) or None


def digest_of(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()


def find_holder(holders: Iterable[Holder], authorization: str) -> Holder | None:
    """Return who sent this `Authorization` header, or None.

    `Bearer TOKEN`, or `Basic` with the token as password: a browser can send the second one by itself, also for a
    page and its event stream. All digests are compared, each in constant time.
    """
    scheme, _, value = authorization.partition(" ")
    token = value.strip()
    if scheme.lower() == "basic":
        try:
            token = b64decode(token, validate=True).decode().partition(":")[2]
        except (binascii.Error, UnicodeDecodeError):
            return None
    elif scheme.lower() != "bearer":
        return None
    digest, found = digest_of(token), None
    for holder in holders:
        if hmac.compare_digest(holder.digest, digest):
            found = holder
    return found


class Access:
    """The gate before every handler.

    holders   None = open to everyone, for a server on loopback only
    refused   requests turned away, for the scrape
    """

    def __init__(self, holders: Iterable[Holder] | None) -> None:
        self.refused = 0
        self._holders = None if holders is None else tuple(holders)

    @web.middleware
    async def guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Let the request through when its token has the role that is needed: the handler's own, else its method's."""
        if self._holders is None or request.path in OPEN_ROUTES:
            return await handler(request)
        holder = find_holder(self._holders, request.headers.get("Authorization", ""))
        if holder is None:
            self.refused += 1
            return problem(401, "a bearer token is needed",
                           {"WWW-Authenticate": 'Bearer realm="tocsin", Basic realm="tocsin", charset="UTF-8"'})
        by_method = Role.READ if request.method in ("GET", "HEAD") else Role.OPERATE
        needed = getattr(request.match_info.handler, "role", by_method)
        if holder.role < needed:
            self.refused += 1
            return problem(403, f"role {needed.name.lower()} is needed")
        HOLDER.set(holder.name)
        ROLE.set(holder.role)
        return await handler(request)

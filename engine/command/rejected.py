"""The last refused frames of a running engine, asked for over HTTP; what `tocsin decode --explain --rejected` shows."""
from __future__ import annotations

from typing import Any

import orjson

from engine.command.asking import DEFAULT_URL, NotAsked, asked

__all__ = ["DEFAULT_URL", "REASONS", "NotAsked", "ask"]
TIMEOUT_S = 10
ANSWER_BYTES_MAX = 64 << 20

REASONS = {
    "start": "no frame begins like this",
    "length": "its length does not fit",
    "checksum": "its checksum is wrong",
    "field": "a field of its header cannot be read, or it holds too many signals",
    "crypto": "encrypted and no key is known for the account, or another key; or clear where only encrypted is allowed",
    "time": "its stamp is outside the window; the transmitter was told our time",
    "unknown_account": "nobody announced this account, and the policy is to refuse those",
    "not_served": "this listener does not take its protocol",
    "garbage_limit": "too many bytes that are no frame; the connection was closed",
    "frame_timeout": "the frame did not end in time; the connection was closed",
}


def ask(url: str, *, source: str | None, account: str | None, limit: int, token_file: str | None) -> list[Any]:
    """Return the entries of /v1/rejected, newest first. Raises NotAsked."""
    question = {"source": source, "account": account, "limit": str(limit)}
    try:
        with asked(url, "/v1/rejected", question, token_file, TIMEOUT_S) as response:
            body = orjson.loads(response.read(ANSWER_BYTES_MAX))
        found: list[Any] = body["rejected"]
    except (ValueError, KeyError, TypeError):
        raise NotAsked(f"{url}: what answers is no engine of ours") from None
    return found

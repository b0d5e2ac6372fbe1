"""The last refused frames of a running engine, asked for over HTTP; what `tocsin decode --explain --rejected` shows."""
from __future__ import annotations

import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any

import orjson

DEFAULT_URL = "http://127.0.0.1:8914"
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


class NotAsked(Exception):
    """The engine could not be asked; the text says why, in one line."""


def ask(url: str, *, source: str | None, account: str | None, limit: int, token_file: str | None) -> list[Any]:
    """Return the entries of /v1/rejected, newest first. Raises NotAsked."""
    if urllib.parse.urlsplit(url).scheme not in ("http", "https"):
        raise NotAsked(f"{url}: allowed is http://HOST:PORT or https://HOST:PORT")
    question = {"source": source, "account": account, "limit": str(limit)}
    query = urllib.parse.urlencode({name: value for name, value in question.items() if value is not None})
    request = urllib.request.Request(f"{url.rstrip('/')}/v1/rejected?{query}")
    try:
        if token_file is not None:
            token = Path(token_file).read_text().partition("\n")[0].strip()
            request.add_header("Authorization", f"Bearer {token}")
        with urllib.request.urlopen(request, timeout=TIMEOUT_S) as response:  # noqa: S310
            body = orjson.loads(response.read(ANSWER_BYTES_MAX))
        found: list[Any] = body["rejected"]
    except urllib.error.HTTPError as error:
        text = "; give --token-file" if error.code in (401, 403) else ""
        error.close()
        raise NotAsked(f"{url}: the engine answers {error.code} {error.reason}{text}") from None
    except urllib.error.URLError as error:
        raise NotAsked(f"{url}: {error.reason}; is the engine running, and is this its HTTP address?") from None
    except (OSError, UnicodeDecodeError) as error:
        raise NotAsked(f"{token_file or url}: {error}") from None
    except (ValueError, KeyError, TypeError):
        raise NotAsked(f"{url}: what answers is no engine of ours") from None
    return found

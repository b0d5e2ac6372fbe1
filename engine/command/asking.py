"""Asking a running engine over HTTP."""
from __future__ import annotations

import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import orjson

DEFAULT_URL = "http://127.0.0.1:8914"
DETAIL_BYTES_MAX = 65536


class NotAsked(Exception):
    """The engine could not be asked; the text says why, in one line."""


@contextmanager
def asked(url: str, path: str, question: Mapping[str, str | None], token_file: str | None,
          timeout_s: float) -> Iterator[IO[bytes]]:
    """GET `path` with what of the question is not None, and yield the body. Raises NotAsked, also while it is read."""
    if urllib.parse.urlsplit(url).scheme not in ("http", "https"):
        raise NotAsked(f"{url}: allowed is http://HOST:PORT or https://HOST:PORT")
    query = urllib.parse.urlencode({name: value for name, value in question.items() if value is not None})
    request = urllib.request.Request(f"{url.rstrip('/')}{path}?{query}")
    try:
        if token_file is not None:
            token = Path(token_file).read_text().partition("\n")[0].strip()
            request.add_header("Authorization", f"Bearer {token}")
        with urllib.request.urlopen(request, timeout=timeout_s) as response:  # noqa: S310
            yield response
    except urllib.error.HTTPError as error:
        text = "; give --token-file" if error.code in (401, 403) else detail_of(error)
        error.close()
        raise NotAsked(f"{url}: the engine answers {error.code} {error.reason}{text}") from None
    except urllib.error.URLError as error:
        raise NotAsked(f"{url}: {error.reason}; is the engine running, and is this its HTTP address?") from None
    except BrokenPipeError:
        raise                            # of the output, not of the engine
    except (OSError, UnicodeDecodeError) as error:
        raise NotAsked(f"{token_file or url}: {error}") from None


def detail_of(error: urllib.error.HTTPError) -> str:
    """Return what a problem of ours says; empty where something else answers."""
    try:
        return f": {orjson.loads(error.read(DETAIL_BYTES_MAX))['detail']}"
    except (OSError, ValueError, KeyError, TypeError):
        return ""

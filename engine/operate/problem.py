"""Errors as RFC 9457 problem JSON, every one of them."""
from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus

import orjson
from aiohttp import web

from engine.forward.question import BadQuestion
from engine.operate.view import Away, BadChange

logger = logging.getLogger("engine.operate")

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
KEPT_HEADERS = ("Allow", "WWW-Authenticate", "Retry-After", "Location")


class NotJson(ValueError):
    """A change that does not come as JSON."""


def problem(status: int, detail: str, headers: Mapping[str, str] | None = None) -> web.Response:
    """Return a problem response.

    status  100..599; gives the title. The type is left out, which means about:blank: the status says it all
    detail  for the caller to read; never a token, a payload or a trace
    """
    body = {"title": HTTPStatus(status).phrase, "status": status, "detail": detail}
    return web.Response(status=status, body=orjson.dumps(body), content_type="application/problem+json",
                        headers=headers)


@web.middleware
async def problems(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn what a handler raises into a problem; what nobody foresaw is logged and is a 500."""
    try:
        return await handler(request)
    except BadQuestion as error:
        return problem(400, str(error))
    except NotJson as error:
        return problem(415, str(error))
    except BadChange as error:
        return problem(422, str(error))
    except Away as error:
        return problem(503, str(error), {"Retry-After": "5"})
    except web.HTTPException as error:
        kept = {name: error.headers[name] for name in KEPT_HEADERS if name in error.headers}
        if error.status < 400:
            raise
        return problem(error.status, describe(error, request), kept)
    except ConnectionError:
        raise
    except Exception:
        logger.exception("request failed: %s", request.match_info.route.resource)
        return problem(500, "the engine failed to answer; its log says more")


def describe(error: web.HTTPException, request: web.Request) -> str:
    """Say what was wrong with a request that never reached its handler."""
    if error.status == 404:
        return f"nothing here: {request.path[:200]}"
    if isinstance(error, web.HTTPMethodNotAllowed):
        return f"{error.method} is not allowed here; allowed: {', '.join(sorted(error.allowed_methods))}"
    return error.text or error.reason

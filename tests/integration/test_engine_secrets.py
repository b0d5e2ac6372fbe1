"""No secret is shown, at debug level and whatever goes wrong: not in the log, by HTTP, or in the data directory."""
from __future__ import annotations

import base64
import http.client
import json
from collections.abc import Iterator
from pathlib import Path
from signal import SIGHUP

import pytest

from codec.reading import build_frame, build_message
from engine.store.embedded import EmbeddedPostgres
from tests.integration.engine import DEADLINE_S, Engine, data_directory, serve, tocsin, until
from tests.integration.transmitter import null, sia, tcp, udp
from tests.tls_files import Authority

KEY, OTHER_KEY = b"Geheim-Feuer-16b", b"Fremder-Schluess"
PROFILE_KEY = bytes(range(100, 132))
PASSWORD = "pa55-wort-der-datenbank"
TOKENS = {role: f"{role}-token-0123456789-abcdefgh" for role in ("read", "operate", "admin")}
SECRETS = [KEY, PROFILE_KEY, PASSWORD.encode(), *(token.encode() for token in TOKENS.values())]
ROUTES = ("/livez", "/readyz", "/metrics", "/v1/status", "/v1/alarms", "/v1/rejected", "/v1/transmitters", "/",
          "/v1/transmitters/dc09:1234", "/v1/transmitters/tocsin:1207", "/v1/signals?limit=10", "/v1/nothing")


def forms(secret: bytes) -> Iterator[bytes]:
    """Every way in which a secret is likely to be written."""
    yield secret
    yield secret.hex().encode()
    yield secret.hex().upper().encode()
    yield base64.b64encode(secret)
    yield repr(secret).encode()[2:-1]


def shown_in(text: bytes) -> list[bytes]:
    return [form for secret in SECRETS for form in forms(secret) if form in text]


def config(directory: Path, database: str, authority: Authority) -> str:
    tokens = ""
    for role, token in TOKENS.items():
        (directory / role).touch(0o600)
        (directory / role).write_text(token)
        tokens += f'[[http_token]]\nfile = "{directory / role}"\nrole = "{role}"\n'
    (directory / "key").write_text(KEY.decode())
    certificate, key = authority.issue("server")
    return f"""
        database = "{database}"
        [log]
        level = "debug"
        [[listener]]
        listen = "127.0.0.1:0"
        [[listener]]
        name = "tls"
        listen = "127.0.0.1:0"
        certificate = "{certificate}"
        private_key = "{key}"
        [[transmitter]]
        account = "dc09:1234"
        key_file = "{directory / "key"}"
        [[transmitter]]
        account = "tocsin:1207"
        key = "{PROFILE_KEY.hex()}"
        {tokens}"""


def ask(engine: Engine, path: str, authorization: str, method: str = "GET") -> bytes:
    """Return head and body of an answer."""
    connection = http.client.HTTPConnection(engine.http, timeout=DEADLINE_S)
    try:
        connection.request(method, path, headers={"Authorization": authorization} if authorization else {})
        response = connection.getresponse()
        return f"{response.status} {response.getheaders()}".encode() + response.read()
    finally:
        connection.close()


def talk(engine: Engine) -> bytes:
    """Let everything go right and wrong once; return what the engine said to it by HTTP."""
    to = f"{engine.place[0]}:{engine.place[1]}"
    for transport in ("udp", "tcp"):
        for key in (KEY, OTHER_KEY):
            tocsin("send", "--to", to, "--account", "1234", "--key", key.decode(), "--transport", transport,
                   "--timeout", "0.5")
    with udp(engine.place) as panel, tcp(engine.place) as line:
        assert panel.insist(build_message(1207, 1_800_000_000, PROFILE_KEY, b""))
        panel.send(build_message(1207, 1_800_000_001, bytes(32), b""), build_frame("*SIA-DCS", "1234", b"00" * 16))
        line.send(b"\n" + b"x" * 70_000)
        line.until_closed()
        assert panel.say(null("5678"))
        assert panel.say(sia("5678", "NFA1", 2))
    engine.process.send_signal(SIGHUP)
    until(lambda: "certificate unchanged" in engine.said(), "SIGHUP")
    answers = b""
    basic = base64.b64encode(b"x:" + TOKENS["read"].encode()).decode()
    for authorization in ("", "Bearer wrong", f"Bearer {TOKENS['read']}", f"Bearer {TOKENS['admin']}",
                          f"Basic {basic}", f"Bearer {TOKENS['operate']}x"):
        for route in ROUTES:
            answers += ask(engine, route, authorization)
        answers += ask(engine, "/v1/transmitters/dc09:1234/commands", authorization, "POST")
    status = ask(engine, "/v1/status", f"Bearer {TOKENS['read']}")
    host, _, port = json.loads(status[status.index(b"{"):])["listen"][1]["address"].rpartition(":")
    with tcp((host, int(port))) as plain:
        plain.send(null("5678"))
        plain.until_closed()
    return answers


@pytest.mark.parametrize("reached", [True, False], ids=["database", "no database"])
def test_no_secret_is_shown(reached: bool, postgres: EmbeddedPostgres) -> None:
    database = postgres.url.replace("://tocsin@", f"://tocsin:{PASSWORD}@") if reached else (
        f"postgresql://tocsin:{PASSWORD}@127.0.0.1:1/tocsin")
    assert PASSWORD in database
    with data_directory() as directory, data_directory() as data:
        with serve(data, config(directory, database, Authority(directory))) as engine:
            answers = talk(engine)
            until(lambda: " store " in engine.said(), "a word of the store")
            engine.tolerate("WARNING|ERROR")
        printed = tocsin("config", "--config", str(data / "engine.toml"))
        log = engine.said()
        assert " DEBUG " in log and b"tocsin_frames_rejected_total" in answers
        assert shown_in(engine.database.encode()) == []
        assert shown_in(log.encode()) == []
        assert shown_in(answers) == []
        assert shown_in((printed.stdout + printed.stderr).encode()) == []
        kept = [path for path in (data / "data").rglob("*") if path.is_file()]
        assert kept
        assert [path for path in kept if shown_in(path.read_bytes())] == []


def test_the_search_finds_what_it_looks_for() -> None:
    for secret in SECRETS:
        assert all(shown_in(b"x " + form + b" y") for form in forms(secret))

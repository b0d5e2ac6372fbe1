"""TLS on real sockets: alarms, certificates that change under open connections, limits, the stop, and bad settings."""
from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from signal import SIGHUP

import pytest

from tests.integration.engine import DEADLINE_S, Engine, data_directory, serve, tocsin, until
from tests.integration.transmitter import Tcp, ack, null, sia
from tests.tls_files import Authority

LIMITS = """
[listen]
handshake_timeout = "1s"
connections_max = 40
"""


def listener(authority: Authority, **more: str) -> str:
    values = {"listen": "127.0.0.1:0", "certificate": str(authority.directory / "server.crt"),
              "private_key": str(authority.directory / "server.key")} | more
    return "[[listener]]\n" + "".join(f'{key} = "{value}"\n' for key, value in values.items())


class Tls(Tcp):
    """A transmitter's connection by TLS."""

    def __init__(self, place: tuple[str, int], authority: Authority, show: tuple[Path, Path] | None = None) -> None:
        super().__init__(place)
        context = ssl.create_default_context(cafile=authority.ca)
        if show:
            context.load_cert_chain(*show)
        self.socket = context.wrap_socket(self.socket, server_hostname=place[0])

    def shown(self, what: str) -> str:
        """Return a part of the engine's certificate."""
        certificate = self.socket.getpeercert()  # type: ignore[attr-defined]
        return str(certificate[what])


@contextmanager
def tls(place: tuple[str, int], authority: Authority, show: tuple[Path, Path] | None = None) -> Iterator[Tls]:
    transmitter = Tls(place, authority, show)
    with transmitter.socket:
        yield transmitter


@pytest.fixture(scope="module")
def authority() -> Iterator[Authority]:
    with data_directory() as directory:
        made = Authority(directory)
        made.issue("server")
        yield made


@pytest.fixture(scope="module")
def engine(authority: Authority) -> Iterator[Engine]:
    second = listener(authority, name="mutual", client_ca=str(authority.ca))
    with data_directory() as data, serve(data, LIMITS + listener(authority) + second) as running:
        yield running


def mutual(engine: Engine) -> tuple[str, int]:
    host, _, port = str(engine.json("/v1/status")["listen"][1]["address"]).rpartition(":")
    return host, int(port)


def test_an_alarm_by_tls_is_stored_and_shown(engine: Engine, authority: Authority) -> None:
    with engine.subscribed() as stream, tls(engine.place, authority) as transmitter:
        assert transmitter.say(null("A001")) == ack("A001")
        assert transmitter.say(sia("A001", "NFA017", 2)) == ack("A001", 2)
        assert stream.event().kind == "raised"
    assert [row["point"] for row in engine.signals("A001")] == ["017"]


def test_the_udp_port_of_a_tls_listener_is_not_bound(engine: Engine) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as panel:
        panel.settimeout(DEADLINE_S)
        panel.connect(engine.place)
        panel.send(null("A002"))
        with pytest.raises(ConnectionRefusedError):
            panel.recv(4096)


def test_many_frames_in_large_records(engine: Engine, authority: Authority) -> None:
    with tls(engine.place, authority) as transmitter:
        transmitter.say(null("A003"))
        frames = [sia("A003", f"NFA{number:03}", number) for number in range(1, 601)]
        transmitter.send(b"".join(frames))
        assert transmitter.replies(600) == [ack("A003", number) for number in range(1, 601)]


def test_certificates_of_transmitters(engine: Engine, authority: Authority) -> None:
    shown = authority.issue("panel", client=True)
    with tls(mutual(engine), authority, shown) as transmitter:
        assert transmitter.say(null("A004")) == ack("A004")
    with engine.counting({'tls_handshakes{result="client_certificate"}': 1}), \
            tls(mutual(engine), authority) as transmitter, pytest.raises(ssl.SSLError):
        transmitter.say(null("A004"))


def test_the_program_sends_by_tls(engine: Engine, authority: Authority) -> None:
    to = f"{engine.place[0]}:{engine.place[1]}"
    sent = tocsin("send", "--to", to, "--account", "A005", "--tls", "--ca", str(authority.ca))
    assert (sent.returncode, sent.stderr) == (0, "")
    assert "ACK  acknowledged" in sent.stdout
    certificate, key = authority.issue("program", client=True)
    both = authority.directory / "program.pem"
    both.write_bytes(certificate.read_bytes() + key.read_bytes())
    host, port = mutual(engine)
    asked = ("send", "--to", f"{host}:{port}", "--account", "A005", "--tls", "--ca", str(authority.ca))
    assert tocsin(*asked, "--certificate", str(both)).returncode == 0
    without = tocsin(*asked)
    assert (without.returncode, "--certificate" in without.stderr) == (1, True)
    untrusted = tocsin("send", "--to", to, "--account", "A005", "--tls")
    assert (untrusted.returncode, "issuer certificate" in untrusted.stderr) == (1, True)
    for wrong in (("--ca", str(authority.ca)), ("--tls", "--transport", "udp"), ("--tls", "--ca", "/nowhere/ca")):
        refused = tocsin("send", "--to", to, "--account", "A005", *wrong)
        assert (refused.returncode, refused.stderr.count("\n")) == (2, 1)


def test_plain_frames_and_silence_are_counted_and_closed(engine: Engine) -> None:
    expected = {'tls_handshakes{result="not_tls"}': 1, 'tls_handshakes{result="timeout"}': 1,
                'connections_closed{reason="handshake"}': 2}
    with engine.counting(expected):
        plain, silent = Tcp(engine.place), Tcp(engine.place)
        with plain.socket, silent.socket:
            plain.send(null("A006"))
            assert null("A006") not in plain.until_closed()
            assert silent.until_closed() == b""


def test_one_source_leaves_places_for_others(engine: Engine, authority: Authority) -> None:
    """It stops at half of the places; another address of the loopback still gets in."""
    until(lambda: engine.metrics()["connections"] == 0, "all gone")
    with engine.counting({'connections_closed{reason="source_share"}': 1, 'shed{what="connection"}': 1,
                          'connections_closed{reason="peer"}': 21}):
        crowd = [Tls(engine.place, authority) for _ in range(20)]
        late = Tcp(engine.place)
        assert late.until_closed() == b""
        other = socket.create_connection(engine.place, DEADLINE_S, source_address=("127.0.0.9", 0))
        context = ssl.create_default_context(cafile=authority.ca)
        with late.socket, context.wrap_socket(other, server_hostname=engine.place[0]) as link:
            link.sendall(null("A007"))
            assert link.recv(4096) == ack("A007")
        for member in crowd:
            assert member.say(null("A008")) == ack("A008")
            member.socket.close()


def test_certificates_change_under_open_connections(authority: Authority) -> None:
    with data_directory() as directory, data_directory() as data:
        own = Authority(directory)
        own.issue("server")
        with serve(data, listener(own)) as engine, tls(engine.place, own) as first:
            assert first.say(null("A001")) == ack("A001")
            own.issue("server")
            engine.process.send_signal(SIGHUP)
            until(lambda: engine.said().count("certificate read") == 2, "the new certificate")
            with tls(engine.place, own) as second:
                assert second.say(null("A002")) == ack("A002")
                assert first.say(null("A001", 2)) == ack("A001", 2)
                serial, end = second.shown("serialNumber"), second.shown("notAfter")
                assert first.shown("serialNumber") != serial
            engine.expect("certificate not replaced, the last good one stays .*private_key = ")
            (directory / "server.key").write_text("nothing")
            engine.process.send_signal(SIGHUP)
            until(lambda: "not replaced" in engine.said(), "the refusal")
            with tls(engine.place, own) as third:
                assert third.say(null("A003")) == ack("A003")
                assert first.say(null("A001", 3)) == ack("A001", 3)
                assert (third.shown("serialNumber"), end) == (serial, third.shown("notAfter"))
            ends = engine.metrics()['tls_certificate_end_timestamp_seconds{listener="default"}']
            assert ends == ssl.cert_time_to_seconds(end)


def test_a_stop_answers_what_is_durable_and_says_goodbye(authority: Authority) -> None:
    with data_directory() as data, serve(data, listener(authority)) as engine, tls(engine.place, authority) as link:
        assert link.say(null("F001")) == ack("F001")
        link.send(b"".join(sia("F001", f"NFA{number}", number) for number in range(1, 401)))
        engine.stop()
        replies = link.until_closed().split(b"\r")[:-1]
        assert [reply + b"\r" for reply in replies] == [ack("F001", number) for number in range(1, len(replies) + 1)]


@pytest.mark.parametrize(("key", "value", "told"), [
    ("certificate", "/nowhere/server.crt", "certificate = '/nowhere/server.crt'"),
    ("private_key", "{ca}", "private_key = '{ca}'"),
    ("client_ca", "/nowhere/ca", "client_ca = '/nowhere/ca'")])
def test_a_certificate_that_cannot_be_is_one_line_and_exit_2(authority: Authority, key: str, value: str,
                                                             told: str) -> None:
    with data_directory() as data:
        (data / "tocsin.toml").write_text(listener(authority, **{key: value.format(ca=authority.ca)}))
        refused = tocsin("serve", "--config", str(data / "tocsin.toml"), "--data", str(data / "data"))
        assert (refused.returncode, refused.stdout, refused.stderr.count("\n")) == (2, "", 1)
        assert told.format(ca=authority.ca) in refused.stderr and "allowed is" in refused.stderr
        assert not (data / "data").exists()

"""Certificates as files say now: new ones for new connections, broken ones never, and one line for each trouble."""
import logging
import os
import ssl

import pytest

from engine.clock import FakeClock
from engine.config import ConfigError, Listener
from engine.configure import load
from engine.listen.certificates import Certificate
from engine.listen.tls import Tls
from tests.tls_files import Authority
from tests.unit.listen_world import SECOND, accepted, heartbeat
from tests.unit.tls_world import Line, listener_of


@pytest.fixture
def own(tmp_path):
    made = Authority(tmp_path)
    made.issue("server")
    return made


def serial(panel):
    return panel.tls.getpeercert()["serialNumber"]


def test_new_files_are_for_new_connections_and_old_ones_go_on(own, caplog):
    caplog.set_level(logging.INFO)
    line = Line(own)
    first = line.call()
    own.issue("server")
    line.certificate.look()
    second = line.call()
    assert serial(first) != serial(second)
    for panel in (first, second):
        panel.send(heartbeat("0001"))
        assert panel.got == accepted(heartbeat("0001"))
    assert [record.message for record in caplog.records] == ["certificate read"] * 2


def test_broken_files_leave_the_last_good_one_and_one_line(own, caplog):
    line = Line(own)
    before = serial(line.call())
    certificate, key = own.directory / "server.crt", own.directory / "server.key"
    old = key.read_bytes()
    own.issue("server")
    new = key.read_bytes()
    key.write_bytes(old)                 # the certificate came before its key
    for _ in range(3):
        line.certificate.look()
    assert [record.message for record in caplog.records] == ["certificate not replaced, the last good one stays"]
    assert "private_key" in caplog.records[0].why and "key of the certificate" in caplog.records[0].why
    assert serial(line.call()) == before
    certificate.rename(own.directory / "away")
    line.certificate.look()
    assert (len(caplog.records), "certificate = " in caplog.records[1].why) == (2, True)
    (own.directory / "away").rename(certificate)
    key.write_bytes(new)
    line.certificate.look()
    assert serial(line.call()) != before


@pytest.mark.parametrize("damage", [
    lambda file: file.unlink(), lambda file: file.write_bytes(b""), lambda file: file.write_bytes(b"\xff\0" * 50),
    lambda file: file.write_bytes(file.read_bytes()[:200]), lambda file: file.chmod(0o604),
    lambda file: (file.unlink(), file.mkdir())])
@pytest.mark.parametrize("name", ["server.crt", "server.key", "ca.pem"])
def test_nothing_that_a_file_becomes_is_raised(own, name, damage):
    certificate = Certificate(listener_of(own, client_ca=str(own.ca)), FakeClock())
    before = certificate.context
    damage(own.directory / name)
    certificate.look()
    certificate.look(asked=True)
    assert certificate.context is before


def test_asked_it_says_what_it_found_in_any_case(own, caplog):
    caplog.set_level(logging.INFO)
    certificate = Certificate(listener_of(own), FakeClock())
    certificate.look(asked=True)
    (own.directory / "server.key").write_text("no key")
    certificate.look(asked=True)
    certificate.look(asked=True)
    assert [record.message for record in caplog.records] == [
        "certificate read", "certificate unchanged", *["certificate not replaced, the last good one stays"] * 2]


def test_the_files_are_looked_at_once_a_minute(own):
    config = load(config_file(own))
    clock = FakeClock(monotonic_ns=5 * SECOND)
    tls = Tls(config, clock)
    before = tls.certificates["default"].context
    own.issue("server")
    for _ in range(59):
        clock.advance(SECOND)
        tls.sweep()
    assert tls.certificates["default"].context is before
    clock.advance(SECOND)
    tls.sweep()
    assert tls.certificates["default"].context is not before


def test_an_ended_certificate_is_told_and_used(own, caplog):
    own.issue("old", days=-1)
    clock = FakeClock()
    clock.jump(3650 * 86400 * SECOND)
    certificate = Certificate(listener_of(own, "old"), clock)
    assert [record.message for record in caplog.records] == ["certificate has ended"]
    assert 0 < certificate.not_after_s < clock.wall_ns() / SECOND


def config_file(own, **values):
    entries = {"listen": "127.0.0.1:0", "certificate": own.directory / "server.crt",
               "private_key": own.directory / "server.key"} | values
    file = own.directory / "tocsin.toml"
    file.write_text("[[listener]]\n" + "".join(f'{key} = "{value}"\n' for key, value in entries.items() if value))
    return str(file)


@pytest.mark.parametrize(("values", "named"), [
    ({"certificate": "/nowhere/c"}, ["certificate = '/nowhere/c'", "readable"]),
    ({"private_key": "/nowhere/k"}, ["private_key = '/nowhere/k'", "readable"]),
    ({"client_ca": "/nowhere/a"}, ["client_ca = '/nowhere/a'", "readable"]),
    ({"certificate": "{server}.key"}, ["certificate = ", "server.key", "CERTIFICATE"]),
    ({"private_key": "{server}.crt"}, ["private_key = ", "server.crt", "PRIVATE KEY"]),
    ({"private_key": ""}, ["certificate = ", "server.crt"]),
    ({"private_key": "{server}2.key"}, ["private_key = ", "the key of the certificate"]),
    ({"private_key": "{server}3.key", "certificate": "{server}3.crt"}, ["private_key = ", "without a password"]),
    ({"private_key": "{server}4.key", "certificate": "{server}4.crt"}, ["private_key = ", "closed to others"]),
    ({"private_key": "", "certificate": "{server}6.crt"}, ["certificate = ", "closed to others"]),
    ({"certificate": "{server}5.crt"}, ["OpenSSL"]),
    ({"client_ca": "{server}5.crt"}, ["client_ca = ", "server5.crt"]),
])
def test_files_that_cannot_be_used_are_one_line(own, values, named):
    own.issue("server2")
    own.issue("server3", password="geheim")
    own.issue("server4")
    os.chmod(own.directory / "server4.key", 0o644)
    (own.directory / "server5.crt").write_text("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
    (own.directory / "server6.crt").write_bytes((own.directory / "server.crt").read_bytes()
                                                + (own.directory / "server.key").read_bytes())
    values = {key: value.format(server=own.directory / "server") for key, value in values.items()}
    with pytest.raises(ConfigError) as caught:
        Tls(load(config_file(own, **values)), FakeClock())
    message = str(caught.value)
    assert all(part in message for part in [*named, "allowed is", "listener default"]) and "\n" not in message, message


def test_certificate_and_key_in_one_file(own):
    both = own.directory / "both.pem"
    both.touch(0o600)
    both.write_bytes((own.directory / "server.crt").read_bytes() + (own.directory / "server.key").read_bytes())
    line = Line(own, listener=Listener(certificate=str(both)))
    panel = line.call()
    panel.send(heartbeat("0001"))
    assert panel.got == accepted(heartbeat("0001"))


def test_a_ca_that_was_taken_away_lets_nobody_in_again_by_a_ticket(tmp_path):
    ours, other = Authority(tmp_path), Authority(tmp_path, "other-ca")
    ours.issue("server")
    ours.issue("panel", client=True)
    file = tmp_path / "clients.pem"
    file.write_bytes(ours.ca.read_bytes())
    line = Line(ours, listener=listener_of(ours, client_ca=str(file)))
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        panel = line.call(show="panel", version=version)
        panel.send(heartbeat("0001"))
        file.write_bytes(other.ca.read_bytes())
        line.certificate.look()
        again = line.call(begin=False, show="panel", version=version)
        again.tls = panel.tls.context.wrap_bio(again.incoming, again.outgoing, server_hostname="127.0.0.1",
                                               session=panel.tls.session)
        again.shake()
        assert line.handshakes["client_certificate"] == 1
        line.gate.handshakes.clear()
        panel.send(heartbeat("0002"))    # who is in stays
        assert panel.got.endswith(accepted(heartbeat("0002")))
        file.write_bytes(ours.ca.read_bytes())
        line.certificate.look()

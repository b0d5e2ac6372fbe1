"""Inherited sockets: which is whose, and what is refused."""
import os
import socket as sockets
from contextlib import ExitStack

import pytest

from engine.config import ConfigError
from engine.configure import load
from engine.listen.doors import Doors
from engine.listen.inherited import Given, Inherited, adopt, all_wanted, from_environment


@pytest.fixture
def stack():
    with ExitStack() as opened:
        yield opened


def bound(stack, kind, host="127.0.0.1", port=0):
    family = sockets.AF_INET6 if ":" in host else sockets.AF_INET
    one = stack.enter_context(sockets.socket(family, kind))
    one.bind((host, port))
    if kind == sockets.SOCK_STREAM:
        one.listen()
    return one


def port_of(one):
    return one.getsockname()[1]


def test_kind_and_address_decide(stack):
    tcp, other = bound(stack, sockets.SOCK_STREAM), bound(stack, sockets.SOCK_STREAM)
    udp = bound(stack, sockets.SOCK_DGRAM, port=port_of(tcp))
    inherited = Inherited([Given("x", other), Given("x", udp), Given("x", tcp)])
    assert inherited.take(sockets.SOCK_DGRAM, "127.0.0.1", port_of(other), "default") is None
    assert inherited.take(sockets.SOCK_STREAM, "0.0.0.0", port_of(tcp), "default") is None
    assert inherited.take(sockets.SOCK_STREAM, "127.0.0.1", port_of(tcp), "default") is tcp
    assert inherited.take(sockets.SOCK_STREAM, "127.0.0.1", port_of(tcp), "default") is None, "each is taken once"
    assert inherited.take(sockets.SOCK_DGRAM, "localhost", port_of(tcp), "default") in (udp, None)
    assert inherited.take(sockets.SOCK_STREAM, "127.0.0.1", port_of(other), "default") is other


@pytest.mark.parametrize("host", ["::1", "::"])
def test_addresses_of_ipv6(stack, host):
    tcp = bound(stack, sockets.SOCK_STREAM, host)
    assert Inherited([Given("", tcp)]).take(sockets.SOCK_STREAM, host, port_of(tcp), "") is tcp
    assert Given("", tcp).shown == f"TCP [{host}]:{port_of(tcp)}"


def test_port_zero_means_the_one_of_the_same_name(stack):
    tcp = bound(stack, sockets.SOCK_STREAM)
    inherited = Inherited([Given("north", tcp)])
    assert inherited.take(sockets.SOCK_STREAM, "127.0.0.1", 0, "south") is None
    assert inherited.take(sockets.SOCK_STREAM, "127.0.0.1", 0, "north") is tcp


def config_at(tcp, http=0):
    return load(None, {}, {"listen": f"127.0.0.1:{port_of(tcp)}", "http": f"127.0.0.1:{http}"})


def test_doors_take_what_is_there_and_bind_the_rest(stack):
    tcp = bound(stack, sockets.SOCK_STREAM)
    doors = Doors(config_at(tcp))
    stack.callback(doors.close)
    doors.open(Inherited([Given("", tcp)]))
    [(listener, [udp], found)] = doors.pairs
    assert (listener.name, found, port_of(udp)) == ("default", tcp, port_of(tcp))
    assert udp.getsockopt(sockets.SOL_SOCKET, sockets.SO_RCVBUF) > 65536
    assert [one.name for one in doors.given()] == ["default", "default", "http"]
    before = doors.given()
    doors.open(Inherited())
    assert doors.given() == before, "a second opening changes nothing"


def test_doors_bind_tcp_beside_an_inherited_udp_socket(stack):
    udp = bound(stack, sockets.SOCK_DGRAM)
    doors = Doors(config_at(udp))
    stack.callback(doors.close)
    doors.open(Inherited([Given("", udp)]))
    assert doors.pairs[0][1] == [udp]
    sockets.create_connection(("127.0.0.1", port_of(udp))).close()       # it listens already


def test_a_socket_that_nobody_wants_is_named_and_closed(stack):
    tcp, other = bound(stack, sockets.SOCK_STREAM), bound(stack, sockets.SOCK_STREAM)
    wanted, unwanted = port_of(tcp), port_of(other)
    with pytest.raises(ConfigError) as error:
        all_wanted(Inherited([Given("", tcp), Given("", other)]), config_at(tcp))
    assert f"socket TCP 127.0.0.1:{unwanted}: " in str(error.value)
    assert f"UDP 127.0.0.1:{wanted}" in str(error.value) and "\n" not in str(error.value)
    assert other.fileno() == tcp.fileno() == -1


def test_all_that_are_wanted_stay(stack):
    tcp, http = bound(stack, sockets.SOCK_STREAM), bound(stack, sockets.SOCK_STREAM)
    inherited = Inherited([Given("", http), Given("", tcp)])
    all_wanted(inherited, config_at(tcp, port_of(http)))
    assert len(inherited.given) == 2


@pytest.mark.parametrize(("variables", "taken"), [
    ({}, 0), ({"LISTEN_PID": "7", "LISTEN_FDS": "2"}, 0), ({"LISTEN_PID": "8"}, 0), ({"LISTEN_FDS": "2"}, 0)])
def test_variables_for_another_process_mean_nothing_and_go(variables, taken):
    environment = {"PATH": "/bin", "LISTEN_FDNAMES": "a:b", **variables}
    assert len(from_environment(environment, 8).given) == taken
    assert environment == {"PATH": "/bin"}


@pytest.mark.parametrize("count", ["x", "-1", "1025", "99999"])
def test_a_count_that_is_none(count):
    with pytest.raises(ConfigError, match="LISTEN_FDS"):
        from_environment({"LISTEN_PID": "8", "LISTEN_FDS": count}, 8)


def test_an_adopted_socket_is_ours(stack):
    descriptor = os.dup(bound(stack, sockets.SOCK_STREAM).fileno())
    os.set_inheritable(descriptor, True)
    with adopt(descriptor) as found:
        assert not found.getblocking()
        assert not os.get_inheritable(descriptor)


def test_what_is_no_listening_socket_is_refused(stack):
    deaf = stack.enter_context(sockets.socket())
    unix = stack.enter_context(sockets.socket(sockets.AF_UNIX))
    with open(os.devnull) as file:
        for descriptor in (deaf.fileno(), unix.fileno(), file.fileno()):
            with pytest.raises(ConfigError, match=f"inherited descriptor {descriptor}: "):
                adopt(descriptor)
            os.fstat(descriptor)         # it is still open: its owner closes it

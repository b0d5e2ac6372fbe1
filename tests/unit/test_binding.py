"""The sockets of a listener: one port for UDP and TCP, and errors that name the address."""
import errno
import socket as sockets

import pytest

from engine.listen.binding import open_sockets


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0", "::1", "::", "localhost"])
def test_one_free_port_for_both(host):
    udp, tcp = open_sockets(host, 0, 65536)
    try:
        assert udp.getsockname()[1] == tcp.getsockname()[1] != 0
        assert udp.getsockname()[0] == tcp.getsockname()[0]
        assert (udp.type, tcp.type) == (sockets.SOCK_DGRAM, sockets.SOCK_STREAM)
        assert not udp.getblocking()
        assert not tcp.getblocking()
    finally:
        udp.close()
        tcp.close()


@pytest.mark.parametrize("taken", [sockets.SOCK_DGRAM, sockets.SOCK_STREAM])
def test_a_port_that_is_taken_is_named(taken):
    with sockets.socket(sockets.AF_INET, taken) as other:
        other.bind(("127.0.0.1", 0))
        if taken == sockets.SOCK_STREAM:
            other.listen()
        port = other.getsockname()[1]
        kind = "UDP" if taken == sockets.SOCK_DGRAM else "TCP"
        with pytest.raises(OSError, match=rf"cannot listen on 127\.0\.0\.1:{port} \({kind}\)") as error:
            open_sockets("127.0.0.1", port, 65536)
        assert error.value.errno == errno.EADDRINUSE


def test_an_address_of_another_machine_is_refused():
    with pytest.raises(OSError, match=r"192\.0\.2\.1:0"):
        open_sockets("192.0.2.1", 0, 65536)


def test_the_receive_buffer_is_asked_for():
    udp, tcp = open_sockets("127.0.0.1", 0, 131072)
    with udp, tcp:
        assert udp.getsockopt(sockets.SOL_SOCKET, sockets.SO_RCVBUF) >= 131072


def test_all_addresses_of_both_families():
    udp, tcp = open_sockets("::", 0, 65536)
    with udp, tcp, sockets.socket(sockets.AF_INET, sockets.SOCK_DGRAM) as panel:
        panel.sendto(b"x", ("127.0.0.1", udp.getsockname()[1]))
        data, peer = udp.recvfrom(10)
        assert (data, peer[0]) == (b"x", "::ffff:127.0.0.1")

"""Sockets of a listener: one port for UDP and TCP."""
import contextlib
import socket as sockets

SO_RCVBUFFORCE = 33              # beyond the machine's limit, where the engine may
PORT_TRIES = 16


def open_sockets(host: str, port: int, receive_buffer_bytes: int,
                 datagrams: bool = True) -> tuple[sockets.socket | None, sockets.socket]:
    """Bind the same port for UDP and for TCP; port 0 takes one that is free for both.

    host       an address or a name;  receive_buffer_bytes  the kernel's buffer of the UDP socket
    datagrams  False: TCP alone, as a listener with TLS has it
    Returns    (UDP socket or None, TCP socket), both non-blocking
    Raises     OSError, which names the address
    """
    family, _, _, _, address = sockets.getaddrinfo(host, port, type=sockets.SOCK_STREAM, flags=sockets.AI_PASSIVE)[0]
    for attempt in range(PORT_TRIES):
        tcp = bind(family, sockets.SOCK_STREAM, address)
        if not datagrams:
            return None, tcp
        try:
            udp = bind(family, sockets.SOCK_DGRAM, (address[0], tcp.getsockname()[1], *address[2:]))
        except OSError:
            tcp.close()
            if port or attempt == PORT_TRIES - 1:
                raise
            continue
        widen(udp, receive_buffer_bytes)
        return udp, tcp
    raise AssertionError("unreachable")


def bind(family: int, kind: int, address: tuple[object, ...]) -> sockets.socket:
    bound = sockets.socket(family, kind)
    try:
        bound.setblocking(False)
        if kind == sockets.SOCK_STREAM:
            bound.setsockopt(sockets.SOL_SOCKET, sockets.SO_REUSEADDR, 1)
        if family == sockets.AF_INET6:
            bound.setsockopt(sockets.IPPROTO_IPV6, sockets.IPV6_V6ONLY, 0 if address[0] == "::" else 1)
        bound.bind(address)
    except OSError as error:
        bound.close()
        name = "TCP" if kind == sockets.SOCK_STREAM else "UDP"
        raise OSError(error.errno, f"cannot listen on {address[0]}:{address[1]} ({name}): {error.strerror}") from None
    return bound


def widen(udp: sockets.socket, receive_buffer_bytes: int) -> None:
    """Ask for a large receive buffer: what arrives during a stall waits there instead of being lost."""
    udp.setsockopt(sockets.SOL_SOCKET, sockets.SO_RCVBUF, receive_buffer_bytes)
    if udp.getsockopt(sockets.SOL_SOCKET, sockets.SO_RCVBUF) < receive_buffer_bytes:
        with contextlib.suppress(OSError):
            udp.setsockopt(sockets.SOL_SOCKET, SO_RCVBUFFORCE, receive_buffer_bytes)

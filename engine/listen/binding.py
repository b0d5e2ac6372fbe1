"""Sockets of a listener: one port for UDP and TCP, inherited or bound here."""
import contextlib
import socket as sockets

SO_RCVBUFFORCE = 33              # beyond the machine's limit, where the engine may
PORT_TRIES = 16
BACKLOG = 4096                   # connections that wait to be taken; the kernel's own limit may be lower


def resolve(host: str, port: int) -> tuple[int, tuple[object, ...]]:
    """Return the family and the address to bind. Raises OSError."""
    family, _, _, _, address = sockets.getaddrinfo(host, port, type=sockets.SOCK_STREAM, flags=sockets.AI_PASSIVE)[0]
    return family, address


def open_sockets(host: str, port: int, receive_buffer_bytes: int, datagrams: bool = True,
                 udp: sockets.socket | None = None, tcp: sockets.socket | None = None, *,
                 shared: bool = False) -> tuple[sockets.socket | None, sockets.socket]:
    """Bind the same port for UDP and for TCP, and listen; port 0 takes one that is free for both.

    host       an address or a name;  receive_buffer_bytes  the kernel's buffer of the UDP socket
    datagrams  False: TCP alone, as a listener with TLS has it
    udp, tcp   what was inherited; it is used as it is
    shared     more UDP sockets are to be bound there; TCP, which is bound first, still keeps other engines out
    Returns    (UDP socket or None, TCP socket), both non-blocking
    Raises     OSError, which names the address
    """
    family, address = resolve(host, port)
    for attempt in range(PORT_TRIES):
        given = udp or tcp
        if given is not None:
            address = (address[0], given.getsockname()[1], *address[2:])
        stream = tcp or bind(family, sockets.SOCK_STREAM, address)
        there = udp
        try:
            if datagrams and there is None:
                there = bind(family, sockets.SOCK_DGRAM, (address[0], stream.getsockname()[1], *address[2:]),
                             shared=shared)
        except OSError:
            if stream is not tcp:
                stream.close()
            if address[1] or attempt == PORT_TRIES - 1:
                raise
            continue
        if there is not None:
            widen(there, receive_buffer_bytes)
        stream.listen(BACKLOG)
        return there, stream
    raise AssertionError("unreachable")


def open_beside(udp: sockets.socket, receive_buffer_bytes: int) -> sockets.socket:
    """Bind one more UDP socket where a shared one is. Raises OSError, which names the address.

    The kernel gives each sender's datagrams to one of the sockets; to which one changes with their number.
    """
    beside = bind(udp.family, sockets.SOCK_DGRAM, udp.getsockname(), shared=True)
    widen(beside, receive_buffer_bytes)
    return beside


def open_http(host: str, port: int) -> sockets.socket:
    """Bind for HTTP. Raises OSError, which names the address."""
    family, address = resolve(host, port)
    return bind(family, sockets.SOCK_STREAM, address, "HTTP")


def bind(family: int, kind: int, address: tuple[object, ...], name: str = "", *,
         shared: bool = False) -> sockets.socket:
    bound = sockets.socket(family, kind)
    try:
        bound.setblocking(False)
        if kind == sockets.SOCK_STREAM:
            bound.setsockopt(sockets.SOL_SOCKET, sockets.SO_REUSEADDR, 1)
        if shared:
            bound.setsockopt(sockets.SOL_SOCKET, sockets.SO_REUSEPORT, 1)
        if family == sockets.AF_INET6:
            bound.setsockopt(sockets.IPPROTO_IPV6, sockets.IPV6_V6ONLY, 0 if address[0] == "::" else 1)
        bound.bind(address)
    except OSError as error:
        bound.close()
        name = name or ("TCP" if kind == sockets.SOCK_STREAM else "UDP")
        raise OSError(error.errno, f"cannot listen on {address[0]}:{address[1]} ({name}): {error.strerror}") from None
    return bound


def widen(udp: sockets.socket, receive_buffer_bytes: int) -> None:
    """Ask for a large receive buffer: what arrives during a stall waits there instead of being lost."""
    udp.setsockopt(sockets.SOL_SOCKET, sockets.SO_RCVBUF, receive_buffer_bytes)
    if udp.getsockopt(sockets.SOL_SOCKET, sockets.SO_RCVBUF) < receive_buffer_bytes:
        with contextlib.suppress(OSError):
            udp.setsockopt(sockets.SOL_SOCKET, SO_RCVBUFFORCE, receive_buffer_bytes)

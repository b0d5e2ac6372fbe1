"""The sockets of a fleet: opened, opened again when they break, and asked what they dropped."""

import contextlib
import resource
import socket
import struct
from collections.abc import Iterator

from loadgen.plan import Plan

UDP_BUFFER_BYTES = 4 << 20
SO_MEMINFO = 55  # linux/sock_diag.h: nine 32-bit numbers, the last one counts drops
MEMINFO = struct.Struct("9I")
CONNECT_TIMEOUT_S = 5.0
DESCRIPTORS_SPARE = 64


def open_links(plan: Plan) -> list[socket.socket]:
    """Open the plan's sockets, connected and non-blocking.

    Raises  OSError when the receiver cannot be reached or there are not enough file descriptors
    """
    raise_descriptors(plan.links)
    links: list[socket.socket] = []
    try:
        for _ in range(plan.links):
            links.append(open_link(plan))
    except OSError:
        for link in links:
            link.close()
        raise
    return links


def open_link(plan: Plan) -> socket.socket:
    """Open one socket of the plan."""
    if plan.transport == "tcp":
        link = socket.create_connection((plan.host, plan.port), CONNECT_TIMEOUT_S)
        link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    else:
        family, kind, _, _, where = socket.getaddrinfo(plan.host, plan.port, type=socket.SOCK_DGRAM)[0]
        link = socket.socket(family, kind)
        room = UDP_BUFFER_BYTES if plan.replies else 0  # 0: the kernel throws replies away, all but the first few
        link.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, room)
        link.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, UDP_BUFFER_BYTES)
        link.connect(where)
    link.setblocking(False)
    return link


def reopen(plan: Plan, broken: socket.socket) -> socket.socket:
    """Replace a broken TCP connection by one that is being opened; whether it comes up shows when it is written to."""
    family, where = broken.family, (plan.host, plan.port)
    broken.close()
    link = socket.socket(family, socket.SOCK_STREAM)
    link.setblocking(False)
    link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    with contextlib.suppress(OSError):
        link.connect(where)
    return link


def drops(links: list[socket.socket]) -> int:
    """Return how many datagrams the sockets had no room for."""
    return sum(MEMINFO.unpack(link.getsockopt(socket.SOL_SOCKET, SO_MEMINFO, MEMINFO.size))[8] for link in links)


def raise_descriptors(wanted: int) -> None:
    """Raise the soft limit of open files as far as the hard one allows."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = wanted + DESCRIPTORS_SPARE
    if soft != resource.RLIM_INFINITY and soft < needed:
        allowed = needed if hard == resource.RLIM_INFINITY else min(hard, needed)
        resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))


@contextlib.contextmanager
def opened(plan: Plan) -> Iterator[list[socket.socket]]:
    """Open the plan's sockets for a while; what is in the list at the end is closed."""
    links = open_links(plan)
    try:
        yield links
    finally:
        for link in links:
            link.close()

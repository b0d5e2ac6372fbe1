"""`tocsin send`: one DC-09 frame by hand, and what came back."""

import argparse
import re
import socket
import sys
import time

from loadgen.clock import monotonic_ns, wall_ns
from loadgen.dc09_client import ReplyKind, frame, frame_bytes, reply_of
from loadgen.plan import address

EVENTS = {  # DC-03 codes; None is a frame that carries no signal
    "fire": "FA",
    "restore": "FH",
    "trouble": "FT",
    "trouble-restore": "FJ",
    "supervisory": "FS",
    "gas": "GA",
    "disable": "FB",
    "enable": "FU",
    "mains": "AT",
    "mains-restore": "AR",
    "battery": "YT",
    "battery-restore": "YR",
    "test": "RX",
    "heartbeat": None,
}
MEANINGS = {
    "ACK": "acknowledged: what it carried is safe",
    "RSP": "acknowledged, with data for the transmitter",
    "DUH": "received, but not understood",
    "NAK": "refused: the stamp is outside the receiver's window; its own time follows",
}
REPLY = re.compile(
    rb'"(?P<token>[^"]+)"(?P<sequence>\d{4})(?:R(?P<receiver>[0-9A-Fa-f]+))?(?:L(?P<line>[0-9A-Fa-f]+))?'
    rb"(?:#(?P<account>[0-9A-Fa-f]+))?\[(?P<data>[^\]]*)\](?:.*?_(?P<timestamp>\d\d:\d\d:\d\d,\d\d-\d\d-\d{4}))?"
)
ACCOUNT = re.compile(r"[0-9A-Fa-f]{3,16}")
SEQUENCE_MAX = 9999
ZONE_MAX = 9999
TIMEOUT_S = 5.0
REPLY_BYTES_MAX = 4106


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `tocsin send`."""
    add = parser.add_argument
    add("--to", default="127.0.0.1:10914", metavar="HOST:PORT", help="the receiver (%(default)s)")
    add("--account", required=True, metavar="HEX", help="the transmitter's account, 3 to 16 hex digits")
    add("--event", choices=tuple(EVENTS), default="fire", help="what it reports (%(default)s)")
    add("--zone", type=int, default=1, metavar="N", help="where, 0 to 9999 (%(default)s)")
    add("--code", metavar="DATA", help="raw data in place of --event and --zone, as NFA001")
    add("--text", metavar="TEXT", help="text that goes with the event")
    add("--protocol", choices=("dc09",), default="dc09", help="(%(default)s)")
    add("--transport", choices=("udp", "tcp"), default="udp", help="(%(default)s)")
    add("--sequence", type=int, metavar="N", help="1 to 9999 (from the clock, so that two calls differ)")
    add("--timeout", type=float, default=TIMEOUT_S, metavar="SECONDS", help="how long to wait (%(default)s)")


def build(args: argparse.Namespace, now_ns: int) -> bytes:
    """Return the frame that the arguments ask for, stamped `now_ns`.

    Raises  ValueError with a line that names the argument
    """
    if not ACCOUNT.fullmatch(args.account):
        raise ValueError(f"--account {args.account!r}: 3 to 16 hex digits are allowed")
    if args.sequence is not None and not 1 <= args.sequence <= SEQUENCE_MAX:
        raise ValueError(f"--sequence {args.sequence}: 1 to {SEQUENCE_MAX} is allowed")
    if not 0 <= args.zone <= ZONE_MAX:
        raise ValueError(f"--zone {args.zone}: 0 to {ZONE_MAX} is allowed")
    if not args.timeout > 0:
        raise ValueError(f"--timeout {args.timeout}: more than 0 is allowed")
    text = args.text or ""
    if "^" in text or any(mark in text + (args.code or "") for mark in "[]\r\n"):
        raise ValueError("--text and --code: no brackets, line ends, and no ^ in the text")
    account = args.account.upper()
    sequence = args.sequence or now_ns // 1_000_000 % SEQUENCE_MAX + 1
    stamp = time.strftime("_%H:%M:%S,%m-%d-%Y", time.gmtime(now_ns // 1_000_000_000))
    code = args.code or (f"N{EVENTS[args.event]}{args.zone:03d}" if EVENTS[args.event] else None)
    if code is None:
        return frame(f'"NULL"{sequence:04d}L0#{account}[]{stamp}'.encode())
    text = f"^{text}^" if text else ""
    return frame(f'"SIA-DCS"{sequence:04d}L0#{account}[#{account}|{code}{text}]{stamp}'.encode())


def ask(host: str, port: int, transport: str, data: bytes, timeout_s: float) -> bytes:
    """Send one frame and return the bytes that come back.

    Raises  OSError; TimeoutError when nothing came in time; ConnectionResetError when the receiver hung up
    """
    if transport == "udp":
        family, kind, _, _, where = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)[0]
        with socket.socket(family, kind) as link:
            link.settimeout(timeout_s)
            link.connect(where)
            link.send(data)
            return link.recv(REPLY_BYTES_MAX)
    with socket.create_connection((host, port), timeout_s) as link:
        link.sendall(data)
        return read_frame(link, timeout_s)


def read_frame(link: socket.socket, timeout_s: float) -> bytes:
    """Read one frame from a connection; `timeout_s` is for all of it."""
    end = monotonic_ns() + round(timeout_s * 1e9)
    got = b""
    while frame_bytes(got) == 0 or not got:
        link.settimeout(max(0.001, (end - monotonic_ns()) / 1e9))
        part = link.recv(REPLY_BYTES_MAX)
        if not part:
            raise ConnectionResetError("the receiver closed the connection without a reply")
        got += part
    size = frame_bytes(got)
    return got[:size] if size > 1 else got


def describe(reply: bytes) -> str | None:
    """Return a reply in words, None when it is none."""
    found = REPLY.search(reply)
    if reply_of(reply)[0] == ReplyKind.REPLY_NONE or found is None:
        return None
    fields = {name: value.decode("latin-1") for name, value in found.groupdict().items() if value}
    token = fields.pop("token")
    rest = "  ".join(f"{name} {value}" for name, value in fields.items())
    return f"{token}  {MEANINGS.get(token, '')}\n          {rest}"


def why_silent(args: argparse.Namespace) -> str:
    """Return what to look at when no reply came."""
    return (
        f"no reply from {args.to} by {args.transport} within {args.timeout:g} s. Check that `tocsin serve` runs and "
        f"listens there (curl http://127.0.0.1:8914/readyz), that nothing between drops {args.transport.upper()}, "
        "and /v1/rejected for the reason if the frame was refused in silence (unknown account, clock, disk full)."
    )


def run(args: argparse.Namespace) -> int:
    """Send the frame and print what came; return 0 with a good reply, 1 without one, 2 for usage."""
    try:
        data = build(args, wall_ns())
        host, port = address(args.to)
    except ValueError as error:
        sys.stderr.write(f"tocsin send: {error}\n")
        return 2
    sys.stdout.write(f"sent      {data.decode('latin-1').strip()}\n")
    began = monotonic_ns()
    try:
        reply = ask(host, port, args.transport, data, args.timeout)
    except TimeoutError:
        sys.stderr.write(f"tocsin send: {why_silent(args)}\n")
        return 1
    except OSError as error:
        sys.stderr.write(f"tocsin send: {args.to} by {args.transport}: {error.strerror or error}. "
                         "Check that `tocsin serve` runs and listens there.\n")
        return 1
    took_ms = (monotonic_ns() - began) / 1e6
    sys.stdout.write(f"received  {reply.decode('latin-1').strip()}\n")
    words = describe(reply)
    if words is None:
        sys.stderr.write("tocsin send: that is no DC-09 reply; does another program listen there?\n")
        return 1
    sys.stdout.write(f"reply     {words}\ntook      {took_ms:.2f} ms\n")
    return 1 if words.startswith(("NAK", "DUH")) else 0

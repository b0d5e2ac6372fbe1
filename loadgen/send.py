"""`tocsin send`: one frame by hand, right or wrong on purpose, and what came back."""

import argparse
import re
import socket
import ssl
import sys
import time
from pathlib import Path

from loadgen import frames, tocsin
from loadgen.clock import monotonic_ns, wall_ns
from loadgen.frames import EVENTS, Message, describe, frame_bytes, shown
from loadgen.misbehaviour import SLOW_PAUSE_S, cut, spoil_checksum
from loadgen.plan import address
from loadgen.shapes import PROTOCOLS

ACCOUNT = re.compile(r"[0-9A-Fa-f]{3,16}")
CLOCK = re.compile(r"clock=([+-]?\d{1,6})([smhd])")
UNITS_S = {"s": 1, "m": 60, "h": 3600, "d": 86400}
MISBEHAVIOUR = ("crc", "key", "cut", "coalesce", "replay", "slow")
TWICE = ("coalesce", "replay")
KEY_BYTES = (16, 24, 32)
NAMES = {"dc09": "DC-09", "gbt26875": "GB/T 26875.3", "tocsin": "Tocsin profile"}
SEQUENCE_MAX = 9999
ZONE_MAX = 9999
SOURCE_MAX = (1 << 48) - 1
TIMEOUT_S = 5.0
REPLY_BYTES_MAX = 4106
SILENT = {  # what the frame was made to be -> why nobody answers
    "crc": "A wrong checksum is answered by silence: who sent it cannot be known, and a sound transmitter repeats.",
    "key": "What a receiver cannot decrypt it may answer with silence.",
    "cut": "A frame without its end is waited for, and dropped with its connection or datagram.",
    "clock": "A receiver may refuse a stamp outside its window without a word.",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `tocsin send`."""
    add = parser.add_argument
    add("--to", default="127.0.0.1:10914", metavar="HOST:PORT", help="the receiver (%(default)s)")
    add("--account", required=True,
        help="the transmitter's account: 3 to 16 hex digits; of gbt26875 a decimal number; of tocsin the key id")
    add("--event", choices=tuple(EVENTS), default="fire",
        help="what it reports (%(default)s); of gbt26875 a status word, 0 for each restore")
    add("--zone", type=int, default=1, metavar="N", help="where, 0 to 9999; of gbt26875 the component (%(default)s)")
    add("--code", metavar="DATA", help="raw DC-09 data in place of --event and --zone, as NFA001")
    add("--text", metavar="TEXT", help="text that goes with the event")
    add("--protocol", choices=PROTOCOLS, default="dc09", help="(%(default)s)")
    add("--system", type=int, default=1, metavar="N", help="type of the gbt26875 system, 0 to 255 (%(default)s)")
    add("--key", metavar="KEY",
        help="encrypt (dc09): 32, 48 or 64 hex digits, or 16, 24 or 32 ASCII characters; of tocsin, which needs it, 64 "
        "hex digits or 32 characters")
    add("--key-file", type=Path, metavar="FILE", help="the same from a file, which no list of processes shows")
    add("--misbehave", metavar="HOW",
        help=f"be wrong on purpose: {', '.join(MISBEHAVIOUR)}, or the stamp off by clock=-2h (s, m, h, d)")
    add("--transport", choices=("udp", "tcp"), default=None, help="(udp; with --tls tcp)")
    add("--tls", action="store_true", help="by TLS, over TCP; the receiver's certificate must be for its HOST")
    add("--ca", type=Path, metavar="FILE", help="whose certificates to trust, PEM (what the machine trusts)")
    add("--certificate", type=Path, metavar="FILE", help="what to show a receiver that asks: certificate and key, PEM")
    add("--sequence", type=int, metavar="N",
        help="1 to 9999 (from the clock, so that two calls differ); of tocsin the counter (the seconds since 1970)")
    add("--timeout", type=float, default=TIMEOUT_S, metavar="SECONDS", help="how long to wait (%(default)s)")


def read_key(args: argparse.Namespace) -> bytes | None:
    """Return the key that the arguments name, None for a frame in clear.

    Raises  ValueError with a line that names the argument, never the key; OSError
    """
    if args.key and args.key_file:
        raise ValueError("--key and --key-file: one of them is allowed")
    text = args.key_file.read_text(encoding="ascii").strip() if args.key_file else args.key
    if not text:
        return None
    if re.fullmatch(r"[0-9A-Fa-f]{32}|[0-9A-Fa-f]{48}|[0-9A-Fa-f]{64}", text):
        key = bytes.fromhex(text)  # 32 hex digits are also 32 characters: hex goes first
    elif text.isascii():
        key = text.encode()
    else:
        key = b""
    if len(key) not in KEY_BYTES:
        raise ValueError("--key: 32, 48 or 64 hex digits, or 16, 24 or 32 ASCII characters are allowed")
    return key


def clock_off_s(misbehave: str | None) -> int:
    """Return by how many s the stamp is to be off."""
    found = CLOCK.fullmatch(misbehave or "")
    return int(found[1]) * UNITS_S[found[2]] if found else 0


def check(args: argparse.Namespace) -> None:
    """Raises  ValueError with a line that names the argument"""
    gbt = args.protocol == "gbt26875"
    if args.protocol == "tocsin":
        check_tocsin(args)
    elif gbt:
        if not args.account.isascii() or not args.account.isdigit() or int(args.account) > SOURCE_MAX:
            raise ValueError(f"--account {args.account!r}: a decimal number of 48 bits is wanted")
        if args.code or args.key or args.key_file:
            raise ValueError("--code and --key are for --protocol dc09")
    elif not ACCOUNT.fullmatch(args.account):
        raise ValueError(f"--account {args.account!r}: 3 to 16 hex digits are allowed")
    highest = sequence_max(args)
    if args.sequence is not None and not 1 <= args.sequence <= highest:
        raise ValueError(f"--sequence {args.sequence}: 1 to {highest} is allowed")
    if not 0 <= args.zone <= ZONE_MAX:
        raise ValueError(f"--zone {args.zone}: 0 to {ZONE_MAX} is allowed")
    if not 0 <= args.system <= 255:
        raise ValueError(f"--system {args.system}: 0 to 255 is allowed")
    if not args.timeout > 0:
        raise ValueError(f"--timeout {args.timeout}: more than 0 is allowed")
    text = args.text or ""
    if args.protocol == "dc09" and ("^" in text or any(mark in text + (args.code or "") for mark in "[]|\r\n")):
        raise ValueError("--text and --code: no brackets, bars, line ends, and no ^ in the text")
    how = args.misbehave
    if how is not None and how not in MISBEHAVIOUR and not CLOCK.fullmatch(how):
        raise ValueError(f"--misbehave {how!r}: {', '.join(MISBEHAVIOUR)} or clock=-2h is allowed")
    if how == "key" and not (args.key or args.key_file):
        raise ValueError("--misbehave key: --key is wanted, from which it differs")
    if how == "slow" and transport_of(args) != "tcp":
        raise ValueError("--misbehave slow: --transport tcp is wanted")


def check_tocsin(args: argparse.Namespace) -> None:
    """Raises  ValueError with a line that names the argument; OSError"""
    account = args.account
    if not account.isascii() or not account.isdigit() or not 1 <= int(account) <= tocsin.KEY_ID_MAX:
        raise ValueError(f"--account {account!r}: a key id is wanted, 1 to {tocsin.KEY_ID_MAX}")
    if args.code or CLOCK.fullmatch(args.misbehave or ""):
        raise ValueError("--code and --misbehave clock are for the other protocols")
    if len(read_key(args) or b"") != tocsin.KEY_BYTES:
        raise ValueError("--protocol tocsin: --key or --key-file with 64 hex digits or 32 characters is wanted")


def sequence_max(args: argparse.Namespace) -> int:
    return tocsin.COUNTER_MAX if args.protocol == "tocsin" else SEQUENCE_MAX


def sequence_of(args: argparse.Namespace, now_ns: int) -> int:
    """Return the sequence that was asked for, else one of the clock."""
    by_clock = now_ns // 1_000_000_000 if args.protocol == "tocsin" else now_ns // 1_000_000 % SEQUENCE_MAX + 1
    return int(args.sequence or by_clock)


def message(args: argparse.Namespace, now_ns: int, event: str, sequence: int) -> Message:
    """Return what the arguments ask to say."""
    key = read_key(args)
    if key and args.misbehave == "key":
        key = bytes(byte ^ 0xFF for byte in key)
    return Message(
        protocol=args.protocol, account=args.account.upper(), event=event, zone=args.zone, code=args.code,
        text=args.text or "", sequence=sequence, now_ns=now_ns + clock_off_s(args.misbehave) * 1_000_000_000, key=key,
        system=args.system,
    )


def build(args: argparse.Namespace, now_ns: int) -> bytes:
    """Return the good frame that the arguments ask for, stamped `now_ns` or as far off as they say.

    Raises  ValueError with a line that names the argument; OSError for a key file that cannot be read
    """
    check(args)
    return frames.build(message(args, now_ns, args.event, sequence_of(args, now_ns)))


def pieces(args: argparse.Namespace, now_ns: int) -> list[bytes]:
    """Return what is written, piece by piece: more than one where the frame is to be repeated or slow.

    Raises  as build
    """
    good = build(args, now_ns)
    if args.misbehave == "crc":
        return [spoil_checksum(good)]
    if args.misbehave == "cut":
        return [cut(good)]
    if args.misbehave == "replay":
        return [good, good]
    if args.misbehave == "coalesce":
        before = sequence_of(args, now_ns) % sequence_max(args) + 1
        args = argparse.Namespace(**{**vars(args), "code": None, "text": ""})
        return [frames.build(message(args, now_ns, "heartbeat", before)) + good]
    return [good[i:i + 1] for i in range(len(good))] if args.misbehave == "slow" else [good]


def transport_of(args: argparse.Namespace) -> str:
    return args.transport or ("tcp" if args.tls else "udp")


def tls_context(args: argparse.Namespace) -> ssl.SSLContext | None:
    """Return what a connection by TLS is made with, None for one without.

    Raises  ValueError with a line that names the argument; OSError
    """
    if not args.tls:
        if args.ca or args.certificate:
            raise ValueError("--ca and --certificate: --tls is wanted")
        return None
    if args.transport == "udp":
        raise ValueError("--transport udp: --tls is over TCP")
    for name, file in (("--ca", args.ca), ("--certificate", args.certificate)):
        if file and not file.is_file():
            raise ValueError(f"{name} {file}: a file is wanted")
    try:
        context = ssl.create_default_context(cafile=args.ca)
        if args.certificate:
            context.load_cert_chain(args.certificate, password=lambda: b"")
    except ssl.SSLError as error:
        raise ValueError(f"--ca and --certificate: PEM is wanted, the key without a password "
                         f"({error.reason or error})") from None
    return context


def ask(args: argparse.Namespace, host: str, port: int, data: list[bytes], wanted: int,
        context: ssl.SSLContext | None) -> list[bytes]:
    """Send the pieces and return the replies that come, at most `wanted`; fewer where time runs out.

    Raises  OSError; ConnectionResetError when the receiver hung up before any
    """
    end = monotonic_ns() + round(args.timeout * 1e9)
    kind = socket.SOCK_DGRAM if transport_of(args) == "udp" else socket.SOCK_STREAM
    family, kind, _, _, where = socket.getaddrinfo(host, port, type=kind)[0]
    with socket.socket(family, kind) as plain:
        plain.settimeout(args.timeout)
        plain.connect(where)
        with context.wrap_socket(plain, server_hostname=host) if context else plain as link:
            for piece in data:
                link.sendall(piece)
                if args.misbehave == "slow":
                    time.sleep(SLOW_PAUSE_S)
            return read_replies(link, args, end, wanted)


def read_replies(link: socket.socket, args: argparse.Namespace, end_ns: int, wanted: int) -> list[bytes]:
    """Read replies until there are enough, or `end_ns`; a datagram that is none counts as one."""
    replies: list[bytes] = []
    got = b""
    while len(replies) < wanted:
        left_s = (end_ns - monotonic_ns()) / 1e9
        if left_s <= 0:
            return replies
        link.settimeout(left_s)
        try:
            part = link.recv(REPLY_BYTES_MAX)
        except TimeoutError:
            return replies
        if not part:
            if replies:
                return replies
            raise ConnectionResetError("the receiver closed the connection without a reply")
        got += part
        while got and (size := frame_bytes(args.protocol, got)):
            size = size if size > 1 else len(got)
            replies.append(got[:size])
            got = got[size:]
    return replies


def why_silent(args: argparse.Namespace) -> str:
    """Return what to look at when no reply came, from what was sent."""
    wrong, how = "clock" if clock_off_s(args.misbehave) else args.misbehave, transport_of(args)
    guess = SILENT.get(wrong or "") or (
        "Refused in silence are: a checksum or length that is wrong, a frame that no key opens, an account that is "
        "unknown where unknown_accounts.policy is refuse, and any signal while the journal has no room.")
    return (
        f"no reply from {args.to} by {how} within {args.timeout:g} s. {guess} Whether it came at all, and "
        "what is wrong with it, byte by byte: tocsin decode --explain --rejected (as JSON: curl "
        "http://127.0.0.1:8914/v1/rejected). If it is not there, check that `tocsin serve` runs and listens there "
        f"(curl http://127.0.0.1:8914/readyz), and that nothing between drops {how.upper()}."
    )


def run(args: argparse.Namespace) -> int:
    """Send the frame and print what came; return 0 with a good reply, 1 without one, 2 for usage."""
    try:
        context = tls_context(args)
        data = pieces(args, wall_ns())
        key = read_key(args)
        host, port = address(args.to)
    except (ValueError, OSError) as error:
        sys.stderr.write(f"tocsin send: {error}\n")
        return 2
    how = f"  ({args.misbehave})" if args.misbehave else ""
    sys.stdout.write(f"sent      {shown(data[0] if args.misbehave == 'replay' else b''.join(data))}{how}\n")
    wanted = 2 if args.misbehave in TWICE else 1
    began = monotonic_ns()
    try:
        replies = ask(args, host, port, data, wanted, context)
    except ssl.SSLError as error:
        why = error.verify_message if isinstance(error, ssl.SSLCertVerificationError) else error.reason or str(error)
        sys.stderr.write(f"tocsin send: {args.to} by TLS: {why}. Check its certificate (--ca), whether it asks for "
                         "one (--certificate), and that it is a listener with a certificate.\n")
        return 1
    except OSError as error:
        sys.stderr.write(f"tocsin send: {args.to} by {transport_of(args)}: {error.strerror or error}. "
                         "Check that `tocsin serve` runs and listens there.\n")
        return 1
    took_ms = (monotonic_ns() - began) / 1e6
    if not replies:
        sys.stderr.write(f"tocsin send: {why_silent(args)}\n")
        return 1
    good = [tell(args, reply, key, b"".join(data)) for reply in replies]
    sys.stdout.write(f"took      {took_ms:.2f} ms\n")
    if len(replies) < wanted:
        sys.stderr.write(f"tocsin send: {len(replies)} reply to {wanted} frames\n")
    return 0 if all(good) and len(replies) == wanted else 1


def tell(args: argparse.Namespace, reply: bytes, key: bytes | None, sent: bytes) -> bool:
    """Print one reply; return whether it is a good one."""
    sys.stdout.write(f"received  {shown(reply)}\n")
    answer = describe(reply, args.protocol, wall_ns(), key, clock_off_s(args.misbehave), sent)
    if answer is None:
        name = NAMES[args.protocol]
        sys.stderr.write(f"tocsin send: that is no {name} reply; does another program listen there?\n")
        return False
    sys.stdout.write(f"reply     {answer.words}\n")
    return answer.good

"""The configuration: every value that a person may set, with unit, default, range and reason. Values only.

`engine.configure.load` makes a Config from the file, the environment and the flags; nothing else reads those.
Fields that hold a duration end in `_ns`, sizes are bytes; both are written as "90s" and "64MiB".
"""
import re
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from codec.words import PROTOCOL_TEXT
from engine.setting import address, choice, duration, share, size, switch, text, whole
from engine.supervise.presets import ALLOWED, Times, read_times, read_times_or_none
from engine.units import Address, read_duration_ns, write_duration

PROTOCOLS = tuple(name for name in PROTOCOL_TEXT.values() if name != "engine")

RECEIVERS_MAX = 64               # as many as listening time can follow
KEY_ALLOWED = "32, 48 or 64 hex digits, or 16, 24 or 32 characters of ASCII"


class ConfigError(Exception):
    """A configuration that cannot be; the message is one line with the key, the value and what is allowed."""


def read_every(value: str) -> int:
    """A duration, or 0: never."""
    ns = 0 if value == "0" else read_duration_ns(value)
    if ns and not read_duration_ns("100ms") <= ns <= read_duration_ns("1h"):
        raise ValueError(value)
    return ns


def write_every(ns: int) -> str:
    return write_duration(ns) if ns else "0"


def read_name(value: str) -> str:
    if re.fullmatch(r"[a-z0-9][a-z0-9_.-]{0,31}", value) is None:
        raise ValueError(value)
    return value


def read_path_name(value: str) -> str:
    """Empty, or a listener's name, and perhaps numbers as in a path's key: `default/R1`."""
    if value and re.fullmatch(r"[a-z0-9][a-z0-9_.-]{0,31}(/[RLN][0-9A-F]{1,6}){0,3}", value) is None:
        raise ValueError(value)
    return value


def read_realm(value: str) -> str:
    return value and read_name(value)


def read_account(value: str) -> str:
    """A transmitter's key: protocol:account or protocol:account@realm; the account is made upper case."""
    match = re.fullmatch(r"([a-z0-9]+):([0-9A-Za-z._+*-]{1,16})(@[a-z0-9][a-z0-9_.-]{0,31})?", value)
    if match is None or match[1] not in PROTOCOLS:
        raise ValueError(value)
    return f"{match[1]}:{match[2].upper()}{match[3] or ''}"


def read_key(value: str) -> bytes:
    """32, 48 or 64 hex digits, or 16, 24 or 32 other characters: transmitters take either. Empty: no key."""
    try:
        key = bytes.fromhex(value) if len(value) in (0, 32, 48, 64) else b""
    except ValueError:
        key = b""
    if not key and value:
        key = value.encode("ascii")
    if len(key) not in (0, 16, 24, 32):
        raise ValueError(value)
    return key


def read_some(value: str) -> str:
    if not value or "\0" in value:
        raise ValueError(value)
    return value


def read_file_name(value: str) -> str:
    return value and read_some(value)


def read_database(value: str) -> str:
    """A URL whose password, if it has one, can be told apart, so that it can be left out."""
    if value and re.fullmatch(r"postgres(ql)?://([^/@:?#\s]*(:[^/@?#\s]*)?@)?[^@\s]*", value) is None:
        raise ValueError(value)
    return value


@dataclass(frozen=True, slots=True)
class Listen:
    """[listen]: sockets and what each may cost."""

    address: Address = address("127.0.0.1:10914", "where transmitters call, TCP and UDP; of the listener `default`")
    held_max: int = whole(100_000, 1, 10_000_000, "replies", "replies that wait for the journal; beyond: no reply")
    held_per_connection_max: int = whole(256, 1, 65536, "replies", "a TCP connection with more is not read further")
    connections_max: int = whole(40_000, 1, 1_000_000, "connections", "TCP connections of a listener; a source with "
                                 "more than are still free gets no further one; beyond: closed at once")
    idle_timeout_ns: int = duration("10m", "1s", "31d", "a TCP connection without a frame for so long is closed")
    frame_timeout_ns: int = duration("30s", "1s", "1h", "a frame that began must end within this")
    handshake_timeout_ns: int = duration("10s", "1s", "5m", "a TLS handshake must end within this")
    handshakes_max: int = whole(500, 1, 100_000, "TLS handshakes a second", "of a listener; beyond: closed at once")
    garbage_bytes_max: int = size("64KiB", "256B", "64MiB", "bytes that are no frame; a connection with more is closed")
    receive_buffer_bytes: int = size("4MiB", "64KiB", "1GiB", "the kernel's buffer of the UDP socket (SO_RCVBUF)",
                                     key="receive_buffer")
    receivers: int = whole(1, 1, 16, "threads for each address", "that receive UDP; 1: the loop does it. More pay "
                           "where heartbeats take most of a core and others are free")
    batch_rows: int = whole(8192, 1024, 16384, "rows", "signals that one journal append takes at most")
    batch_arena_bytes: int = size("4MiB", "512KiB", "16MiB", "texts and raw bytes of those signals", key="batch_arena")
    drain_timeout_ns: int = duration("5s", "0s", "5m", "at a stop: time for replies whose signals are being flushed")


@dataclass(frozen=True, slots=True)
class Supervision:
    """[supervision]: who is silent too long."""

    default: Times = text("90s", read_times, ALLOWED, "a path silent for longer is a line fault; for transmitters "
                          "without a time of their own. A name is a number and no claim of conformance", write=str)
    grace_ns: int = duration("90s", "1s", "1h", "after a restart a path has this on top of the rest of its time; once")
    tick_ns: int = duration("64ms", "8ms", "1s", "how often the timing wheel is turned; a line fault is so much late")
    learn: str = choice("propose", ("off", "propose", "apply"), "times from what paths showed, for transmitters that "
                        "nobody named. propose: GET /v1/supervision/proposals; apply: from the third frame on")
    learn_min_ns: int = duration("90s", "5s", "49d", "no learned time is shorter")
    learn_max_ns: int = duration("25h", "5s", "49d", "no learned time is longer")

    @property
    def default_ns(self) -> int:
        """The time of a primary path."""
        return self.default.primary_ns


@dataclass(frozen=True, slots=True)
class UnknownAccounts:
    """[unknown_accounts]: accounts that nobody announced."""

    policy: str = choice("enrol", ("enrol", "quarantine", "refuse"),
                         "enrol: known from now on; quarantine: stored and labelled, not supervised; refuse: no reply")
    rate: int = whole(1000, 0, 1_000_000, "enrolments a second", "beyond: quarantine")
    limit: int = whole(1_000_000, 0, 100_000_000, "transmitters", "enrolled in all; beyond: quarantine")


@dataclass(frozen=True, slots=True)
class Admit:
    """[admit]: what is new."""

    window_ns: int = duration("10m", "10s", "1d", "the same frame again within this is no second signal")
    frames_max: int = whole(1_000_000, 1000, 100_000_000, "frames", "recent frames remembered; beyond: the oldest go")
    levels_max: int = whole(1_000_000, 1000, 100_000_000, "components", "those not quiet, whose last status word is "
                            "remembered; beyond: each of their words counts as new")


@dataclass(frozen=True, slots=True)
class Journal:
    """[journal]: what is acknowledged is here first."""

    segment_bytes: int = size("64MiB", "1MiB", "4GiB", "length of one file", key="segment")
    bytes_max: int = size("8GiB", "64MiB", "1024TiB", "all files; the oldest stored ones go first")
    keep_ns: int = duration("7d", "0s", "3660d", "stored signals stay for replays, as far as bytes_max allows")
    reserve: float = share(0.05, 0.0, 0.5, "part of bytes_max that only fire, gas and prealarm may fill")
    snapshot_every_ns: int = duration("60s", "1s", "1d", "a start replays at most this much of the journal")


@dataclass(frozen=True, slots=True)
class Filter:
    """[filter]: the rules by which alarms are verified, and which classes besides fire, gas and prealarm become one."""

    rules: str = text("", read_file_name, "a file of rules", "empty: the rules that come with the program; "
                      "`tocsin rules` shows them. Another file counts from the next start on")
    security: bool = switch(False, "intrusion and hold-up signals become alarms too")
    medical: bool = switch(False, "medical and personal emergency signals become alarms too")


@dataclass(frozen=True, slots=True)
class Alarms:
    """[alarms]: what is expected of those who take alarms over."""

    accept_within_ns: int = text("30s", read_every, 'a duration from "100ms" to "1h", or "0"', "a fire that no "
                                 "subscriber has accepted by then is told again and logged; 0: nobody has to accept",
                                 write=write_every)


@dataclass(frozen=True, slots=True)
class Store:
    """[store]: the way into PostgreSQL."""

    batch_rows: int = whole(20_000, 1, 1_000_000, "rows", "signals in one transaction")
    batch_bytes: int = size("64MiB", "64KiB", "256MiB", "bytes in one transaction")
    last_seen_every_ns: int = duration("5m", "1s", "1d", "how often path.last_seen_at is written; states go at once")
    heartbeats: str = choice("rollup", ("rollup", "all", "none"),
                             "rollup: count and longest silence by path and quarter hour; all: a row each, best effort")
    retry_max_ns: int = duration("10s", "100ms", "10m", "longest pause between two attempts to reach the database")


@dataclass(frozen=True, slots=True)
class Forward:
    """[forward]: subscribers of the stream."""

    subscribers_max: int = whole(1000, 1, 100_000, "subscribers", "beyond: refused with 503")
    buffer_bytes_max: int = size("4MiB", "64KiB", "256MiB", "bytes that wait for one subscriber; beyond: cut off",
                                 key="buffer_max")
    stall_timeout_ns: int = duration("5s", "100ms", "5m", "a subscriber that takes nothing for so long is cut off")
    keepalive_ns: int = duration("15s", "1s", "5m", "a comment line on a quiet stream")


@dataclass(frozen=True, slots=True)
class Operate:
    """[operate]: what the HTTP interface keeps and gives."""

    list_rows_max: int = whole(10_000, 1, 10_000, "rows", "the most that one page of a list gives")
    import_bytes_max: int = size("4MiB", "1KiB", "64MiB", "the largest file that POST /v1/registry/import takes; "
                                 "larger ones by `tocsin import`", key="import_max")


@dataclass(frozen=True, slots=True)
class Canary:
    """[canary]: a row of the engine's own that goes through the whole line, to see that alarms would."""

    every_ns: int = text("10s", read_every, 'a duration from "100ms" to "1h", or "0"', "how often; 0: never. Each "
                         "costs an append and uses a number of an event", write=write_every)
    within_ns: int = duration("5s", "100ms", "10m", "it must come out within this; /readyz fails when none came out "
                              "for longer than this and every")


@dataclass(frozen=True, slots=True)
class Paths:
    """[paths]: the path table."""

    max: int = whole(2_000_000, 1000, 100_000_000, "paths", "memory is reserved for all, and used by those that exist")


@dataclass(frozen=True, slots=True)
class Retention:
    """[retention]: when whole days leave the database."""

    signals_ns: int = duration("400d", "1d", "36600d", "stored, closed, and older than every open alarm")


@dataclass(frozen=True, slots=True)
class Log:
    """[log]: lines on stderr."""

    level: str = choice("info", ("debug", "info", "warning", "error"), "debug may show accounts")
    format: str = choice("text", ("text", "json"), "text for people, json for collectors")


@dataclass(frozen=True, slots=True)
class Listener:
    """[[listener]]: one place where transmitters call; without any, one named `default` listens on listen.address."""

    name: str = text("default", read_name, "1 to 32 of a-z 0-9 _ . -", "part of the key of every path that comes by it")
    listen: Address = address("127.0.0.1:10914", "TCP and UDP; with a certificate TLS alone: its UDP port is not bound")
    realm: str = text("", read_realm, "empty, or 1 to 32 of a-z 0-9 _ . -", "set: accounts are protocol:account@realm")
    protocol: str = choice("any", ("any", *PROTOCOLS), "any: told apart by the first bytes")
    certificate: str = text("", read_file_name, "a PEM file", "set: TLS 1.2 or 1.3; its chain, own certificate first. "
                            "Read again at SIGHUP and when it changes")
    private_key: str = text("", read_file_name, "a PEM file without a password, closed to others",
                            "empty: it stands in the certificate's file, closed likewise")
    client_ca: str = text("", read_file_name, "a PEM file",
                          "set: transmitters show a certificate that one of these signed")
    client_certificate: str = choice("required", ("required", "optional"),
                                     "with client_ca; optional: also without one, but never with a bad one")


@dataclass(frozen=True, slots=True)
class Transmitter:
    """[[transmitter]]: one that is known beforehand."""

    account: str = text(f"{PROTOCOLS[0]}:0", read_account,
                        f"PROTOCOL:ACCOUNT or PROTOCOL:ACCOUNT@REALM, protocol one of {', '.join(PROTOCOLS)}",
                        "the transmitter's key")
    key: bytes = text("", read_key, KEY_ALLOWED, "what its frames are encrypted with", write=bytes.hex, secret=True)
    key_file: str = text("", str, "a file with the key on its first line",
                         "better than key: this file is no secret then")
    supervision: Times = text("", read_times_or_none, ALLOWED + ' or ""', "empty: as supervision.default", write=str)
    primary: str = text("", read_path_name, "a listener's name, with numbers of the path's key behind it where that is "
                        'not enough ("default/R1"), or ""', "its primary path; empty: the one that was enrolled first")
    window_past_ns: int = duration("40s", "1s", "36500d", "how far its stamps may lie behind our time")
    window_future_ns: int = duration("20s", "1s", "36500d", "how far its stamps may lie ahead of our time")
    check_clear_stamps: bool = switch(False, "the window holds for clear frames with a stamp, too")
    stale: str = choice("late", ("late", "reject"), "a fire outside the window. late: kept and forwarded as late; "
                        "reject: refused, as everything else is")
    encrypted_only: bool = switch(False, "its clear frames are refused: anybody could send those. Needs a key")


@dataclass(frozen=True, slots=True)
class HttpToken:
    """[[http_token]]: who may use the HTTP interface; needed as soon as others than this machine reach it."""

    file: str = text("token", read_some, "a readable file", "holds the bearer token on its first line")
    role: str = choice("read", ("read", "operate", "admin"), "what its bearer may do")


def section(kind: type) -> Any:
    return field(default_factory=kind, metadata={"section": kind})


def table(kind: type, key: str) -> Any:
    return field(default=(), metadata={"table": kind, "key": key})


@dataclass(frozen=True, slots=True)
class Config:
    """All of it. `listeners` is never empty after load()."""

    http: Address = address("127.0.0.1:8914", "metrics, health, API, stream and console")
    data: str = text("./tocsin-data", read_some, "a directory", "journal, snapshots, keys and the embedded database")
    database: str = text("", read_database, "empty or postgresql://...", "empty: an embedded PostgreSQL under the data "
                         "directory; passwords belong into a passfile", secret=True)
    listen: Listen = section(Listen)
    supervision: Supervision = section(Supervision)
    unknown_accounts: UnknownAccounts = section(UnknownAccounts)
    admit: Admit = section(Admit)
    journal: Journal = section(Journal)
    filter: Filter = section(Filter)
    alarms: Alarms = section(Alarms)
    store: Store = section(Store)
    forward: Forward = section(Forward)
    operate: Operate = section(Operate)
    canary: Canary = section(Canary)
    paths: Paths = section(Paths)
    retention: Retention = section(Retention)
    log: Log = section(Log)
    listeners: tuple[Listener, ...] = table(Listener, "listener")
    transmitters: tuple[Transmitter, ...] = table(Transmitter, "transmitter")
    http_tokens: tuple[HttpToken, ...] = table(HttpToken, "http_token")


def check(config: Config) -> None:
    """Raise ConfigError unless the values fit each other."""
    listen, journal = config.listen, config.journal
    listeners, accounts = config.listeners, [transmitter.account for transmitter in config.transmitters]
    names = [listener.name for listener in listeners]
    places = [listener.listen for listener in listeners if listener.listen.port]
    unfit = [one.account for one in config.transmitters if one.key and not fits(one)]
    keyless = [one.account for one in config.transmitters if one.encrypted_only and not one.key]
    bare = [one.name for one in listeners if (one.private_key or one.client_ca) and not one.certificate]
    unasked = [one.name for one in listeners if one.client_certificate == "optional" and not one.client_ca]
    twice = [*repeated(names), *repeated(places), *repeated(accounts)]
    for broken, message in (
        (bool(twice), f"{', '.join(map(str, twice))} stands twice: allowed is each listener's name and address, "
                      "and each transmitter's account, once"),
        (not config.http.loopback and not config.http_tokens,
         f"http = {config.http}: allowed beyond loopback only with at least one [[http_token]]"),
        (listen.held_per_connection_max > listen.held_max,
         f"listen.held_per_connection_max = {listen.held_per_connection_max}: allowed is at most listen.held_max "
         f"({listen.held_max})"),
        (journal.bytes_max < 4 * journal.segment_bytes,
         f"journal.bytes_max = {journal.bytes_max} bytes: allowed is at least 4 times journal.segment "
         f"({journal.segment_bytes} bytes)"),
        (sum(not one.certificate for one in listeners) * listen.receivers > RECEIVERS_MAX,
         f"listen.receivers = {listen.receivers}: allowed are {RECEIVERS_MAX} in all, for each listener without a "
         "certificate so many"),
        (bool(unfit), f"key of {', '.join(unfit[:3])}: allowed with tocsin: is a key of 32 bytes (64 hex digits) "
                      "and an account that is a key id, 1 to 16777215"),
        (config.supervision.learn_min_ns > config.supervision.learn_max_ns,
         "supervision.learn_min: allowed is at most supervision.learn_max"),
        (bool(bare), f"private_key and client_ca of listener {', '.join(bare)}: allowed only with certificate"),
        (bool(unasked), f"client_certificate = optional of listener {', '.join(unasked)}: allowed only with client_ca"),
        (bool(keyless), f"encrypted_only = true for {', '.join(keyless[:3])}: allowed only with key or key_file"),
        (config.unknown_accounts.limit > config.paths.max,
         f"unknown_accounts.limit = {config.unknown_accounts.limit}: allowed is at most paths.max "
         f"({config.paths.max})"),
    ):
        if broken:
            raise ConfigError(message)


def fits(transmitter: Transmitter) -> bool:
    """Tell whether a key is one that the transmitter's protocol has."""
    protocol, _, account = transmitter.account.partition(":")
    if protocol != "tocsin":
        return True
    name = account.partition("@")[0]
    return len(transmitter.key) == 32 and name.isdecimal() and name[0] != "0" and int(name) < 1 << 24


def repeated(values: list[Any]) -> list[Any]:
    return sorted((value for value, times in Counter(values).items() if times > 1), key=str)

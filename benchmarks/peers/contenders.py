"""Who is measured, and what each of them does with a message: the part of the table that no figure shows."""
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from benchmarks.frames import heartbeats, signals
from benchmarks.harness import Size
from benchmarks.peers import packages, running
from benchmarks.peers.connected import PINGREQ, PINGRESP, SHAPES, Talk, mqtt
from benchmarks.peers.offered import SCOPES
from benchmarks.peers.packages import Installed
from benchmarks.peers.running import Target, accounts

ALIVE, SIGNALS = "UDP, heartbeats", "UDP, signals"
CONNECTED = "TCP, heartbeats, one on its way on each of 1,000 connections"
ACK = b'"ACK"'
SIGNALS_PER_S_MAX = 200_000
WINDOW_SMALL = 128               # half of what the kernel's own receive buffer holds
Frames = Callable[[Size], Sequence[bytes]]
Start = Callable[[Path, Installed, Size], AbstractContextManager[Target]]


@dataclass(frozen=True, slots=True)
class Contender:
    """One row.

    frames   by size: the messages, sent in their order, and from the first one again where `fresh` does not forbid it
    answer   what a reply to them holds; empty without replies
    window   with replies, over UDP: messages outstanding at a time
    first    without replies: messages a second to begin the search with
    talk     over TCP: how its protocol is spoken, by size
    fresh    whether a message that comes a second time would be other work
    """
    work: str
    who: str
    peer: str
    installed: Callable[[], Installed]
    start: Start
    frames: Frames
    answer: bytes = ACK
    window: int = 1024
    first: float = 0.0
    talk: Callable[[Size], Talk] | None = None
    fresh: bool = False
    answers: str = "ACK"
    reads: str = "all of it"
    keeps: str = "nothing"
    counted: str = "replies"


def one_each(size: Size) -> Sequence[bytes]:
    """A heartbeat of each transmitter."""
    return heartbeats(accounts(size))


def new_signals(size: Size) -> Sequence[bytes]:
    """More signals than any server takes in the time, each of them new."""
    return signals(int(SIGNALS_PER_S_MAX * SCOPES[size].window_s), accounts(size))


def few_signals(size: Size) -> Sequence[bytes]:
    """For one that does not tell a new signal from a known one."""
    return signals(accounts(size), accounts(size))


def syslog_lines(size: Size) -> Sequence[bytes]:
    """The signals as syslog messages of RFC 3164; 134: local0, informational."""
    return [b"<134>Jan  1 00:00:00 panel" + running.SYSLOG_TAG + one.strip() for one in few_signals(size)]


def statsd_counters(size: Size) -> Sequence[bytes]:
    """One counter for each transmitter."""
    return [b"panel.%06X.heartbeat:1|c" % account for account in range(accounts(size))]


def pings(size: Size) -> Sequence[bytes]:
    return [PINGREQ] * SHAPES[size].connections


def mqtt_talk(size: Size) -> Talk:
    return mqtt(SHAPES[size].connections)


def dc09_talk(size: Size) -> Talk:
    return Talk()


UNREAD, DC09, LIFE, LINES = "nothing", "checksum, account", "time of last life", "lines in the file"
CONTENDERS: Sequence[Contender] = (
    Contender(ALIVE, "floor", "floor", packages.floor, running.floor, one_each, answers="40 fixed bytes",
              reads=UNREAD),
    Contender(ALIVE, "tocsin", "tocsin", packages.tocsin, running.tocsin, one_each, reads=DC09, keeps=LIFE),
    Contender(ALIVE, "pysiaalarm", "pysiaalarm", packages.pysiaalarm, running.pysiaalarm, one_each,
              window=WINDOW_SMALL, reads=DC09),
    Contender(ALIVE, "floor, silent", "floor", packages.floor, running.floor_silent, one_each, b"", first=200_000,
              answers="no", reads=UNREAD, counted="kernel's drops"),
    Contender(ALIVE, "statsd", "statsd", packages.statsd, running.statsd, statsd_counters, b"", first=40_000,
              answers="no", reads="name, value, type", keeps="sum, in memory", counted="metrics_received"),
    Contender(SIGNALS, "tocsin", "tocsin", packages.tocsin, running.tocsin, new_signals, fresh=True,
              answers="ACK when synced", reads="all, new or known", keeps="journal, PostgreSQL",
              counted="replies, all stored"),
    Contender(SIGNALS, "pysiaalarm", "pysiaalarm", packages.pysiaalarm, running.pysiaalarm, few_signals,
              window=WINDOW_SMALL),
    Contender(SIGNALS, "rsyslog to file", "rsyslog", packages.rsyslog, running.rsyslog, syslog_lines, b"",
              first=100_000, answers="no", reads="header, tag", keeps="file, not synced", counted=LINES),
    Contender(SIGNALS, "rsyslog, sync on", "rsyslog", packages.rsyslog, partial(running.rsyslog, sync="on"),
              syslog_lines, b"", first=20_000, answers="no", reads="header, tag", keeps="file, synced", counted=LINES),
    Contender(CONNECTED, "floor", "floor", packages.floor, running.floor_tcp, one_each, talk=dc09_talk,
              answers="40 fixed bytes", reads="lengths"),
    Contender(CONNECTED, "tocsin", "tocsin", packages.tocsin, running.tocsin, one_each, talk=dc09_talk, reads=DC09,
              keeps=LIFE),
    Contender(CONNECTED, "pysiaalarm", "pysiaalarm", packages.pysiaalarm, partial(running.pysiaalarm, protocol="tcp"),
              one_each, talk=dc09_talk, reads=DC09),
    Contender(CONNECTED, "mosquitto", "mosquitto", packages.mosquitto, running.mosquitto, pings, PINGRESP,
              talk=mqtt_talk, answers="PINGRESP", reads="2 bytes", keeps=LIFE),
)

DIFFERS = {
    "floor": "bare C: what the kernel alone costs. Reads nothing, knows nobody.",
    "tocsin": "`tocsin serve` with its defaults. A heartbeat: checksum, transmitter looked up, time noted, reply; its "
              "silence becomes a line fault. A signal: known ones told from new ones, journalled, fdatasync, then the "
              "reply; then verdict, alarm, event and a row in PostgreSQL, whose CPU is the figure behind the +.",
    "pysiaalarm": "a library in Python on asyncio's loop, here with an empty handler and 10,000 known accounts. "
                  "Replies before the handler runs; keeps nothing, notices no silence, tells no repetition; over TCP "
                  "one read is one message. It cannot set the receive buffer: a window of 128, the others have 1024.",
    "statsd": "adds up: one counter for each transmitter, flushed to nobody (no backend, first flush after an hour). "
              "Never replies, so the sender learns of no loss. It cannot set the receive buffer, so a stall of a few "
              "ms loses messages. Its message is 26 bytes, without a checksum.",
    "rsyslog": "imudp with a receive buffer of 4 MiB, omfile, all else its defaults. Never replies. Keeps the text, "
               "not its meaning: behind the tag nothing is read. Without sync a power cut takes what the kernel has "
               "not written yet; with it there is one sync for each batch, of which nobody is told.",
    "mosquitto": "a broker. PINGREQ is 2 bytes and comes by a connection that has said who it is, so there is no "
                 "checksum and no look-up. It notices silence by walking over its clients; no UDP; not asked to keep "
                 "anything over a restart.",
}

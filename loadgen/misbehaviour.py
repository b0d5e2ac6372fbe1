"""Frames that are wrong on purpose: what is sent, and what a receiver may answer to it.

    crc       the checksum is another                         no acknowledgement, nothing stored
    key       encrypted with a key that is not the account's  likewise
    cut       the last third is missing                       likewise
    coalesce  a heartbeat and the signal in one write         acknowledged, stored once
    replay    the same bytes twice                            likewise, both times
    clock     the stamp is hours off                          acknowledged, refused or silent, by the window
    slow      byte by byte                                    acknowledged, stored once
"""

import asyncio
import random
import socket
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from loadgen.client import Speaker
from loadgen.clock import monotonic_ns, wall_ns
from loadgen.dc09_client import ReplyKind
from loadgen.groups import WRONG_TRANSMITTERS, Group
from loadgen.plan import Plan
from loadgen.shapes import speaker

NEVER_STORED = ("crc", "key", "cut")
REFUSABLE = (*NEVER_STORED, "clock")
CLOCK_OFF_S = -7200
REPLY_TIMEOUT_S = 5.0
SLOW_PAUSE_S = 0.002
AT_ONCE_MAX = 256
FRAMES_A_SECOND_MAX = 100  # of one kind in one group
RECEIVE_BYTES = 4096
WORDS = {ReplyKind.REPLY_ACK: "acknowledged", ReplyKind.REPLY_NAK: "refused", ReplyKind.REPLY_DUH: "refused",
         ReplyKind.REPLY_NONE: "unreadable"}


def spoil_checksum(frame: bytes) -> bytes:
    """Return the frame with a wrong checksum: the first byte behind LF in DC-09, the third from the end in GB/T.

    In the Tocsin profile it is byte 11.
    """
    at = len(frame) - 3 if frame.startswith(b"@@") else 11 if frame.startswith(b"\xc1") else 1
    spoilt = frame[at] ^ 1
    return frame[:at] + bytes([spoilt]) + frame[at + 1:]


def cut(frame: bytes) -> bytes:
    """Return the first two thirds of a frame."""
    return frame[:len(frame) * 2 // 3]


@dataclass(frozen=True, slots=True)
class Wrong:
    """One frame that misbehaves: its kind, when it is due (s), its signal's number, and who sends it."""

    kind: str
    due_s: float
    number: int
    transmitter: int
    sequence: int


@dataclass(slots=True)
class Answers:
    """What came back, by kind: acknowledged, refused, silent, unreadable; and the outcome of each signal's number."""

    counts: dict[str, Counter[str]] = field(default_factory=dict)
    acknowledged: dict[int, bool] = field(default_factory=dict)
    kinds: dict[int, str] = field(default_factory=dict)

    def note(self, wrong: Wrong, word: str) -> None:
        """Count one answer and whether it was to be expected."""
        counts = self.counts.setdefault(wrong.kind, Counter())
        counts["sent"] += 1
        counts[word] += 1
        expected = word == "acknowledged" if wrong.kind not in REFUSABLE else (
            wrong.kind == "clock" and word != "unreadable") or word in ("silent", "refused")
        counts["expected" if expected else "unexpected"] += 1
        self.acknowledged[wrong.number] = word == "acknowledged"
        self.kinds[wrong.number] = wrong.kind


def transmitters(plan: Plan) -> int:
    """Return how many of a group misbehave."""
    return WRONG_TRANSMITTERS if plan.style.header_account else 1


def wanted(plan: Plan, group: Group, number_first: int) -> list[Wrong]:
    """Return the frames of a group that misbehave, evenly over its time; seeded as the plan is.

    The sequences of each transmitter rise, by two: a frame may need the next one for what goes before it.
    """
    draw = random.Random(plan.seed)
    found: list[tuple[float, str, int]] = []
    highest: float = FRAMES_A_SECOND_MAX
    by = transmitters(plan)
    if plan.style.protocol == "tocsin":
        highest = by / 2 / max(1, len(group.misbehave))  # two counters each: no more than one a second
    for kind, share in group.misbehave:
        count = min(round(share * plan.frames), round(highest * plan.duration_s))
        for _ in range(count or (1 if share else 0)):
            found.append((draw.random() * plan.duration_s, kind, number_first + len(found)))
    return [Wrong(kind, due_s, number, place % by, place // by * 2 % 9998 + 1)
            for place, (due_s, kind, number) in enumerate(sorted(found))]


class Misbehaving:
    """The transmitters of one group that misbehave, each frame on a socket of its own."""

    def __init__(self, plan: Plan, group: Group, number_first: int) -> None:
        self.plan = plan
        self.frames = wanted(plan, group, number_first)
        self.answers = Answers()
        self.count = transmitters(plan)
        self.first = plan.account_first + plan.transmitters
        self.good = self.speaker(plan.secret)
        self.stranger = self.speaker(b"not " + plan.secret)

    def speaker(self, secret: bytes) -> Speaker:
        """Return what they say under a fleet's secret."""
        return speaker(self.plan.style, account_first=self.first, digits=self.plan.digits, count=self.count,
                       run=self.plan.run, secret=secret, counter_first=self.plan.counter_first)

    def writes(self, wrong: Wrong, second: int) -> list[bytes]:
        """Return what is written, piece by piece."""
        who = wrong.transmitter % self.count
        by = self.stranger if wrong.kind == "key" else self.good
        at = second + (CLOCK_OFF_S if wrong.kind == "clock" else 0)
        frame = by.frame(who, wrong.sequence, at, number=wrong.number, zone=wrong.number % 9999 + 1)
        if wrong.kind == "crc":
            return [spoil_checksum(frame)]
        if wrong.kind == "cut":
            return [cut(frame)]
        if wrong.kind == "coalesce":
            return [self.good.frame(who, wrong.sequence + 1, second) + frame]
        if wrong.kind == "replay":
            return [frame, frame]
        return [frame[i:i + 1] for i in range(len(frame))] if wrong.kind == "slow" else [frame]

    async def run(self) -> Answers:
        """Send each frame when it is due, and note what comes back."""
        room = asyncio.Semaphore(AT_ONCE_MAX)
        began = monotonic_ns()
        async with asyncio.TaskGroup() as tasks:
            for wrong in self.frames:
                await asyncio.sleep(max(0.0, wrong.due_s - (monotonic_ns() - began) / 1e9))
                await room.acquire()
                tasks.create_task(self.one(wrong, room.release))
        return self.answers

    async def one(self, wrong: Wrong, done: Callable[[], None]) -> None:
        """Send one frame and wait for what it is worth."""
        try:
            word = await self.ask(wrong)
        except OSError:
            word = "silent"  # hung up, or the port is closed: no acknowledgement either way
        finally:
            done()
        self.answers.note(wrong, word)

    async def ask(self, wrong: Wrong) -> str:
        """Send one frame; return the word for what came back to its sequence."""
        loop = asyncio.get_running_loop()
        family, _, _, _, where = (await loop.getaddrinfo(self.plan.host, self.plan.port))[0]
        kind = socket.SOCK_STREAM if self.plan.transport == "tcp" else socket.SOCK_DGRAM
        with socket.socket(family, kind) as link:
            link.setblocking(False)
            await loop.sock_connect(link, where)
            for piece in self.writes(wrong, wall_ns() // 1_000_000_000):
                await loop.sock_sendall(link, piece)
                if wrong.kind == "slow":
                    await asyncio.sleep(SLOW_PAUSE_S)
            try:
                async with asyncio.timeout(REPLY_TIMEOUT_S):
                    return await self.reply(loop, link, wrong)
            except TimeoutError:
                return "silent"

    async def reply(self, loop: asyncio.AbstractEventLoop, link: socket.socket, wrong: Wrong) -> str:
        """Read until the frame's own reply has come, or one that names no frame."""
        got = b""
        replies = 2 if wrong.kind == "replay" else 1
        while True:
            part = await loop.sock_recv(link, RECEIVE_BYTES)
            if not part:
                return "silent"
            got += part
            while got and (size := self.good.frame_bytes(got)):
                kind, sequence, _ = self.good.reply(got[:size], wall_ns() // 1_000_000_000)
                got = got[size:]
                if kind in (ReplyKind.REPLY_NAK, ReplyKind.REPLY_NONE):
                    return WORDS[ReplyKind(kind)]
                if sequence == wrong.sequence:
                    replies -= 1
                    if not replies:
                        return WORDS[ReplyKind(kind)]


def misbehaving(plans: list[Plan], groups: tuple[Group, ...], number_first: int) -> list[Misbehaving]:
    """Return those of all groups; their signals' numbers follow one another from `number_first` on."""
    found: list[Misbehaving] = []
    for plan, group in zip(plans, groups, strict=True):
        found.append(Misbehaving(plan, group, number_first))
        number_first += len(found[-1].frames)
    return found

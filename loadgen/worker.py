"""What runs in the generator's own processes: the fleet, and the null receiver.

They speak with the parent over a pipe, in tuples that begin with a word:
  fleet   out ("ready",) ("progress", sent, answered, monotonic ns), the first with 0 frames when they begin to be due,
              ("result", Outcomes) ("failed", text)
          in  ("begin",) ("rest",) ("stop",): begin sending; send nothing new, but wait for replies; end at once
  sink    out ("ready", port) ("result", frames answered, or only counted)   in ("stop",)
"""

import os
import signal
import socket
from multiprocessing.connection import Connection

from loadgen.clock import monotonic_ns
from loadgen.counter import Counter
from loadgen.fleet import Fleet
from loadgen.links import UDP_BUFFER_BYTES, drops, opened, reopen
from loadgen.pacing import count_signals
from loadgen.plan import Outcomes, Plan
from loadgen.sink import Sink
from loadgen.tcp import TcpConnections
from loadgen.transmitters import Transmitters, slots_each
from loadgen.udp import UdpSockets

SLICE_NS = 50_000_000
REOPEN_NS = 200_000_000
LEAD_NS = 20_000_000  # between the word to begin and the first frame
WINDOW_SLOTS = 16  # frames of one transmitter that may be outstanding while the ceiling is measured
LISTEN_BACKLOG = 4096


def run_fleet(plan: Plan, pipe: Connection) -> None:
    """Run the plan when the parent says so; the entry of the fleet's process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent ends us
    try:
        with opened(plan) as links:
            runner = Runner(plan, links)
            pipe.send(("ready",))
            if pipe.recv()[0] == "begin":
                pipe.send(("result", runner.run(pipe)))
    except OSError as error:
        pipe.send(("failed", f"{plan.transport} {plan.host}:{plan.port}: {error.strerror or error}"))
    except EOFError:
        return


class Runner:
    """One fleet over open links, in slices."""

    def __init__(self, plan: Plan, links: list[socket.socket]) -> None:
        self.plan = plan
        self.links = links
        self.reopened = 0
        self.reopen_ns = 0
        self.cpu_before_s = 0.0
        signals = 0 if plan.window or not plan.replies else count_signals(plan.seed, plan.alarms, plan.frames)
        slots = WINDOW_SLOTS if plan.window else slots_each(plan.transmitters, plan.rate) if plan.replies else 1
        run = plan.run.encode("ascii")
        self.transmitters = Transmitters(
            plan.account_first, plan.digits, plan.transmitters, slots, signals, run, speaker=plan.speaker(),
            number_first=plan.number_first,
        )
        fds = [link.fileno() for link in links]
        self.network: UdpSockets | TcpConnections = TcpConnections(fds) if plan.transport == "tcp" else UdpSockets(fds)
        self.fleet = Fleet(
            self.transmitters, self.network, fds, rate=plan.rate, frames=plan.frames, seed=plan.seed,
            share=0.0 if plan.window else plan.alarms, window=plan.window, replies=plan.replies,
        )

    def run(self, pipe: Connection) -> Outcomes:
        """Send, receive and drain; tell the parent after every slice."""
        start = monotonic_ns() + LEAD_NS
        stop = start + round(self.plan.duration_s * 1e9) if self.plan.full_speed else (1 << 62)
        self.fleet.begin(start, stop)
        self.cpu_before_s = cpu_seconds()
        pipe.send(("progress", 0, 0, start))
        while True:
            if pipe.poll():
                if pipe.recv()[0] != "rest":
                    break
                self.fleet.begin(start, monotonic_ns())
            ended = self.fleet.run(monotonic_ns() + SLICE_NS)
            self.reopen()
            pipe.send(("progress", self.fleet.sent, self.fleet.answered, monotonic_ns()))
            if ended:
                break
        return self.outcomes(start)

    def reopen(self) -> None:
        """Open broken connections again, a few times a second."""
        if not isinstance(self.network, TcpConnections) or monotonic_ns() < self.reopen_ns:
            return
        self.reopen_ns = monotonic_ns() + REOPEN_NS
        for index in self.network.broken():
            self.links[index] = reopen(self.plan, self.links[index])
            self.network.reopened(index, self.links[index].fileno())
            self.fleet.watch(index, self.links[index].fileno())
            self.reopened += 1

    def outcomes(self, start_ns: int) -> Outcomes:
        """Return what was seen."""
        network = self.network.counts()
        network["drops"] = drops(self.links) if self.plan.transport == "udp" and self.plan.replies else 0
        return Outcomes(
            counts=self.transmitters.counts(),
            network=network,
            outcomes=self.transmitters.outcomes(),
            histograms={
                "heartbeats": self.transmitters.heartbeat_latency.sync().encode(),
                "signals": self.transmitters.signal_latency.sync().encode(),
            },
            sending_s=((self.fleet.sent_ns or monotonic_ns()) - start_ns) / 1e9,
            behind_ns=self.fleet.behind_ns,
            cpu_s=cpu_seconds() - self.cpu_before_s,
            reopened=self.reopened,
        )


def cpu_seconds() -> float:
    """Return the processor time of this process so far."""
    times = os.times()
    return times.user + times.system


def run_sink(transport: str, replies: bool, pipe: Connection) -> None:
    """Answer, or only count, everything on a loopback port of its own until told to stop.

    The entry of the null receiver's process.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    kind = socket.SOCK_STREAM if transport == "tcp" else socket.SOCK_DGRAM
    frames = 0
    with socket.socket(socket.AF_INET, kind) as receiver:
        receiver.bind(("127.0.0.1", 0))
        if transport == "tcp":
            receiver.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # its connections take it over
            receiver.listen(LISTEN_BACKLOG)
        else:
            receiver.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, UDP_BUFFER_BYTES)
        receiver.setblocking(False)
        sink = Sink(receiver.fileno(), transport == "tcp") if replies else Counter(receiver.fileno())
        pipe.send(("ready", receiver.getsockname()[1]))
        while not pipe.poll():
            frames += sink.run(monotonic_ns() + SLICE_NS)
        if not replies:
            frames += sink.run(monotonic_ns() + SLICE_NS)  # what was sent before we were told to stop
        del sink  # closes its connections before the listening socket goes
    try:
        pipe.recv()
        pipe.send(("result", frames))
    except (EOFError, BrokenPipeError):
        return

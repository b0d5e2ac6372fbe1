"""`tocsin loadgen`: a fleet of simulated transmitters with a report and an audit."""

import argparse
import asyncio
import math
import os
import shlex
import sys
from pathlib import Path
from random import SystemRandom

import orjson

from loadgen.audit import Audit, AuditError
from loadgen.ceiling import CEILING_SHARE_MAX, machine, measure
from loadgen.child import FleetError, run_plan
from loadgen.clock import wall_ns
from loadgen.groups import Group, configuration, plans, read_fleet, sized
from loadgen.mixed import Mixed, add_forbidden, add_groups, forbidden, group_lines, run_mixed, total
from loadgen.pacing import count_signals
from loadgen.picture import draw
from loadgen.plan import FULL_SPEED, SOCKETS_MAX, Outcomes, Plan, accounts, address, new_run
from loadgen.progress import Progress
from loadgen.report import Report, add_audit, judge, report, table
from loadgen.throughput import Throughput

CLEAN, FAILED, USAGE = 0, 1, 2
UDP_SOCKETS = 8
TCP_CONNECTIONS = 64
UDP_ERRORS = ("InErrors", "RcvbufErrors", "SndbufErrors")
SEED_BITS = 32
RATE_MAX = 10_000_000
ALARMS = 0.001

Fleet = tuple[tuple[Group, ...], list[Plan]]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `tocsin loadgen`."""
    add = parser.add_argument
    add("--to", default="127.0.0.1:10914", metavar="HOST:PORT", help="the receiver (%(default)s)")
    add("--http", default="http://127.0.0.1:8914", metavar="URL", help="its HTTP side, for the audit (%(default)s)")
    add("--token-file", type=Path, metavar="FILE", help="bearer token for the HTTP side")
    add("--transmitters", type=int, default=100_000, metavar="N", help="how many transmitters (%(default)s)")
    add("--rate", type=frames_a_second, default=100_000.0, metavar="N",
        help="frames a second, all together; with --no-replies also max: as many as leave (%(default)s)")
    add("--alarms", type=float, metavar="SHARE",
        help=f"fire alarms among the frames, 0..1 ({ALARMS}; none with --no-replies)")
    add("--no-replies", action="store_true",
        help="send heartbeats, wait for no reply and read none: by UDP, millions a second from one core; no audit")
    add("--duration", type=float, default=30.0, metavar="SECONDS", help="how long to send (%(default)s)")
    add("--transport", choices=("udp", "tcp"), default="udp", help="(%(default)s)")
    add("--connections", type=int, default=TCP_CONNECTIONS, metavar="N", help="TCP connections (%(default)s)")
    add("--sockets", type=int, default=UDP_SOCKETS, metavar="N", help="UDP sockets (%(default)s)")
    add("--first-account", default="A00001", metavar="HEX", help="the others count up from it (%(default)s)")
    add("--seed", type=int, metavar="N", help="which frames are alarms (random)")
    add("--settle", type=float, default=30.0, metavar="SECONDS",
        help="how long acknowledged alarms may take to be stored and forwarded after the end (%(default)s)")
    add("--heartbeat-loss", type=float, default=0.001, metavar="SHARE",
        help="heartbeats that may stay unanswered (%(default)s)")
    add("--fleet", type=Path, metavar="FILE",
        help="play the groups of this TOML file; --transmitters is what their shares are of, and --rate, --alarms, "
        "--transport, --connections, --sockets, --first-account and --seed stand in it")
    add("--write-config", type=Path, metavar="FILE",
        help="with --fleet: write the [[transmitter]] tables of the encrypted groups for the engine, and end")
    add("--report", type=Path, metavar="FILE", help="write the report as JSON")
    add("--picture", type=Path, metavar="FILE.svg",
        help="draw the report: latency by percentile, and frames a second over time")
    add("--json", action="store_true", help="print the report as JSON only")
    add("--no-audit", action="store_true", help="do not ask the engine what became of the alarms")
    add("--no-ceiling", action="store_true", help="do not measure the generator itself first")


def frames_a_second(said: str) -> float:
    """Return a rate; "max" is FULL_SPEED.

    Raises  ValueError
    """
    return FULL_SPEED if said == "max" else float(said)


def complaint(args: argparse.Namespace) -> str | None:
    """Return what is wrong with the arguments, None when nothing is."""
    bounds = (
        ("--transmitters", args.transmitters, 1, 10_000_000),
        ("--rate", args.rate, 0.001, FULL_SPEED if args.no_replies else RATE_MAX),
        ("--alarms", alarms_of(args), 0, 1),
        ("--duration", args.duration, 0.001, 1_000_000),
        ("--connections", args.connections, 1, SOCKETS_MAX),
        ("--sockets", args.sockets, 1, SOCKETS_MAX),
        ("--settle", args.settle, 0, 86_400),
        ("--heartbeat-loss", args.heartbeat_loss, 0, 1),
    )
    if args.rate == FULL_SPEED and not args.no_replies:
        return "--rate max: only with --no-replies"
    for name, value, low, high in bounds:
        if not math.isfinite(value) or not low <= value <= high:
            return f"{name} {value}: {low} to {high} is allowed"
    if args.picture and args.picture.suffix != ".svg":
        return f"--picture {args.picture}: a name that ends in .svg is allowed"
    return misplaced(args) if args.no_replies else None


def misplaced(args: argparse.Namespace) -> str | None:
    """Return what cannot go with --no-replies, None when nothing is there."""
    if args.fleet:
        return "--fleet: not with --no-replies, which sends heartbeats in plain DC-09 alone"
    if args.transport != "udp":
        return f"--transport {args.transport}: udp is allowed with --no-replies"
    if args.alarms:
        return f"--alarms {args.alarms}: 0 is allowed with --no-replies, since nobody hears an acknowledgement"
    return None


def alarms_of(args: argparse.Namespace) -> float:
    """Return the share of alarms that the arguments ask for."""
    if args.alarms is None:
        return 0.0 if args.no_replies else ALARMS
    share: float = args.alarms
    return share


def make_plan(args: argparse.Namespace) -> Plan:
    """Return the plan that the arguments ask for.

    Raises  ValueError with a line that names the argument
    """
    wrong = complaint(args)
    if wrong:
        raise ValueError(wrong)
    host, port = address(args.to)
    first, digits = accounts(args.first_account, args.transmitters)
    return Plan(
        host=host, port=port, transport=args.transport,
        links=args.connections if args.transport == "tcp" else args.sockets,
        transmitters=args.transmitters, rate=args.rate, alarms=alarms_of(args), duration_s=args.duration,
        replies=not args.no_replies,
        account_first=first, digits=digits,
        seed=SystemRandom().getrandbits(SEED_BITS) if args.seed is None else args.seed & ((1 << 64) - 1), run=new_run(),
    )


def fleet_plans(args: argparse.Namespace) -> Fleet:
    """Return the groups of the fleet file and their plans.

    Raises  ValueError with a line that names the file; OSError
    """
    wrong = complaint(args)
    if wrong:
        raise ValueError(wrong)
    if not args.fleet:
        raise ValueError("--write-config needs --fleet")
    host, port = address(args.to)
    fleet = read_fleet(args.fleet)
    found = plans(fleet, args.transmitters, host=host, port=port, duration_s=args.duration, run=new_run(),
                  second=wall_ns() // 1_000_000_000)
    return sized(fleet, args.transmitters), found


def write_config(path: Path, found: list[Plan]) -> int:
    """Write the tables that an engine needs, readable by their owner alone; return the exit code."""
    with open(path, "w", encoding="ascii", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
        file.writelines(configuration(found))
    return CLEAN


def run(args: argparse.Namespace) -> int:
    """Run the fleet as the arguments say; return the exit code: 0 clean, 1 audit failed, 2 usage."""
    try:
        fleet = fleet_plans(args) if args.fleet or args.write_config else None
        if args.write_config:
            return write_config(args.write_config, fleet[1] if fleet else [])
        plan = total(fleet[1]) if fleet else make_plan(args)
        token = args.token_file.read_text().strip() if args.token_file else None
        for file in filter(None, (args.report, args.picture)):
            file.touch()  # rather now than after the run
    except (ValueError, OSError) as error:
        sys.stderr.write(f"tocsin loadgen: {error}\n")
        return USAGE
    try:
        result = asyncio.run(attack(args, plan, token, fleet))
    except FleetError as error:
        sys.stderr.write(f"tocsin loadgen: {error}; does the receiver run? (tocsin serve)\n")
        return FAILED
    except AuditError as error:
        sys.stderr.write(f"tocsin loadgen: {error}; check --http, or leave the audit out with --no-audit\n")
        return FAILED
    except KeyboardInterrupt:
        sys.stderr.write("tocsin loadgen: interrupted, no report\n")
        return FAILED
    encoded = orjson.dumps(result, option=orjson.OPT_INDENT_2).decode() + "\n"
    if args.report:
        args.report.write_text(encoded)
    if args.picture:
        args.picture.write_text(draw(result, spoken(args)), encoding="utf-8")
    sys.stdout.write(encoded if args.json else table(result, group_lines(result)))
    return FAILED if result["failures"] else CLEAN


def spoken(args: argparse.Namespace) -> str:
    """Return the command that the arguments came from, without those that are as by default."""
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    words = ["tocsin", "loadgen"]
    for name in vars(parser.parse_args([])):
        value = getattr(args, name)
        if value != parser.get_default(name):
            words.append("--" + name.replace("_", "-"))
            words += [] if value is True else ["max" if value == FULL_SPEED else str(value).removesuffix(".0")]
    return shlex.join(words)


def tell_ceiling(plan: Plan, transport: str, ceiling: float) -> None:
    """Say what the generator can do at most, before it does anything else."""
    how = transport if plan.replies else f"{transport} without replies"
    sys.stderr.write(f"the generator's own ceiling by {how}: {ceiling:,.0f} frames/s\n")
    if not plan.full_speed and plan.rate > CEILING_SHARE_MAX * ceiling:
        sys.stderr.write(f"warning: {plan.rate:,.0f}/s is above {CEILING_SHARE_MAX} of it: it will be the limit\n")


async def attack(args: argparse.Namespace, plan: Plan, token: str | None, fleet: Fleet | None) -> Report:
    """Measure the ceiling, run the fleet, audit; return the report.

    Raises  FleetError, AuditError
    """
    first = fleet[1][0] if fleet else plan  # the ceiling is of plain frames by the first group's transport
    ceiling = None if args.no_ceiling else await measure(first)
    if ceiling is not None:
        tell_ceiling(plan, first.transport, ceiling)
    before = kernel_errors(Path("/proc/net/snmp"))
    throughput = Throughput()
    mixed: Mixed | None = None
    if args.no_audit or not plan.replies:
        outcomes, mixed = await send(plan, fleet, throughput)
        result = report(plan, outcomes, ceiling, machine())
    else:
        async with Audit(args.http, plan.run, token) as audit:
            outcomes, mixed = await send(plan, fleet, throughput)
            result = report(plan, outcomes, ceiling, machine())
            result["audit"] = "running"
            found = await audit.settle(outcomes.outcomes, args.settle)
            add_audit(result, found, await audit.metrics_during(), audit.gaps, audit.reconnects)
            if mixed:
                add_forbidden(result, forbidden(mixed, audit))
    if fleet and mixed:
        add_groups(result, fleet[1], mixed)
    after = kernel_errors(Path("/proc/net/snmp"))
    result["throughput"] = throughput.rates()
    result["kernel"] = {f"udp_{name}": after[name] - before[name] for name in after}
    judge(result, args.heartbeat_loss)
    return result


async def send(plan: Plan, fleet: Fleet | None, throughput: Throughput) -> tuple[Outcomes, Mixed | None]:
    """Run the fleet with a progress display, and take its throughput."""
    progress = Progress(0 if plan.full_speed else sum(one.frames for one in fleet[1]) if fleet else plan.frames,
                        replies=plan.replies)

    def watch(sent: int, answered: int, at_ns: int) -> None:
        throughput(sent, answered, at_ns)
        progress(sent, answered)

    try:
        if fleet is None:
            return await run_plan(plan, watch), None
        groups, plans = fleet
        signals = sum(count_signals(one.seed, one.alarms, one.frames) for one in plans)
        mixed = await run_mixed(plans, groups, signals, watch)
        return mixed.whole, mixed
    finally:
        progress.end()


def kernel_errors(snmp: Path) -> dict[str, int]:
    """Return the machine's UDP error counters; none where the kernel does not show them."""
    lines = snmp.read_text().splitlines() if snmp.exists() else []
    rows = [line.split()[1:] for line in lines if line.startswith("Udp:")]
    if len(rows) < 2:
        return {}
    values = dict(zip(rows[0], map(int, rows[1]), strict=True))
    return {name: values[name] for name in UDP_ERRORS if name in values}

"""A fleet file: a mix of groups of like transmitters, in TOML, as plans that run side by side."""

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from loadgen.pacing import count_signals
from loadgen.plan import SOCKETS_MAX, Plan, accounts
from loadgen.shapes import Style, account_of, keys_of, speaker
from loadgen.tocsin import KEY_ID_MAX

MISBEHAVIOUR = ("crc", "key", "cut", "coalesce", "replay", "clock", "slow")
WRONG_TRANSMITTERS = 8  # of a group, beside its own: those that misbehave
TRANSMITTERS_MAX = 10_000_000
GROUPS_MAX = 64
INTERVAL_S_MAX = 86_400.0
TOCSIN_INTERVAL_S_MIN = 1.0  # its counters are the seconds of the clock: the next run goes on above those of this one
TOCSIN_FRAMES_MAX = 9998  # of one transmitter in a run
STYLE_KEYS = {field.name: field.type for field in fields(Style)}
ACCOUNT_GAP = WRONG_TRANSMITTERS


@dataclass(frozen=True, slots=True)
class Group:
    """One [[group]] of a fleet file.

    name          of the group, in the report
    count         transmitters, or 0: `share` of those of the whole fleet
    share         0..1
    interval_s    s between two frames of one transmitter
    alarms        share of fire alarms among the frames, 0..1
    transport     "udp" or "tcp"
    links         sockets or connections
    clock_spread_s  s, deviation of the transmitters' clocks; above that of the receiver's window, frames are refused
    misbehave     share of the frames, by kind of MISBEHAVIOUR: sent beside the good ones, by transmitters of their own
    """

    name: str
    style: Style
    count: int = 0
    share: float = 0.0
    interval_s: float = 30.0
    alarms: float = 0.001
    transport: str = "udp"
    links: int = 4
    clock_spread_s: float = 0.0
    misbehave: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True, slots=True)
class FleetFile:
    """What a fleet file says; the same file and seed give the same frames, their stamps and the run's id apart."""

    groups: tuple[Group, ...]
    seed: int
    secret: bytes
    first_account: str


def number(table: dict[str, Any], key: str, default: float, low: float, high: float) -> float:
    """Take a number out of a table.

    Raises  ValueError with the key, the value and what is allowed
    """
    value = table.pop(key, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise ValueError(f"{key} {value!r}: {low:g} to {high:g} is allowed")
    return value


def read_style(table: dict[str, Any]) -> Style:
    """Take a group's habits out of its table."""
    given = {key: table.pop(key) for key in STYLE_KEYS if key in table}
    for key, value in given.items():
        wanted = STYLE_KEYS[key]
        if type(value) is not wanted:
            raise ValueError(f"{key} {value!r}: a {getattr(wanted, '__name__', wanted)} is wanted")
    return Style(**given)


def read_group(table: dict[str, Any]) -> Group:
    """Return one group of the file.

    Raises  ValueError
    """
    name = table.pop("name", None)
    if not isinstance(name, str) or not 1 <= len(name) <= 64:
        raise ValueError(f"name {name!r}: 1 to 64 characters are allowed")
    transport = table.pop("transport", "udp")
    if transport not in ("udp", "tcp"):
        raise ValueError(f"group {name}: transport {transport!r}: udp or tcp is allowed")
    wrong = table.pop("misbehave", {})
    if not isinstance(wrong, dict) or not set(wrong) <= set(MISBEHAVIOUR):
        raise ValueError(f"group {name}: misbehave: {', '.join(MISBEHAVIOUR)} are allowed")
    try:
        group = Group(
            name=name, style=read_style(table), transport=transport,
            count=int(number(table, "transmitters", 0, 0, TRANSMITTERS_MAX)), share=number(table, "share", 0.0, 0, 1),
            interval_s=number(table, "interval", 30.0, 0.001, INTERVAL_S_MAX),
            alarms=number(table, "alarms", 0.001, 0, 1), links=int(number(table, "links", 4, 1, SOCKETS_MAX)),
            clock_spread_s=number(table, "clock_spread", 0.0, 0, INTERVAL_S_MAX),
            misbehave=tuple((kind, number(wrong, kind, 0.0, 0, 1)) for kind in MISBEHAVIOUR if kind in wrong),
        )
        shares = dict(group.misbehave)
        if "slow" in shares and transport == "udp":
            raise ValueError("misbehave: slow is for tcp")
        if "key" in shares and not group.style.keyed:
            raise ValueError("misbehave: key is for encrypted groups, and for protocol tocsin")
        if group.style.protocol == "tocsin" and ("clock" in shares or group.interval_s < TOCSIN_INTERVAL_S_MIN):
            raise ValueError("protocol tocsin: misbehave without clock, and an interval of "
                             f"{TOCSIN_INTERVAL_S_MIN:g} or more are wanted")
        speaker(group.style, account_first=0xA00001, digits=6, count=1, run="r", secret=b"x",
                clock_spread_s=group.clock_spread_s)
    except ValueError as error:
        raise ValueError(f"group {name}: {error}") from None
    if table:
        raise ValueError(f"group {name}: {', '.join(table)}: unknown")
    if bool(group.count) == bool(group.share):
        raise ValueError(f"group {name}: either transmitters or share is wanted")
    return group


def read_fleet(path: Path) -> FleetFile:
    """Read a fleet file.

    Raises  ValueError with one line that names file and key; OSError
    """
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
        groups = tuple(read_group(dict(entry)) for entry in table.pop("group", []))
        secret = table.pop("secret", "")
        first = table.pop("first_account", "A00001")
        seed = int(number(table, "seed", 1, 0, 2**63 - 1))
        if not isinstance(secret, str) or not isinstance(first, str):
            raise ValueError("secret and first_account: texts are wanted")
        if not 1 <= len(groups) <= GROUPS_MAX:
            raise ValueError(f"1 to {GROUPS_MAX} groups are allowed")
        if len({group.name for group in groups}) != len(groups):
            raise ValueError("two groups have the same name")
        if any(group.style.keyed for group in groups) and len(secret) < 8:
            raise ValueError("secret: at least 8 characters are wanted where a group has keys")
        if table:
            raise ValueError(f"{', '.join(table)}: unknown")
    except (ValueError, UnicodeDecodeError) as error:
        raise ValueError(f"{path}: {error}") from None
    return FleetFile(groups, seed, secret.encode(), first)


def sized(fleet: FleetFile, transmitters: int) -> tuple[Group, ...]:
    """Return the groups, each with its count; `transmitters` is what the shares are of."""
    return tuple(replace(group, count=group.count or max(1, round(group.share * transmitters)))
                 for group in fleet.groups)


def check_tocsin(group: Group, account_first: int, duration_s: float) -> None:
    """Raises  ValueError where a group of the Tocsin profile has accounts or counters that there is no room for"""
    if group.style.protocol != "tocsin":
        return
    if account_first < 1 or account_first + group.count + ACCOUNT_GAP - 1 > KEY_ID_MAX:
        raise ValueError(f"group {group.name}: accounts of protocol tocsin are 1 to {KEY_ID_MAX:X}")
    if duration_s / group.interval_s > TOCSIN_FRAMES_MAX:
        raise ValueError(f"group {group.name}: at most {TOCSIN_FRAMES_MAX} messages of one transmitter in a run")


def plans(fleet: FleetFile, transmitters: int, *, host: str, port: int, duration_s: float, run: str,
          second: int) -> list[Plan]:
    """Return one plan for each group; their accounts and their signals' numbers follow one another.

    Behind each group's accounts lie WRONG_TRANSMITTERS more, for its frames that misbehave.
    second  of the run's beginning, since 1970 UTC: what counters of the Tocsin profile begin above
    Raises  ValueError where the accounts do not fit
    """
    groups = sized(fleet, transmitters)
    total = sum(group.count + ACCOUNT_GAP for group in groups)
    first, digits = accounts(fleet.first_account, total)
    found, number_first = [], 0
    for index, group in enumerate(groups):
        if not group.style.header_account and group.count != 1:
            raise ValueError(f"group {group.name}: header_account = false: one transmitter is allowed")
        check_tocsin(group, first, duration_s)
        plan = Plan(
            host=host, port=port, transport=group.transport, links=min(group.links, group.count),
            transmitters=group.count, rate=group.count / group.interval_s, alarms=group.alarms, duration_s=duration_s,
            account_first=first, digits=digits, seed=fleet.seed + index, run=run, group=group.name, style=group.style,
            secret=fleet.secret, clock_spread_s=group.clock_spread_s, number_first=number_first,
            counter_first=second,
        )
        number_first += count_signals(plan.seed, plan.alarms, plan.frames)
        first += group.count + ACCOUNT_GAP
        found.append(plan)
    return found


def configuration(found: list[Plan]) -> Iterator[str]:
    """Yield the [[transmitter]] tables that an engine needs to read the groups with keys, a text each."""
    for plan in found:
        if not plan.style.keyed:
            continue
        keys = keys_of(plan.style, plan.secret, plan.account_first, plan.digits, plan.transmitters + ACCOUNT_GAP)
        for number, key in enumerate(keys, plan.account_first):
            account = account_of(plan.style, number, plan.digits)
            yield f'[[transmitter]]\naccount = "{plan.style.protocol}:{account}"\nkey = "{key.hex()}"\n\n'

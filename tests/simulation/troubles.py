"""What can go wrong, and when: a plan from the world's own chance."""
from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.simulation.world import World

TROUBLED_S = 60.0
SECOND_NS = 1_000_000_000
Plan = list[tuple[float, Callable[[], None]]]


def plan(world: World) -> Plan:
    """Return (seconds from now, what happens then): signals all the time, and some troubles."""
    random = world.random
    world.database.pause = world.on_the_way_to_the_database
    made: Plan = [(random.uniform(0.5, TROUBLED_S), world.something_happens) for _ in range(random.randrange(10, 60))]
    kinds = list(TROUBLES)
    chosen = random.sample(kinds, random.randrange(1, len(kinds) // 2))   # not every run has every kind
    for _ in range(random.randrange(2, 9)):
        at_s = random.uniform(0.0, TROUBLED_S)
        made += TROUBLES[random.choice(chosen)](world, at_s)
    return made


def until(at_s: float, begin: Callable[[], None], longest_s: float, world: World, end: Callable[[], None]) -> Plan:
    """A trouble that ends by itself."""
    return [(at_s, begin), (min(TROUBLED_S, at_s + world.random.uniform(0.1, longest_s)), end)]


def kill_now(world: World, at_s: float) -> Plan:
    return [(at_s, lambda: world.kill(power=world.random.random() < 0.5))]


def kill_at_a_step(world: World, at_s: float) -> Plan:
    steps = world.random.randrange(1, 60)
    return [(at_s, lambda: world.kill_in(steps))]


def kill_in_a_row(world: World, at_s: float) -> Plan:
    """Again and again, also while it recovers."""
    return [(at_s + number * world.random.uniform(0.05, 8), lambda: world.kill(power=world.random.random() < 0.3))
            for number in range(world.random.randrange(2, 7))]


def stop(world: World, at_s: float) -> Plan:
    return [(at_s, world.stop)]


def stall(world: World, at_s: float) -> Plan:
    """The whole process stands still."""
    stalled_ns = int(world.random.choice((0.5, 3, 20, 60)) * SECOND_NS)

    def stand_still() -> None:
        if world.life is not None:
            world.note(f"stall: {stalled_ns / SECOND_NS} s")
            world.truth.stalled(stalled_ns)
            world.clock.advance(stalled_ns)

    return [(at_s, stand_still)]


def clock_jump(world: World, at_s: float) -> Plan:
    jump_ns = int(world.random.uniform(-600, 600) * SECOND_NS)

    def jump() -> None:
        world.note(f"clock jump: {jump_ns / SECOND_NS:.0f} s")
        world.clock.jump(jump_ns)

    return [(at_s, jump)]


def disk_full(world: World, at_s: float) -> Plan:
    return until(at_s, world.disk_full, 15, world, world.disk_well)


def disk_fails(world: World, at_s: float) -> Plan:
    operation = world.random.choice(("sync", "sync", "write", "all", "create", "replace", "remove"))
    return until(at_s, lambda: world.disk_fails(operation), 10, world, world.disk_well)


def disk_slow(world: World, at_s: float) -> Plan:
    return until(at_s, lambda: world.disk_slow(True), 15, world, world.disk_well)


def database(world: World, at_s: float) -> Plan:
    how = world.random.choice(("down", "down", "flaky", "slow", "dead"))
    return until(at_s, lambda: world.database_fails(how), 30, world, lambda: world.database_fails(""))


def database_restart(world: World, at_s: float) -> Plan:
    return [(at_s + number * 0.7, world.database.cut) for number in range(world.random.randrange(1, 4))]


def database_refuses(world: World, at_s: float) -> Plan:
    """One account's rows are bad data for the server, for a while."""
    account = world.random.choice(world.transmitters).account

    def poison() -> None:
        world.note("database refuses rows")
        world.refused_accounts.add(account)
        world.database.poison = lambda row: row["account"] == account

    return until(at_s, poison, 20, world, lambda: setattr(world.database, "poison", lambda row: False))


def network(world: World, at_s: float) -> Plan:
    def worse() -> None:
        world.network.loss = world.random.choice((0.0, 0.05, 0.3))
        world.network.double = world.random.choice((0.0, 0.2, 0.6))
        world.network.late_s = world.random.choice((0.01, 0.3, 2.0))
        world.note("network worse")

    def better() -> None:
        world.network.loss = world.network.double = 0.0
        world.network.late_s = 0.05

    return until(at_s, worse, 30, world, better)


def transmitter_dies(world: World, at_s: float) -> Plan:
    one = world.random.choice(world.transmitters)
    made: Plan = [(at_s, one.die)]
    if world.random.random() < 0.5:
        made.append((min(TROUBLED_S, at_s + world.random.uniform(1, 50)), one.live))
    return made


def flood(world: World, at_s: float) -> Plan:
    """Many signals within a moment: queues come to their limits."""
    return [(at_s + world.random.uniform(0, 0.2), world.something_happens) for _ in range(40)]


def subscriber_changes(world: World, at_s: float) -> Plan:
    one = world.random.choice(world.subscribers)
    return [(at_s, lambda: one.wire.abort() if one.wire is not None else None)]


TROUBLES: dict[str, Callable[[World, float], Plan]] = {
    "kill now": kill_now, "kill at a step": kill_at_a_step, "kill in a row": kill_in_a_row, "stop": stop,
    "stall": stall, "clock jump": clock_jump, "disk full": disk_full, "disk fails": disk_fails, "disk slow": disk_slow,
    "database": database, "database restart": database_restart, "database refuses": database_refuses,
    "network": network, "transmitter dies": transmitter_dies, "flood": flood, "subscriber": subscriber_changes,
}

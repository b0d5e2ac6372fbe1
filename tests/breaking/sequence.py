"""A random sequence of faults on one world: one or two that last, and meanwhile several that strike."""
from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack

from tests.breaking.faults import FAULTS, Fault, NotNow
from tests.breaking.load import EVERYONE
from tests.breaking.world import World

ALONE_S = (1.0, 5.0)             # how long a fault lasts during which nothing else is done; below the supervision time
PAUSE_S = (0.0, 0.8)             # between two strikes
STRIKES = (3, 7)
LASTING = (0, 1, 1, 2)           # how many at once
LONG_S, LONG_SHARE = 60.0, 0.05  # now and then a fault lasts so much longer


def play(world: World, end: float, say: Callable[[str], None]) -> None:
    """Break things until the monotonic clock shows `end`; `say` gets a line for each step."""
    fitting = [fault for fault in FAULTS if fault.fits(world)]
    while time.monotonic() < end:
        told: list[str] = []
        with ExitStack() as stack:
            began = lasting(world, fitting, stack)
            told += [fault.name for fault in began]
            if any(fault.alone for fault in began):
                world.go_on(world.chance.uniform(*ALONE_S))
            else:
                told += [fault.name for fault in strikes(world, fitting)]
            if began and not began[0].alone and world.chance.random() < LONG_SHARE:
                world.go_on(min(LONG_S, max(0.0, end - time.monotonic())))
        world.until_served(EVERYONE)
        say(" + ".join(f"{told.count(name)} x {name}" for name in dict.fromkeys(told)))


def lasting(world: World, fitting: list[Fault], stack: ExitStack) -> list[Fault]:
    """Begin some faults that last as long as `stack`; one that allows no other comes without."""
    held = [fault for fault in fitting if fault.hold is not None]
    chosen = world.chance.sample(held, world.chance.choice(LASTING))
    alone = [fault for fault in chosen if fault.alone]
    begun = []
    for fault in alone[:1] or chosen:
        assert fault.hold is not None
        try:
            stack.enter_context(fault.hold(world))
        except NotNow:
            continue
        begun.append(fault)
        world.injected[fault.name] += 1
    return begun


def strikes(world: World, fitting: list[Fault]) -> Iterator[Fault]:
    """Strike several times, and yield what did."""
    striking = [fault for fault in fitting if fault.strike is not None]
    for fault in world.chance.choices(striking, [fault.weight for fault in striking],
                                      k=world.chance.randint(*STRIKES)):
        assert fault.strike is not None
        try:
            fault.strike(world)
        except NotNow:
            continue
        world.injected[fault.name] += 1
        yield fault
        world.go_on(world.chance.uniform(*PAUSE_S))

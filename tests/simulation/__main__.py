"""`make simulate N=10000`: as many worlds as are asked for, from SEED on; or one, with all that happened in it."""
from __future__ import annotations

import os
import sys
from collections import Counter
from concurrent.futures import ProcessPoolExecutor

from tests.simulation.world import World

SHOWN_MAX = 5


def live(seed: int) -> tuple[int, list[str], Counter[str]]:
    world = World(seed)
    wrong = world.run()
    counts = world.counts + Counter({"worlds": 1, "lives": world.lives})
    counts["signals acknowledged"] = sum(signal.acknowledged for one in world.transmitters for signal in one.signals)
    counts["signals stored"] = len(world.database.tables.signals)
    counts["events forwarded"] = len(world.subscribers[0].events)
    return seed, wrong, counts


def show(seed: int) -> int:
    """Run one and print all that happened."""
    world = World(seed)
    wrong = world.run()
    print("\n".join(world.trace))
    print("\n".join(wrong) or "nothing wrong")
    return 1 if wrong else 0


def main() -> int:
    """Return 0, or 1 when something was found."""
    if len(sys.argv) == 2:
        return show(int(sys.argv[1]))
    first, count = int(sys.argv[1]), int(sys.argv[2])
    total: Counter[str] = Counter()
    bad = []
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        for seed, wrong, counts in pool.map(live, range(first, first + count), chunksize=10):
            total += counts
            if wrong:
                bad.append(seed)
                if len(bad) <= SHOWN_MAX:
                    print(f"seed {seed}: {wrong[0]}", flush=True)
            if total["worlds"] % 500 == 0:
                print(f"{total['worlds']} worlds, {total['kill'] + total['power cut']} kills, {len(bad)} wrong",
                      flush=True)
    print(f"from seed {first}:")
    for what, times in sorted(total.items()):
        print(f"{times:10} {what}")
    print(f"{len(bad):10} wrong" + (f": {' '.join(map(str, bad[:20]))}" if bad else ""))
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())

"""A thousand worlds in which everything fails, and an engine that loses nothing; and bugs that they must find."""
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import pytest

from tests.simulation.planted import PLANTED
from tests.simulation.world import World

SEEDS, AT_ONCE = 1000, 100
SEEDS_FOR_A_BUG = 600            # within so many worlds each planted one is found
pytestmark = pytest.mark.slow


def wrong_in(seed: int) -> tuple[int, list[str]]:
    return seed, World(seed).run()


@pytest.fixture(scope="module")
def processes():
    with ProcessPoolExecutor(mp_context=get_context("spawn")) as pool:
        yield pool


@pytest.mark.parametrize("first", range(0, SEEDS, AT_ONCE))
def test_nothing_acknowledged_is_lost_and_no_fault_is_ours(first, processes):
    for seed, wrong in processes.map(wrong_in, range(first, first + AT_ONCE), chunksize=10):
        assert not wrong, f"make simulate SEED={seed} shows it again:\n" + "\n".join(wrong)


@pytest.mark.parametrize("seed", [676, 100927, 102037])
def test_what_was_found_once_stays_mended(seed):
    assert not World(seed).run()


@pytest.mark.parametrize("seed", [7, 44, 47, 120])
def test_a_seed_gives_the_same_run_again(seed):
    first, again = World(seed), World(seed)
    first.run()
    again.run()
    assert first.trace == again.trace
    assert first.database.tables == again.database.tables


@pytest.mark.parametrize("bug", PLANTED)
def test_a_planted_bug_is_found(bug):
    with PLANTED[bug]():
        assert any(World(seed).run() for seed in range(SEEDS_FOR_A_BUG)), f"nothing found: an engine that {bug}"

"""When frames are due, and which are signals."""

from loadgen.pacing import count_signals, due_ns, signal_numbers


def test_frames_are_due_at_even_distances_and_never_drift():
    assert [due_ns(100_000, k) for k in range(4)] == [0, 10_000, 20_000, 30_000]
    assert due_ns(3, 3_000_000, start_ns=7) == 1_000_000 * 10**9 + 7
    assert due_ns(100_000, 10**9) == 10_000 * 10**9
    assert due_ns(0.5, 1) == 2 * 10**9


def test_the_same_seed_gives_the_same_signals():
    first = signal_numbers(1, 0.01, 20_000)
    assert first == signal_numbers(1, 0.01, 20_000)
    assert first != signal_numbers(2, 0.01, 20_000)
    assert len(first) == count_signals(1, 0.01, 20_000)


def test_the_share_is_kept():
    assert signal_numbers(5, 0.0, 1000) == []
    assert signal_numbers(5, 1.0, 1000) == list(range(1000))
    assert 900 < count_signals(5, 0.001, 1_000_000) < 1100

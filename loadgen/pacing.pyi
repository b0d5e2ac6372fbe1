def due_ns(rate: float, number: int, start_ns: int = 0) -> int:
    """Return when frame `number` is due at `rate` frames a second, in ns."""

def signal_numbers(seed: int, share: float, frames: int) -> list[int]:
    """Return which of the first `frames` frames are signals; share 0..1."""

def count_signals(seed: int, share: float, frames: int) -> int:
    """Return how many of the first `frames` frames are signals; 2 ns a frame."""

"""A disk that fails on order: `disk.c`, compiled where it is needed, and the file through which it takes orders."""
from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SOURCE = Path(__file__).with_name("disk.c")


def compiled(directory: Path) -> Path:
    """Compile the library into `directory`, readable by everyone; return its path."""
    library = directory / "disk.so"
    if not library.exists():
        subprocess.run([os.environ.get("CC", "gcc"), "-shared", "-fPIC", "-O2", "-Wall", "-Werror", str(SOURCE), "-o",
                        str(library), "-ldl"], check=True)
        library.chmod(0o755)
    return library


class FaultyDisk:
    """What lies under `place`, for the processes that are started with `environment`.

    directory  where library and order go; PostgreSQL's user must be able to read there
    """

    def __init__(self, directory: Path, place: Path, name: str) -> None:
        self._order = directory / f"order-{name}"
        self._order.write_text("")
        self._order.chmod(0o644)
        self.environment = {"LD_PRELOAD": str(compiled(directory)), "FAULTY_DISK": str(place.absolute()),
                            "FAULTY_ORDER": str(self._order)}

    def order(self, word: str) -> None:
        """Let it be full, thin, broken, "slow MS" or, with "", sound."""
        self._order.write_text(word)

    @contextmanager
    def under(self, word: str) -> Iterator[FaultyDisk]:
        """Give an order, and take it back at the end."""
        self.order(word)
        try:
            yield self
        finally:
            self.order("")

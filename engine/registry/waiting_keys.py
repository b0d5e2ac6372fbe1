"""Keys that came with a file and are not in force yet: in a file of their own, so that a million take no memory."""
from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from typing import IO

from engine.registry.keys import KeyStore, KeyStoreError


class WaitingKeys:
    """A context: what was not committed at its end is forgotten. The file has no name and mode 0600.

    keys  None: there is no key store, and no key may come
    """

    def __init__(self, keys: KeyStore | None) -> None:
        self._keys = keys
        self._file: IO[bytes] | None = None
        self._count = 0

    def __enter__(self) -> WaitingKeys:
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            self._file.close()

    def has(self, transmitter: str) -> bool:
        """Tell whether the key store has a key already."""
        return self._keys is not None and self._keys.has(transmitter)

    def add(self, transmitter: str, key: bytes) -> None:
        """Let a key wait. Raises KeyStoreError."""
        if self._keys is None:
            raise KeyStoreError("keys need a data directory: name the engine's with --data")
        if self._keys.all().get(transmitter) == key:
            return
        try:
            if self._file is None:
                directory = self._keys.path.parent
                directory.mkdir(mode=0o711, parents=True, exist_ok=True)
                self._file = tempfile.TemporaryFile(dir=directory)  # noqa: SIM115 - closed in __exit__
            self._file.write(b"%b %b\n" % (transmitter.encode(), key.hex().encode()))
        except OSError as error:
            raise KeyStoreError(f"{self._keys.path.parent}: {error.strerror}") from None
        self._count += 1

    def commit(self, gone: Iterable[str]) -> None:
        """Put what waits into the key store, and take out the keys of those that are gone. Raises KeyStoreError."""
        if self._keys is not None:
            removed: list[tuple[str, bytes | None]] = [(one, None) for one in gone if self._keys.has(one)]
            if self._count or removed:
                self._keys.write(self._changes(removed))

    def _changes(self, removed: list[tuple[str, bytes | None]]) -> Iterator[tuple[str, bytes | None]]:
        yield from removed
        if self._file is not None:
            self._file.flush()
            self._file.seek(0)
            for line in self._file:
                name, _, digits = line.decode().partition(" ")
                yield name, bytes.fromhex(digits.strip())

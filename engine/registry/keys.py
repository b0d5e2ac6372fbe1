"""The transmitters' keys: a file in the data directory, mode 0600, in which they can be set and removed, never shown.

    transmitter-keys         one line a change, the last one of a transmitter counts: NAME KEY, the key in hex digits,
                             or NAME - where it was removed. Writers append; who finds half of it outdated makes it anew
    transmitter-keys.lock    held by whoever writes, in this process or another

A change is durable before `set` returns. A line that a crash cut off counts for nothing, and the next writer takes it
away. Nothing here, no error and no log line, holds a key. Readers beside the writer see whole lines only.
"""
from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import threading
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

log = logging.getLogger("engine.registry")
NAME = "transmitter-keys"
KEY_BYTES = frozenset((16, 24, 32))
REMOVED = b"-"
LINES_MIN = 4096                 # a file of fewer is not worth making anew
WRITE_LINES = 65536


class KeyStoreError(Exception):
    """The keys cannot be read or written; the text names the file, never a key."""


class KeyStore:
    """The keys in a data directory. What it holds is what the file held at `load` or `reload`, and what was set since.

    directory   is there already, or the first change makes it
    watch       remember which keys change after `load`, for `take_changed`
    Threads     any may call anything; `load`, `reload` and changes block for the disk, so they do not belong on a loop
    Cost        about 200 bytes a key
    """

    def __init__(self, directory: Path | str, *, watch: bool = False) -> None:
        self.path = Path(directory) / NAME
        self._watch = watch
        self._touched: set[str] = set()
        self._mine = threading.RLock()
        self._keys: dict[str, bytes] = {}
        self._lines = 0
        self._mark = (0, 0, 0)           # inode, size and mtime (ns) of what was read
        self._read_to = 0

    def load(self) -> None:
        """Read the whole file, and make it anew when most of it is outdated. Raises KeyStoreError."""
        with self._mine:
            watch, self._watch = self._watch, False
            self._forget()
            self._follow()
            if self._lines > max(LINES_MIN, 2 * len(self._keys)):
                with self._writing():
                    self._make_anew()
            self._watch = watch

    def changed(self) -> bool:
        """Tell whether the file is another than was read, or there is something to take: one stat, for once a second.

        Raises  KeyStoreError
        """
        return bool(self._touched) or self._mark_now() != self._mark

    def reload(self) -> bool:
        """Read what was added since; return whether anything was. Raises KeyStoreError."""
        with self._mine:
            if self._mark_now() == self._mark:
                return False
            self._follow()
            return True

    def take_changed(self) -> set[str]:
        """Return transmitters whose keys may have changed since the last call, by whomever; of a store that watches."""
        with self._mine:
            touched, self._touched = self._touched, set()
            return touched

    def has(self, transmitter: str) -> bool:
        """Tell whether a transmitter has a key."""
        return transmitter in self._keys

    def get(self, transmitter: str) -> bytes:
        """Return a transmitter's key, or b""; for the engine that decrypts with it and for nobody else."""
        return self._keys.get(transmitter, b"")

    def all(self) -> Mapping[str, bytes]:
        """Return transmitter -> key, as `get`. Another thread's change shows in it, also while it is looped over."""
        return self._keys

    def __len__(self) -> int:
        return len(self._keys)

    def set(self, transmitter: str, key: bytes) -> None:
        """Keep the key of one transmitter. Durable when it returns; blocks for a flush. Raises KeyStoreError."""
        self.write([(transmitter, key)])

    def remove(self, transmitter: str) -> None:
        """Forget the key of one transmitter, which may have none. Durable when it returns. Raises KeyStoreError."""
        self.write([(transmitter, None)])

    def write(self, changes: Iterable[tuple[str, bytes | None]]) -> int:
        """Set or remove (None) many with one flush, in pieces of bounded size; return how many.

        A removal of what has no key writes nothing.
        Raises  ValueError before anything of its piece is written; KeyStoreError
        """
        count = 0
        with self._mine, self._writing():
            self.reload()
            for piece in pieces(changes):
                added = {transmitter for transmitter, key in piece if key is not None}
                lines = [line_of(transmitter, key) for transmitter, key in piece
                         if key is not None or transmitter in self._keys or transmitter in added]
                self._append(b"".join(lines))
                count += len(lines)
            self._flush()
        self.reload()
        return count

    def _follow(self) -> None:
        """Apply the whole lines behind the place up to which the file was read."""
        try:
            with self.path.open("rb") as file:
                found = os.fstat(file.fileno())
                if found.st_mode & 0o077:
                    raise KeyStoreError(f"{self.path}: others may read it; allowed is mode 0600")
                if found.st_ino != self._mark[0] or found.st_size < self._read_to:   # made anew, or put back
                    self._forget()
                file.seek(self._read_to)
                text = file.read()
        except FileNotFoundError:
            self._forget()
            return
        except OSError as error:
            raise KeyStoreError(f"{self.path}: {error.strerror}") from None
        whole = text.rfind(b"\n") + 1
        self._read_to += whole
        self._mark = (found.st_ino, found.st_size, found.st_mtime_ns)
        broken = self._apply(text[:whole].split(b"\n")[:-1])
        if broken:
            log.error("lines of the key file are none and were passed over", extra={"file": str(self.path),
                                                                                    "lines": broken})

    def _forget(self) -> None:
        if self._watch:
            self._touched.update(self._keys)
        self._keys, self._lines, self._read_to, self._mark = {}, 0, 0, (0, 0, 0)

    def _apply(self, lines: list[bytes]) -> int:
        """Apply lines; return how many are none."""
        keys, broken = self._keys, 0
        self._lines += len(lines)
        for line in lines:
            name, _, digits = line.partition(b" ")
            try:
                transmitter = name.decode("ascii")
                key = b"" if digits == REMOVED else bytes.fromhex(digits.decode())
            except ValueError:
                broken += 1
                continue
            if digits == REMOVED:
                keys.pop(transmitter, None)
            elif len(key) in KEY_BYTES and transmitter:
                keys[transmitter] = key
            else:
                broken += 1
                continue
            if self._watch:
                self._touched.add(transmitter)
        return broken

    def _append(self, lines: bytes) -> None:
        if not lines:
            return
        try:
            with self._open_file() as handle:
                end = os.fstat(handle).st_size
                if end > self._read_to:          # half a line of a crash; under the lock nobody else is writing it
                    os.ftruncate(handle, self._read_to)
                write_all(handle, lines)
        except OSError as error:
            raise KeyStoreError(f"{self.path}: {error.strerror}") from None
        self._follow()

    def _flush(self) -> None:
        try:
            if self.path.exists():
                flush(self.path)
                flush(self.path.parent)
        except OSError as error:
            raise KeyStoreError(f"{self.path}: {error.strerror}") from None

    def _make_anew(self) -> None:
        """Write what counts into a file beside, and put it in the old one's place. The lock is held."""
        self._follow()
        beside = self.path.with_suffix(".new")
        try:
            with contextlib.suppress(FileNotFoundError):
                beside.unlink()
            with self._open_file(beside) as handle:
                for piece in pieces(self._keys.items()):
                    write_all(handle, b"".join(line_of(transmitter, key) for transmitter, key in piece))
                os.fsync(handle)
            beside.rename(self.path)
            flush(self.path.parent)
        except OSError as error:
            raise KeyStoreError(f"{self.path}: {error.strerror}") from None
        self._lines, self._mark = len(self._keys), self._mark_now()
        self._read_to = self._mark[1]

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        """Hold the lock on the file for this process. Blocks while another one writes."""
        try:
            self.path.parent.mkdir(mode=0o711, parents=True, exist_ok=True)
            with self._open_file(self.path.with_suffix(".lock")) as handle:
                fcntl.flock(handle, fcntl.LOCK_EX)
                yield
        except OSError as error:
            raise KeyStoreError(f"{self.path}: {error.strerror}") from None

    @contextlib.contextmanager
    def _open_file(self, path: Path | None = None) -> Iterator[int]:
        """Open a file of ours for appending, made with mode 0600; one made by root belongs to the directory's owner."""
        path = path or self.path
        handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            if os.geteuid() == 0:
                owner = os.stat(path.parent)
                os.fchown(handle, owner.st_uid, owner.st_gid)
            yield handle
        finally:
            os.close(handle)

    def _mark_now(self) -> tuple[int, int, int]:
        try:
            found = self.path.stat()
        except FileNotFoundError:
            return 0, 0, 0
        except OSError as error:
            raise KeyStoreError(f"{self.path}: {error.strerror}") from None
        return found.st_ino, found.st_size, found.st_mtime_ns


def line_of(transmitter: str, key: bytes | None) -> bytes:
    """Return a line of the file. Raises ValueError, which names the transmitter alone."""
    name = transmitter.encode("ascii", "replace")
    if not name or b" " in name or b"\n" in name or b"?" in name:
        raise ValueError(f"{transmitter!r} is no transmitter")
    if key is None:
        return name + b" " + REMOVED + b"\n"
    if len(key) not in KEY_BYTES:
        raise ValueError(f"the key of {transmitter} has {len(key)} bytes; allowed are 16, 24 and 32")
    return name + b" " + key.hex().encode() + b"\n"


def pieces(changes: Iterable[tuple[str, bytes | None]]) -> Iterator[list[tuple[str, bytes | None]]]:
    piece: list[tuple[str, bytes | None]] = []
    for change in changes:
        piece.append(change)
        if len(piece) == WRITE_LINES:
            yield piece
            piece = []
    if piece:
        yield piece


def write_all(handle: int, data: bytes) -> None:
    while data:
        data = data[os.write(handle, data):]


def flush(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)

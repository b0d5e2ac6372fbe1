"""What a stream of bytes must lead to in an engine: the plain codec, a dictionary of status words, a list of frames.

Slow on purpose, and made from the rules in words (engine/admit/admit.pxd, levels.pxd), not from the code.
"""
from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from codec import reference_dc09, reference_gbt26875, reference_surgard, reference_tocsin
from codec.reference import Bad, Profile

WINDOW_BYTES = 10_000                # more than any frame has: what stands beyond decides nothing
SPOKEN = 0xFFFE
START = re.compile(rb"[\n@\xc1]|S(?=R|\Z)")
UNREADABLE = "a token that is not read: "
KNOWN_TOKENS = {token.decode() for token in
                reference_dc09.HEARTBEATS | reference_dc09.REPLIES | reference_dc09.EVENTS | reference_dc09.OTHER_DATA}
NOT_ANSWERED = {"control", "request", "answer"}

Fields = dict[str, Any]
Path = tuple[Any, ...]
Told = tuple[str, str, str, str, str, str, str]


@dataclass(frozen=True)
class Row:
    """A row that ADMIT decides about: a signal, or a status word that may become some."""

    point: str
    stamp: int | str | None
    signals: tuple[Fields, ...]
    source: int = 0                  # data type of a status word; 0: a signal
    word: int = 0


@dataclass(frozen=True)
class Entry:
    """One admitted signal."""

    path: Path
    identity: bytes
    ordinal: int
    point: str
    stamp: int | str | None
    coming: int                      # which coming of its frame


@dataclass
class Truth:
    """Give it bytes; it says what the engine must answer, store and count.

    key_of  the key that the configuration gives an account of a listener, or None
    """

    key_of: Callable[[str, str], bytes | None]
    rows: list[Told] = field(default_factory=list)           # listener, account, class, condition, state, point, native
    frames: Counter[tuple[str, str]] = field(default_factory=Counter)
    replies: Counter[tuple[str, str]] = field(default_factory=Counter)
    refused: Counter[tuple[str, str]] = field(default_factory=Counter)
    duplicates: int = 0
    entries: list[Entry] = field(default_factory=list)
    words: dict[tuple[Path, int, str], tuple[int, int]] = field(default_factory=dict)   # word, resets before it
    resets: Counter[Path] = field(default_factory=Counter)
    untold: set[Path] = field(default_factory=set)           # paths that sent a token which nobody can read
    comings: int = 0

    # -- bytes

    def take(self, listener: str, data: bytes, now_ns: int, *, goes_on: bool) -> list[tuple[str, str, int, str]]:
        """Read a connection's bytes or a datagram; return (protocol, token, sequence, account) of each reply, in order.

        goes_on  whether more bytes might come, as on TCP: what is not complete is waited for, and never passed over
        """
        answers = []
        at = 0
        while at < len(data):
            window = data[at:at + WINDOW_BYTES]
            try:
                found = self.read(listener, window, now_ns)
            except Bad as bad:
                if str(bad) == "need_data" and goes_on:
                    break
                following = START.search(data, at + 1)
                at = following.start() if following else len(data)
                continue
            answer = self.frame(listener, data[at:at + found["length"]], found)
            if answer:
                answers.append(answer)
            at += found["length"]
        return answers

    def read(self, listener: str, data: bytes, now_ns: int) -> Fields:
        if data[0] == 0x40:
            return reference_gbt26875.read_frame(data, now_ns)
        if data[0] == 0xC1:
            return reference_tocsin.read_frame(data, None)
        if data[0] == 0x53:
            return reference_surgard.read_frame(data, Profile())
        found = reference_dc09.read_frame(data, now_ns, Profile())
        key = self.key_of(listener, found["account"]) if found["encrypted"] else None
        return reference_dc09.read_frame(data, now_ns, Profile(key)) if key else found

    # -- frames

    def frame(self, listener: str, data: bytes, found: Fields) -> tuple[str, str, int, str] | None:
        """Take one frame; return its reply."""
        protocol, kind, status = found["protocol"], found["kind"], found["status"]
        path = (listener, protocol, found["account"], found["receiver"], found["line"],
                None if found["encrypted"] else found["network"])
        late = any("late" in signal["flags"] for signal in found["signals"])
        if kind == "reply":              # nobody opens it
            self.frames[protocol, kind] += 1
            return None
        if status != "ok":
            self.refused[protocol, status] += 1
        elif kind in ("signal", "other"):
            rows = self.rows_of(data, found)
            if rows and not self.admit(path, self.identity(listener, data, found), rows, found):
                kind = "heartbeat"
        if status == "ok":
            self.frames[protocol, kind] += 1
        if status == "crypto" or protocol == "gbt26875" and found["token"] in NOT_ANSWERED:
            return None
        result = "accept" if status == "ok" and not late else "refuse"
        if status == "field" and protocol == "dc09":
            result = "unable"
        self.replies[protocol, result] += 1
        names = {"accept": "ACK", "refuse": "NAK", "unable": "DUH"}
        if protocol == "gbt26875":
            names = {"accept": "confirm", "refuse": "deny"}
            return protocol, names[result], found["sequence"], str(int.from_bytes(data[18:24], "little"))
        if found["token"] == "SR":       # Sur-Gard's heartbeat is answered by one byte
            return protocol, "06", 0, ""
        account = "" if result == "refuse" or not reference_dc09.read_header(data_body(data))["header_account"] \
            else found["account"]
        return protocol, names[result], 0 if result == "refuse" else found["sequence"], account

    def identity(self, listener: str, data: bytes, found: Fields) -> bytes:
        """What makes two frames the same: all but the time of sending, and pad and cipher where it is encrypted."""
        if found["protocol"] == "gbt26875":
            return data[2:4] + data[12:-3]
        part = reference_dc09.read_header(data_body(data))
        key = self.key_of(listener, found["account"]) if found["encrypted"] else None
        if key:
            opened = reference_dc09.unseal(key, part["rest"])
            assert opened is not None
            reference_dc09.read_rest(part, opened[0])
        return bytes(part["identity"])

    def rows_of(self, data: bytes, found: Fields) -> list[Row]:
        if found["protocol"] == "dc09":
            stamp = found["occurred"] or found["timestamp"]
            return [Row(signal["point"], stamp, (signal,)) for signal in found["signals"]]
        content, rows = data[27:-3], []
        header, coded = reference_gbt26875.stamp(data[6:12], 0)
        if found["token"] not in ("send", "answer"):
            return [Row(signal["point"], header, (signal,)) for signal in found["signals"]]
        for each, tag in reference_gbt26875.objects(content[0], content[1], content[2:]):
            stamp = reference_gbt26875.occurred(tag, header, coded) if tag else header
            if "level" in each:
                rows.append(self.level(content[0], each, stamp))
            else:
                rows += [Row(signal["point"], stamp, (signal,)) for signal in each["signals"]]
        return rows

    @staticmethod
    def level(data_type: int, each: Fields, stamp: int | None) -> Row:
        """A status word, with what each of its bits would say."""
        word, where = each["level"]["word"], each["level"]["point"]
        said = []
        for bit in range(16):
            meaning = reference_gbt26875.meanings().get((data_type, each["subject"], bit),
                                                        reference_gbt26875.UNKNOWN)
            said.append({"class": meaning[0], "condition": meaning[1], "point": where, "native": each["native"],
                         "state": "raised" if word >> bit & 1 else "cleared"})
        return Row(where, stamp, tuple(said), data_type, word & SPOKEN)

    # -- admit

    def compared(self, path: Path, row: Row) -> int:
        """The word that a word is compared with: after a reset, the last one without what this one says too."""
        word, resets = self.words.get((path, row.source, row.point), (0, self.resets[path]))
        return word if resets == self.resets[path] else word & ~row.word

    def admit(self, path: Path, identity: bytes, rows: list[Row], found: Fields) -> bool:
        """Take a frame's rows in, unless all was said before. False: it told nothing, and only lives."""
        if all(row.source and row.word == self.compared(path, row) for row in rows):
            return False
        if self.is_known(path, identity, rows):
            self.duplicates += 1
            return True
        self.comings += 1
        kept: list[tuple[Row, Fields]] = []
        for row in rows:
            if not row.source:
                kept.append((row, row.signals[0]))
                continue
            changed = row.word ^ self.compared(path, row)
            kept += [(row, row.signals[bit]) for bit in range(1, 16) if changed >> bit & 1]
            if changed:
                self.words[path, row.source, row.point] = row.word, self.resets[path]
        for ordinal, (row, signal) in enumerate(kept, 1):
            self.entries.append(Entry(path, identity, ordinal, row.point, row.stamp, self.comings))
            self.rows.append((path[0], found["account"], signal["class"], signal["condition"], signal["state"],
                              row.point, signal["native"]))
        self.note_resets(path, rows, [signal for _, signal in kept])
        if found["protocol"] == "dc09" and found["token"] not in KNOWN_TOKENS and path not in self.untold:
            self.untold.add(path)
            self.rows.append((path[0], found["account"], "fault", "communication_fault", "raised", "",
                              UNREADABLE + found["token"]))
        return True

    def note_resets(self, path: Path, rows: list[Row], signals: list[Fields]) -> None:
        """Count the resets that a frame tells of; words of the same frame are not older than they."""
        if path[1] != "gbt26875":
            return
        for signal in signals:
            if signal["condition"] == "reset" and signal["state"] != "cleared":
                before, self.resets[path] = self.resets[path], self.resets[path] + 1
                for row in rows:
                    key = (path, row.source, row.point)
                    if row.source and self.words.get(key, (0, -1)) == (row.word, before):
                        self.words[key] = row.word, self.resets[path]

    def newest(self, path: Path, **named: object) -> Entry | None:
        """The newest entry of a path that has these values."""
        return next((entry for entry in reversed(self.entries) if entry.path == path
                     and all(getattr(entry, name) == value for name, value in named.items())), None)

    def is_known(self, path: Path, identity: bytes, rows: list[Row]) -> bool:
        if any(row.source for row in rows):
            first = self.newest(path, identity=identity, ordinal=1)
            return first is not None and first.stamp is not None and any(row.stamp == first.stamp for row in rows)
        for ordinal, row in enumerate(rows, 1):
            entry = self.newest(path, identity=identity, ordinal=ordinal)
            if entry is None:
                return False
            if row.stamp is None or row.stamp != entry.stamp:
                latest = self.newest(path, point=entry.point)
                if latest is None or (latest.identity, latest.coming) != (identity, entry.coming):
                    return False
        return True


def data_body(data: bytes) -> bytes:
    """The body of a sound DC-09 frame."""
    return reference_dc09.split(data)[0]

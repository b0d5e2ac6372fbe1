"""The newest entries in memory, so that who reads along needs no disk."""
from bisect import bisect_right

from engine.journal.layout import Entry


class Tail:
    """The last entries of a log, at most `bytes_max` of payload.

    floor, floor_mark  last number and mark before the oldest entry that is here
    """

    def __init__(self, bytes_max: int, floor: int, floor_mark: int) -> None:
        self.floor = floor
        self.floor_mark = floor_mark
        self.bytes_used = 0
        self._bytes_max = bytes_max
        self._entries: list[Entry] = []
        self._start = 0  # entries before it are forgotten; they are dropped in one go now and then

    def __len__(self) -> int:
        return len(self._entries) - self._start

    def push(self, entry: Entry) -> None:
        """Add the newest entry; the oldest ones make room for it."""
        self._entries.append(entry)
        self.bytes_used += len(entry.payload)
        start = self._start
        while self.bytes_used > self._bytes_max:
            oldest = self._entries[start]
            self.bytes_used -= len(oldest.payload)
            self.floor, self.floor_mark = oldest.last, oldest.mark
            start += 1
        self._start = start
        if start > 64 and start * 2 > len(self._entries):
            del self._entries[:start]
            self._start = 0
        else:
            for forgotten in range(start - 1, -1, -1):
                if self._entries[forgotten] is EMPTY:
                    break
                self._entries[forgotten] = EMPTY

    def after(self, position: int, count: int) -> list[Entry] | None:
        """Return up to `count` entries after `position`; None when some of them are no longer here."""
        if position < self.floor:
            return None
        at = bisect_right(self._entries, position, lo=self._start, key=lambda entry: entry.last)
        return self._entries[at:at + count]

    def seek(self, mark: int) -> int | None:
        """Return the number before the first entry whose mark is greater; None when that is not known here."""
        if mark < self.floor_mark:
            return None
        at = bisect_right(self._entries, mark, lo=self._start, key=lambda entry: entry.mark)
        return self._entries[at].previous if at < len(self._entries) else None


EMPTY = Entry(0, 0, 0, 0, b"")

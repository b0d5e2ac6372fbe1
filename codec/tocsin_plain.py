"""What the plain readers of the Tocsin profile share: MessagePack values one by one, and the tag. Pure Python.

Read by people (explain_tocsin.py) and by the oracle of the tests (reference_tocsin.py); the engine's reader is
tocsin_items.pyx.
"""
from hashlib import blake2s
from typing import Any

REPORT, ACCEPTED, STALE, UNABLE = 0x10, 0x20, 0x21, 0x22
REQUEST, REPLY = b"tocsin q", b"tocsin r"
OTHER = object()                 # a value that is neither nil nor a number from 0 on nor a text
ARRAY = object()
INTEGERS = {0xCC: (1, False), 0xCD: (2, False), 0xCE: (4, False), 0xCF: (8, False), 0xD0: (1, True), 0xD1: (2, True),
            0xD2: (4, True), 0xD3: (8, True)}
SIZED = {0xC4: 1, 0xC5: 2, 0xC6: 4, 0xC7: 1, 0xC8: 2, 0xC9: 4, 0xD9: 1, 0xDA: 2, 0xDB: 4, 0xDC: 2, 0xDD: 4, 0xDE: 2,
         0xDF: 4}
FIXED = {0xCA: 4, 0xCB: 8, 0xD4: 2, 0xD5: 3, 0xD6: 5, 0xD7: 9, 0xD8: 17}


class NoValue(Exception):
    """No whole value stands there."""


def tag_of(key: bytes, person: bytes, message: bytes) -> bytes:
    return blake2s(message, key=key, digest_size=8, person=person).digest()


class Body:
    """The values of a message, one after the other."""

    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 0

    def take(self, size: int) -> bytes:
        if size > len(self.data) - self.at:
            raise NoValue
        self.at += size
        return self.data[self.at - size:self.at]

    def number(self, size: int, *, signed: bool = False) -> int:
        return int.from_bytes(self.take(size), "big", signed=signed)

    def value(self) -> Any:
        """An int from 0 on, bytes of a text, None, a list for an array, or OTHER. Raises NoValue.

        An array inside of it is OTHER: no depth is read, so that none that a sender chooses costs anything.
        """
        found, inside = self.head()
        if found is not ARRAY:
            self.pass_over(inside)
            return found
        if inside > len(self.data) - self.at:
            raise NoValue
        return [self.element() for _ in range(inside)]

    def element(self) -> Any:
        found, inside = self.head()
        self.pass_over(inside)
        return OTHER if found is ARRAY else found

    def pass_over(self, pending: int) -> None:
        """Move on behind so many values and all that is inside of them."""
        while pending:
            if pending > len(self.data) - self.at:
                raise NoValue
            pending += self.head()[1] - 1

    def head(self) -> tuple[Any, int]:
        """A value, or ARRAY or OTHER with how many values stand inside of it."""
        head = self.number(1)
        if head < 0x80:
            return head, 0
        if head < 0x90:
            return OTHER, 2 * (head & 15)
        if head < 0xA0:
            return ARRAY, head & 15
        if head < 0xC0:
            return self.take(head & 31), 0
        if head in INTEGERS:
            size, signed = INTEGERS[head]
            found = self.number(size, signed=signed)
            return found if found >= 0 else OTHER, 0
        if head in FIXED:
            self.take(FIXED[head])
        elif head in SIZED:
            return self.sized(head, self.number(SIZED[head]))
        elif head == 0xC0:
            return None, 0
        elif head == 0xC1:
            raise NoValue
        return OTHER, 0

    def sized(self, head: int, size: int) -> tuple[Any, int]:
        if 0xD9 <= head <= 0xDB:
            return self.take(size), 0
        if head in (0xDC, 0xDD):
            return ARRAY, size
        if head in (0xDE, 0xDF):
            return OTHER, 2 * size
        self.take(size + (0xC7 <= head <= 0xC9))
        return OTHER, 0

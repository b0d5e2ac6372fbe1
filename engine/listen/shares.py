"""Places for connections, shared between the sources that ask for them.

A source is an IPv4 address, or an IPv6 network of 64 bits: whoever has one address of it has all. It may hold as many
places as are still free, so it never takes the last ones: one source alone stops at half, two at a third each, and
whoever comes later still gets in. Nobody is banned, and a thousand panels behind one address are welcome while there
is room for a thousand more. Who has dozens of addresses can take all in the end: each gets half of what is left. Only
who holds a place is remembered, so the table is as bounded as the places are.
"""

SOURCE_PLACES_MIN = 16           # a source with fewer gets a place as long as there is any
NETWORK_BYTES = 8                # of an IPv6 address
IPV4 = bytes(10) + b"\xff\xff"


class Shares:
    """The places of one listener. `places` is how many there are."""

    def __init__(self, places: int) -> None:
        self.places = places
        self.taken = 0
        self.by_source: dict[bytes, int] = {}

    def take(self, address: bytes) -> str:
        """Take a place for an address of 16 bytes, IPv4 mapped into IPv6.

        Returns  why there is none: too_many | source_share; empty: it is taken, give_back() must follow
        """
        source = source_of(address)
        held, free = self.by_source.get(source, 0), self.places - self.taken
        if free <= 0:
            return "too_many"
        if held >= max(free, SOURCE_PLACES_MIN):
            return "source_share"
        self.by_source[source] = held + 1
        self.taken += 1
        return ""

    def give_back(self, address: bytes) -> None:
        """Give a place back that was taken for this address."""
        source = source_of(address)
        self.taken -= 1
        self.by_source[source] -= 1
        if not self.by_source[source]:
            del self.by_source[source]

    def check(self) -> None:
        """Verify what must hold whenever nobody is at work."""
        assert sum(self.by_source.values()) == self.taken <= self.places
        assert all(held > 0 for held in self.by_source.values())


def source_of(address: bytes) -> bytes:
    """Return what of an address tells one source from another."""
    return address if address.startswith(IPV4) else address[:NETWORK_BYTES]

from loadgen.tcp import TcpConnections
from loadgen.transmitters import Transmitters
from loadgen.udp import UdpSockets

class Fleet:
    """The open loop over transmitters and their links.

    fds       the sockets of `links`, in its order
    rate      frames a second
    frames    how many in all
    share     of signals among them, 0..1, drawn from `seed`
    window    most frames outstanding at a time; 0 is the open loop, others are for measuring the ceiling
    replies   False: plain DC-09 heartbeats by UDP alone, whatever `share`, and no reply is read or waited for
    grace_ns  how long heartbeats' replies are waited for after the last frame
    Raises    OSError
    """

    def __init__(
        self,
        transmitters: Transmitters,
        links: UdpSockets | TcpConnections,
        fds: list[int],
        *,
        rate: float,
        frames: int,
        seed: int,
        share: float,
        window: int = 0,
        replies: bool = True,
        grace_ns: int = 2_000_000_000,
    ) -> None: ...
    def watch(self, link: int, fd: int) -> None:
        """Read replies from `fd` as link number `link`; for a connection that was opened again."""
    def begin(self, start_ns: int, stop_ns: int) -> None:
        """Set when frame 0 is due and when sending ends at the latest; monotonic ns."""
    def run(self, until_ns: int) -> bool:
        """Turn without the GIL until `until_ns`; return True when all is sent and answered or given up."""
    @property
    def sent(self) -> int:
        """Frames whose turn has come, the withheld ones included, retransmissions not."""
    @property
    def answered(self) -> int: ...
    @property
    def sent_ns(self) -> int:
        """When the last frame left, monotonic ns; 0 while sending."""
    @property
    def behind_ns(self) -> int:
        """The latest that any frame left after it was due."""
    @property
    def turns(self) -> int: ...

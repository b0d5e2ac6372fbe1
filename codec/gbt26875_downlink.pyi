from collections.abc import Sequence

def build_frame(command: int, data: bytes = b"", *, serial: int = 0, source: int = 0, destination: int = 0,
                stamp_ns: int = 0, version: tuple[int, int] = (1, 1)) -> bytes:
    """Return a GB/T 26875.3 frame with its length and checksum.

    command      0..255
    data         0..1024 bytes: type, count, objects
    serial       0..65535
    source       48 bits, likewise destination
    stamp_ns     ns since 1970 UTC, written in UTC+8
    Raises       ValueError when a number or the data does not fit
    """

def build_request(data_type: int, *, systems: Sequence[tuple[int, int]] = (),
                  components: Sequence[tuple[int, int, bytes]] = (), number: int = 0, start_ns: int = 0,
                  minutes: int = 0, serial: int = 0, source: int = 0, destination: int = 0,
                  stamp_ns: int = 0) -> bytes:
    """Return the frame by which a centre asks for or orders something.

    data_type    61..68, 81, 84, 85, 86, 88: command request; 89, 90, 91: command control
    systems      (system type, address): of 61 up to 102, of 66 up to 3, of 64, 65 and 68 just one
    components   (system type, system address, 4 bytes of component address): of 62 up to 22, 63 up to 63, 67 up to 26
    number       records wanted, 1..102, and start_ns, from when on: of 64 and 84
    minutes      until the guard must have answered, 0..255: of 91
    stamp_ns     wall clock, ns since 1970 UTC; what 90 sets the transmitter's clock to
    Raises       ValueError for an unknown type, and for what the type does not take or not so often
    """

def tag_bytes(ns: int) -> bytes:
    """Return the 6 bytes of a time tag in UTC+8; zeros outside 2000..2099."""

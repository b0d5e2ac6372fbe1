"""Wire formats of alarm transmitters: bytes in, rows out. No I/O, no clock, no memory of earlier frames."""

"""A transmitter of the Tocsin profile (tocsin-profile.md) in plain Python: a heartbeat and a fire over UDP."""
import hmac
import os
import socket
import struct
import sys
from contextlib import suppress
from hashlib import blake2s
from pathlib import Path


def checksum(data: bytes) -> bytes:
    crc = 0
    for bit in (byte >> shift & 1 for byte in data for shift in range(8)):
        crc = crc >> 1 ^ 0xA001 * (crc & 1 ^ bit)
    return crc.to_bytes(2, "big")

class Transmitter:
    waits_s = 1, 2, 4, 8         # until the same bytes go again
    def __init__(self, host: str, port: int, key_id: int, key: bytes, file: Path) -> None:
        self.link, self.to = socket.socket(socket.AF_INET, socket.SOCK_DGRAM), (host, port)
        self.key_id, self.key, self.file = key_id, key, file
        self.counter = self.reserved = int(file.read_text() or 0) if file.exists() else 0

    def next_counter(self) -> int:
        self.counter += 1
        if self.counter > self.reserved:             # none is used before as high a one is safe on the disk
            self.reserved = self.counter + 999       # one write for a thousand; a restart skips the rest of them
            file = os.open(self.file, os.O_WRONLY | os.O_CREAT | os.O_DSYNC, 0o600)
            os.write(file, b"%010d" % self.reserved)
            os.close(file)
        return self.counter

    def report(self, body: bytes = b"") -> bool:     # True: accepted. After a 21 it is a new message
        kind = 0x21
        while kind == 0x21:
            head = struct.pack(">BHII", 0xC1, 18 + len(body), 0x10 << 24 | self.key_id, self.next_counter())
            kind, counter = self.exchange(head + checksum(head) + body)
            self.counter = max(self.counter, counter)
        return kind == 0x20

    def exchange(self, message: bytes) -> tuple[int, int]:     # kind and counter of its reply; 0, 0: none came
        tag = blake2s(message, key=self.key, digest_size=8, person=b"tocsin q").digest()
        for wait_s in self.waits_s:
            self.link.settimeout(wait_s)
            self.link.sendto(message + tag, self.to)
            with suppress(TimeoutError):
                while True:
                    reply = self.link.recv(2048)
                    proof = blake2s(tag + reply[:13], key=self.key, digest_size=8, person=b"tocsin r").digest()
                    if hmac.compare_digest(reply[13:], proof):
                        return struct.unpack(">3xB3xI10x", reply)
        return 0, 0

if __name__ == "__main__":
    host, port, key_id, key_file, counter_file, point = sys.argv[1:]         # the key file has 64 hex digits
    sender = Transmitter(host, int(port), int(key_id), bytes.fromhex(Path(key_file).read_text()), Path(counter_file))
    done = [sender.report(body) for body in (b"", b"\x95\xc0\1\2\1%c%b" % (0xA0 + len(point), point.encode("ascii")))]
    sys.exit(0 if all(done) else f"not accepted, try the other receiver: heartbeat {done[0]}, fire {done[1]}")

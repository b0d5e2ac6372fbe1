"""Encrypted DC-09 frames that are right, or nearly so, and what is known of their transmitters."""
import random

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from codec.reading import build_frame, enclose

NOW_S = 1_767_268_800  # 2026-01-01 12:00:00 UTC
KEYS = [bytes(range(size)) for size in (16, 24, 32)]
TOKENS = [b"SIA-DCS"] * 4 + [b"ADM-CID"] * 4 + [b"NULL", b"NULL", b"XNM", b"ACK", b"NAK", b"DUH", b"RSP", b"HENG-BO",
                                                b"SIA-PUL"]
DATA = [
    b"#1234|Nri1/FA017", b"#1234|NFA1/FR2", b"#1234|NFR2", b"#12ab|NGA1", b"NOP1", b"#9999|NFA1", b"", b"|", b"|NFA1",
    b"#1234|NRP0000", b"#1234|Nri2/FA1^Room ]3^", b"#1234|NFA1^\xe9\0^", b"#1234|1110 01 012", b"#1234|3110 01 012",
    b"1118 00 001|1401 01 002", b"#1234|garbage", b"\r\n", b"x]_12:00:00,01-01-2020", b"N" + b"/FA1" * 129,
]
EXTENDED = [b"", b"", b"[H13:59:58,12-31-2012]", b"[G2]", b"[J03]", b"[I|]", b"[", b"]", b"[X105E51.2345][Y21N]"]
SHIFTS_S = [0, 0, 0, 0, -40, -41, 20, 21, -86400, 86400]
TAILS = [b"", b"", b"", b"\x10" * 16, bytes(16), b" ", b"]_12:00:00,01-01-2026", b"]_99:00:00,01-01-2026"]
ODD_STAMPS = [b"", b"_", b"_25:00:00,01-01-2026", b"12:00:00,01-01-2026", b"_12:00:00,02-30-2026"]


def flip(key: bytes, text: bytes) -> bytes:
    encryptor = Cipher(algorithms.AES(key), modes.CBC(bytes(16))).encryptor()
    return encryptor.update(text) + encryptor.finalize()


def stamp(seconds: int) -> bytes:
    return build_frame("NULL", "1234", stamp_ns=seconds * 10**9)[-21:-1]


def plain(rng: random.Random) -> bytes:
    """What is encrypted: right, or nearly so."""
    size = rng.choice([0, 1, 15, 16, 17, 26, 31, 32, 60])
    pad = bytes(rng.choice(b"|][_\r\n\0" if rng.random() < 0.02 else b"\r\n\0\xffabc{}^") for _ in range(size))
    data = rng.choice(DATA)
    bar = b"" if rng.random() < (0.3 if not data else 0.05) else b"|"
    ending = stamp(NOW_S + rng.choice(SHIFTS_S)) if rng.random() < 0.95 else rng.choice(ODD_STAMPS)
    text = bar + data + (b"]" if rng.random() < 0.98 else b"") + rng.choice(EXTENDED) + ending + rng.choice(TAILS)
    if rng.random() < 0.08:
        at = rng.randrange(len(text))
        text = text[:at] + bytes([rng.randrange(256)]) + text[at + rng.randrange(2):]
    return pad + rng.randbytes(-len(pad + text) % 16).translate(bytes.maketrans(b"|][", b"abc")) + text


def frame(rng: random.Random, key: bytes) -> bytes:
    header = b'"*%b"%04d%b[' % (rng.choice(TOKENS), rng.randrange(10_000),
                                rng.choice([b"L0#1234", b"L0#1234", b"R1L0#12ab", b"#1A2B3C4D", b"L0", b"L0#1"]))
    sealed = flip(key, plain(rng) if rng.random() < 0.9 else rng.randbytes(16 * rng.randrange(8))).hex().encode()
    if rng.random() < 0.5:
        sealed = sealed.upper()
    if rng.random() < 0.08:         # behind the cipher, with a right checksum: like a wrong key, or no hex at all
        at = rng.randrange(len(sealed) + 1)
        sealed = sealed[:at] + rng.choice([b"0", b"00", b"G", b"]", b"@", b"`", b"/", b":", b"\x80", b"0" * 32]) \
            + sealed[at + rng.randrange(3):]
    return enclose((header + sealed)[:0xFFF], binary_crc=rng.random() < 0.2)


def profiles(rng: random.Random, key: bytes) -> dict:
    return {"key": rng.choice([key] * 12 + [KEYS[1], None]),
            "window": rng.choice([(40, 20), (40, 20), (0, 0), (90000, 0)]), "encrypted_only": rng.random() < 0.2,
            "check_clear_stamps": rng.random() < 0.5, "reject_stale": rng.random() < 0.2}

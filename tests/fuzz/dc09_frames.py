"""DC-09 frames that are valid, or nearly so; clear ones."""
import random

from codec import reference_dc09
from codec.codes.lookup import read_table
from codec.reading import build_frame

SIA_CODES = sorted(read_table("sia.tsv"))
CONTACT_ID_CODES = sorted(read_table("contact_id.tsv"))
ACCOUNTS = ["1234", "0", "", "12ab", "alarm1", "1A2B3C", "a b", None, None, "1234567890ABCDEF"]
TOKENS = [
    "NULL", "XNM", "SIA-DCS", "SIA-DCS", "SIA-DCS", "ADM-CID", "ADM-CID", "SIA-PUL", "SK-FSK2", "ACK", "NAK", "DUH",
    "RSP", "HENG-BO", "*NULL", "*ADM-CID",
]
PIECES = [
    b"/", b"|", b"^", b"N", b"O", b"A", b"Nri1/", b"ri02", b"ti12:30:00", b"idAB", b"da01-02-26", b"va",
    b"id1/id2/" * 20, b"FA017", b"^Smoke hall^", b"|A Boiler room", b"OP001NM", b"RP0000", b"ri0", b"QQ9", b"FQQ",
    b" ", b"]", b"[", b"_", b"x",
    b"*text*", b"\xe9", b"\xc3\xa9", b"\0", b"\x81", b"\xf0\x9f\x94\xa5", b"a" * 70, b"1" * 70,
    b"\xe2\x82\xac" * 180, b"1110 01 012", b"1234 18 1131 01 015 8", b"1234181131010158", b"18 1110 01 012",
    b"311", b" 00 000", b"AT1", b"AR", b"GA^", b"#", b"1A", b"BADF", b"\n",
    b"\r",
]
SURGARD = b"SR0001L0001    006969XX    [ID00000000]"
EXTENDED = [
    b"H13:59:58,12-31-2012", b"H11:59:58,12-31-2012", b"H1", b"G2", b"J03", b"J{}", b"G1234567", b"Iroom]3", b"",
    b"SMain",
    b'J{"a":[1,-0.5e9,"\\u00e9"]}', b"J[1,]", b"J[", b'J["\\ud800"]', b"J[[[]]]", b"Kkey", b"TF", b"TM", b"TG", b"TW",
    b"TX",
    b"X093W23.456", b"Y45N60", b"Y45S59.9999999", b"X1E1.", b"Z1.5M", b"Z01", b"Z-1.M", b"Qwhat", b"qwhat", b"\"\\",
    b"I\xe9\x81", b"I\xc3\xa9", b"\xc3\xa9", b"\x00\x01", b"P" + b"\x01" * 300, b"P" + b"\xe9" * 900, b"M0011AABBCCDD"]


def field(rng: random.Random) -> bytes:
    """One data field: an account or none, then codes and pieces of codes."""
    account = rng.choice([b"#1234|", b"#12ab|", b"1234|", b"|", b"", b"#12|", b"#1234", b"#9999999999999999X|"])
    parts = []
    for _ in range(rng.randrange(6)):
        draw = rng.random()
        if draw < 0.4:
            parts.append(rng.choice(PIECES))
        elif draw < 0.7:
            parts.append(rng.choice(SIA_CODES).encode() + str(rng.randrange(2000)).encode())
        else:
            parts.append(f"{rng.choice('136')}{rng.choice(CONTACT_ID_CODES)} 0{rng.randrange(10)} 012".encode())
        if rng.random() < 0.6:
            parts.append(rng.choice([b"/", b"|"]))
    return account + b"".join(parts)


def frame(rng: random.Random) -> bytes:
    """One valid frame, or one that is nearly valid; now and then the heartbeat of another receiver's protocol."""
    if rng.random() < 0.03:
        return SURGARD + rng.choice([b"", b"\x14", b"\x14\x14"])
    extended = rng.choices(EXTENDED, k=rng.choice([0, 0, 0, 1, 2, 3]))
    if rng.random() < 0.05:
        extended = rng.choices([b"Ia", b"Ib", b"Qc", b"G1", b"TF"], k=40)
    if rng.random() < 0.05:
        extended = [bytes([rng.randrange(256)]) + rng.randbytes(rng.randrange(900))]
    return build_frame(
        rng.choice(TOKENS), rng.choice(ACCOUNTS), field(rng), sequence=rng.randrange(10_000),
        receiver=rng.choice([None, "1", "579bdf", "", "1234567", "None"]),
        line=rng.choice(["0", "0", None, "", "FFFFFF", "g"]), extended=extended,
        stamp_ns=rng.choice([None, rng.randrange(0, 7_000_000_000) * 10**9]), binary_crc=rng.random() < 0.3)


def sound_again(data: bytes) -> bytes:
    """Give a mutated frame a right length and checksum, so that the change gets past them."""
    body = data[9:-1]
    return b"\n%04X0%03X" % (reference_dc09.checksum(body), len(body) & 0xFFF) + body + b"\r"

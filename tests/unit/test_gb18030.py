"""GB 18030 text against Python's codec: every character of two and four bytes, and what is no character."""
import pytest

from codec.gbt26875_downlink import build_frame
from codec.reading import read_frames

PAIRS = [bytes((lead, trail)) for lead in range(0x81, 0xFF) for trail in [*range(0x40, 0x7F), *range(0x80, 0xFF)]]


def read(field: bytes) -> tuple[str, list[str]]:
    found, = read_frames(build_frame(2, bytes([26, 1, len(field)]) + field, source=1), 0)
    signal, = found["signals"]
    return signal["native"].removeprefix("configuration").removeprefix(" "), signal["flags"]


def four_bytes(number: int) -> bytes:
    return bytes((0x81 + number // 12600, 0x30 + number // 1260 % 10, 0x81 + number // 10 % 126, 0x30 + number % 10))


def hold(characters: list[bytes], together: int) -> None:
    for at in range(0, len(characters), together):
        field = b"".join(characters[at:at + together])
        assert read(field) == (field.decode("gb18030"), [])


def test_every_character_of_two_bytes() -> None:
    hold(PAIRS, 100)


def test_every_character_of_four_bytes_in_the_basic_plane() -> None:
    hold([four_bytes(number) for number in range(39420)], 60)


def test_characters_beyond_the_basic_plane() -> None:
    numbers = [189000, 189001, *range(189000, 189000 + 0x100000, 9973), 189000 + 0xFFFFF]
    hold([four_bytes(number) for number in numbers], 60)


@pytest.mark.parametrize(("field", "text", "flags"), [
    (b"", "", []), (b"\0\0", "", []), (b"   ", "", []), (b"a \0 \0", "a", []), (b" a", " a", []),
    (b"a\0b", "a", ["cleaned"]), (b"\0b", "", ["cleaned"]), (b"a\tb\r\nc", "a\tb\r\nc", []),
    (b"a\x01", "", ["cleaned"]), (b"\x7f", "", ["cleaned"]), (b"a\xd6", "a\ufffd", ["cleaned"]),
    (b"\x80a", "\ufffda", ["cleaned"]), (b"\xff\xd6\xf7", "\ufffd主", ["cleaned"]),
    (b"\x81\x30\x81", "\ufffd0\ufffd", ["cleaned"]), (b"\x81\x30\x81a", "\ufffd0乤", ["cleaned"]),
    (four_bytes(39420), "\ufffd1\ufffd0", ["cleaned"]), (four_bytes(189000 + 0x100000), "\ufffd2\ufffd6", ["cleaned"])])
def test_fields(field: bytes, text: str, flags: list[str]) -> None:
    assert read(field) == (text, flags)


def test_text_that_is_too_long_ends_with_a_whole_character() -> None:
    text, flags = read("主".encode("gb18030") * 127)
    assert (text, flags) == ("主" * 127, [])
    text, flags = read(four_bytes(100) * 10 + b"\xff" * 200)
    assert flags == ["cut", "cleaned"]
    assert len(text.encode()) <= 512 - len("configuration ")

"""Every known frame of every format, by both codecs: whole, byte by byte, with others behind and in front of it."""
from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from codec import reference
from codec.gbt26875_downlink import build_frame as build_gbt
from codec.reading import build_frame, read_frames
from tests.fuzz.formats import FORMATS, NOW_NS, VECTORS, in_order

COUNTS = {"dc09.json": 38, "gbt26875.json": 46}      # frames of each file: none is lost unnoticed
APART = {"tocsin.json"}                              # each needs a key: test_tocsin_vectors.py reads them
FILES = sorted({wire.vectors for wire in FORMATS.values() if wire.vectors})
BEHIND = [b"\0", b"\n", b"\r\n", b"@", b"@@", b"#", b"\xc1", build_frame("NULL", "1234"), build_gbt(2, b"")[:29]]


def plain(data: bytes, now_ns: int, *, key: bytes | None = None) -> list[dict[str, Any]]:
    return reference.read_frames(data, now_ns, reference.Profile(key))


Reader = Callable[..., list[dict[str, Any]]]
READERS = {"cython": read_frames, "plain": plain}


def known() -> Iterator[Any]:
    for file in FILES:
        for vector in json.loads((VECTORS / file).read_text()):
            data = bytes.fromhex(vector["raw_hex"])
            yield pytest.param(vector, data, id=f"{file[:4]} {data[2:14].hex()} {len(data)}")


def test_no_vector_is_missing() -> None:
    assert set(FILES) == set(COUNTS) == {path.name for path in VECTORS.glob("*.json")} - APART
    for file in FILES:
        vectors = json.loads((VECTORS / file).read_text())
        assert len(vectors) == len({vector["raw_hex"] for vector in vectors}) == COUNTS[file]
        assert all(vector["source"] and vector["expect"] for vector in vectors)


@pytest.mark.parametrize("reader", list(READERS.values()), ids=list(READERS))
@pytest.mark.parametrize(("vector", "data"), list(known()))
class TestVector:
    def test_whole(self, vector: dict[str, Any], data: bytes, reader: Reader) -> None:
        """What it says stands in `expect`; test_gbt26875.py reads those of another decoder's making."""
        found = in_order(reader(data, NOW_NS))
        assert found == in_order(read_frames(data, NOW_NS))
        if "valid" in vector["expect"]:
            assert (found[0]["status"] == "ok") == vector["expect"]["valid"]
        else:
            assert found == [vector["expect"]]

    def test_with_its_key(self, vector: dict[str, Any], data: bytes, reader: Reader) -> None:
        key = bytes.fromhex(vector.get("key_hex", ""))
        found = in_order(reader(data, NOW_NS, key=key or None))
        assert found == in_order(read_frames(data, NOW_NS, key=key or None))
        if key:
            assert found[0]["status"] in ("ok", "time")
            assert found[0]["timestamp"] == vector["expect_with_key"]["timestamp"]

    def test_byte_by_byte(self, vector: dict[str, Any], data: bytes, reader: Reader) -> None:
        """A sound frame is waited for to its last byte."""
        if reader(data, NOW_NS)[0]["status"] in ("ok", "crypto", "time"):
            for size in range(1, len(data)):
                assert reader(data[:size], NOW_NS)[0]["status"] == "need_data", size

    def test_with_bytes_behind(self, vector: dict[str, Any], data: bytes, reader: Reader) -> None:
        """What stands behind changes nothing of it, and it costs nothing of what stands behind."""
        alone = reader(data, NOW_NS)
        good = build_frame("SIA-DCS", "1234", b"#1234|Nri1/FA017")
        if alone[0]["status"] in ("ok", "crypto", "time"):
            for behind in BEHIND:
                assert reader(data + behind, NOW_NS)[0] == alone[0]
        assert reader(data + good, NOW_NS)[-1] == reader(good, NOW_NS)[0]

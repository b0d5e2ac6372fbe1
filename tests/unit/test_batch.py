"""The batch: what is added comes back, encoded and viewed, and nothing is half added."""
import pytest

from codec.batch import Batch
from codec.reading import build_frame, decode_stream

ROW = {"kind": 1, "protocol": 1, "path": 7, "sequence": 9, "level": 0x02280002,
       "received_ns": 11, "occurred_ns": -5, "account": "12AB",
       "realm": "nghe-an", "point": "1/2", "native": "FA2^Küche^",
       "details": '{"room":"Küche"}', "signal_class": 1, "condition": 2, "state": 1,
       "flags": 65, "identity": b"i\0", "raw": b"\nraw\xff\r"}


def expected(row: dict) -> dict:
    return {"class" if key == "signal_class" else key: value for key, value in row.items()}


def filled() -> Batch:
    batch = Batch(8, 4096)
    assert batch.add(**ROW)
    assert decode_stream(build_frame("SIA-DCS", "1234", b"#1234|Nri1/FA1/FA2^\xfc^"), batch, 5) == 1
    assert batch.add(kind=3, received_ns=77)
    return batch


def test_rows_come_back() -> None:
    batch = filled()
    batch.check()
    assert len(batch) == 4
    assert batch.row(0) == expected(ROW)
    assert batch.row(1)["point"] == "1/1"
    assert batch.row(2)["native"] == "FA2^ü^"
    assert batch.row(3)["occurred_ns"] is None
    with pytest.raises(IndexError):
        batch.row(4)


def test_view_of_encoded_rows_is_the_same() -> None:
    batch = filled()
    view = Batch.view(batch.encode())
    view.check()
    assert [view.row(index) for index in range(4)] == [batch.row(index) for index in range(4)]
    assert view.encode() == batch.encode() == filled().encode()
    assert not view.add(kind=3)  # a view has no room


def test_columns_that_say_nothing_are_left_out_and_read_as_ever() -> None:
    rows = [{"kind": 4, "condition": 4, "received_ns": 7 + number, "account": f"{number:04}", "native": "F1"}
            for number in range(1000)]
    sizes = []
    for more in ({}, {"level": 1}, {"path": 3}, {"occurred_ns": 0}, {"realm": "hue"}):
        batch = Batch(1000, 1 << 16)
        for row in rows:
            assert batch.add(**(row if more and row is not rows[500] else {**row, **more}))
        view = Batch.view(batch.encode())
        view.check()
        assert [view.row(index) for index in range(1000)] == [batch.row(index) for index in range(1000)]
        assert view.encode() == batch.encode()
        sizes.append(len(batch.encode()))
    assert sizes == [16 + 1000 * (8 + 2 * 8 + 2 + 1) + 6000, *(sizes[0] + more for more in (4000, 4000, 8000, 8003))]


def test_a_batch_of_the_version_before_is_read() -> None:
    whole = Batch(1, 4096)
    assert whole.add(**{**ROW, "sequence": 1, "level": 1, "flags": 1, "realm": "r", "details": '{"a":1}'})
    encoded = whole.encode()
    assert encoded[12:16] == bytes(4)
    before = b"\3" + encoded[1:]
    assert Batch.view(before).row(0) == whole.row(0)
    with pytest.raises(ValueError, match="encoded batch"):
        Batch.view(before[:12] + b"\1" + before[13:])
    with pytest.raises(ValueError, match="encoded batch"):
        Batch.view(encoded[:14] + b"\4" + encoded[15:])


def test_empty_batch() -> None:
    view = Batch.view(Batch(4, 64).encode())
    assert (len(view), view.arena_used) == (0, 0)


def test_clear_forgets_rows_and_texts() -> None:
    batch = filled()
    batch.clear()
    assert (len(batch), batch.arena_used) == (0, 0)
    assert batch.encode() == Batch(8, 4096).encode()


@pytest.mark.parametrize("damage", [lambda data: data[:-1], lambda data: data + b"\0", lambda data: b"",
                                    lambda data: b"\1" + data[1:], lambda data: data[:4] + b"\xff" * 4 + data[8:]])
def test_what_is_no_encoded_batch_is_refused(damage) -> None:
    with pytest.raises(ValueError, match="encoded batch"):
        Batch.view(damage(filled().encode()))


def test_full_batch_refuses_a_row_whole() -> None:
    by_rows = Batch(1, 4096)
    assert by_rows.add(**ROW)
    before = by_rows.encode()
    assert not by_rows.add(**ROW)
    assert by_rows.encode() == before
    by_bytes = Batch(2, by_rows.arena_used * 2 - 1)
    assert by_bytes.add(**ROW)
    assert not by_bytes.add(**ROW)
    assert by_bytes.encode() == before


@pytest.mark.parametrize(("rows_max", "arena_max"), [(16385, 0), (1, 16777217)])
def test_limits(rows_max: int, arena_max: int) -> None:
    with pytest.raises(ValueError, match="beyond the limits"):
        Batch(rows_max, arena_max)


@pytest.mark.parametrize("details", ['{"a":1', '["a"]', '{}', '{"a":"\n"}', '{"a":"\\u0000"}', '{"a":"\\ud800"}',
                                     '{"a":"' + "x" * 4090 + '"}'])
def test_details_that_a_database_would_refuse_fail_the_check(details: str) -> None:
    batch = Batch(1, 8192)
    assert batch.add(details=details, signal_class=1)
    with pytest.raises((AssertionError, ValueError)):
        batch.check()

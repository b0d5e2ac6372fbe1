"""A journal seen from outside: whole, beside its writer, torn, damaged at any place; and `tocsin journal` over it."""
from collections.abc import Callable
from pathlib import Path

import orjson
import pytest

from codec.batch import Batch
from codec.words import RowKind, SignalClass, State
from engine.clock import FakeClock
from engine.command import main
from engine.journal import Damaged, Journal, JournalSettings, RealDisk
from engine.journal.examine import consumers, entries, examine, segments, snapshots

SMALL = JournalSettings(segment_bytes=4096, bytes_max=1 << 20, memory_bytes=2000)
APPENDS = 30


def batch_of(account: str) -> Batch:
    batch = Batch(4, 8192)
    assert batch.add(kind=RowKind.ROW_ENROLMENT, protocol=1, account=account, native="t" * 300)
    assert batch.add(kind=RowKind.ROW_SIGNAL, protocol=1, account=account, signal_class=SignalClass.CLASS_FIRE,
                     state=State.STATE_RAISED, condition=2, realm="north", raw=b"\n\xff")
    return batch


@pytest.fixture
async def directory(tmp_path: Path) -> Path:
    """30 appends of two rows over several segments, a consumer, a snapshot; closed in order."""
    disk = RealDisk(tmp_path / "journal")
    journal = await Journal.open(disk, FakeClock(), SMALL)
    lease = await anext(journal.acquire())
    for number in range(APPENDS):
        span = await journal.append(0, batch_of(f"{number:04d}"))
    await journal.commit(lease, "store", span.last - 4)
    await journal.snapshot(lease, "engine", span.last, {"paths": b"some"})
    await journal.close()
    await disk.close()
    return tmp_path / "journal"


def spoil(path: Path, change: Callable[[bytearray], object]) -> None:
    data = bytearray(path.read_bytes())
    change(data)
    path.write_bytes(data)


def flip(offset: int) -> Callable[[bytearray], None]:
    def change(data: bytearray) -> None:
        data[offset] ^= 1
    return change


async def refused(directory: Path) -> Damaged | None:
    """Return why the engine would not open this journal."""
    disk = RealDisk(directory)
    try:
        journal = await Journal.open(disk, FakeClock(), SMALL)
        async for _ in journal.read(journal.first - 1, journal.durable().number):
            pass
        await journal.close()
    except Damaged as damage:
        return damage
    finally:
        await disk.close()
    return None


async def test_a_whole_journal(directory: Path) -> None:
    reports = list(examine(directory, "journal"))
    assert len(reports) > 3
    assert sum(report.entries for report in reports) == APPENDS
    assert sum(report.rows for report in reports) == 2 * APPENDS
    assert not any(report.damage or report.torn for report in reports)
    read = list(entries(directory, "journal"))
    assert [entry.rows for entry in read] == [2] * APPENDS
    assert list(entries(directory, "journal", read[11].last)) == read[12:]
    assert list(entries(directory, "journal", read[11].last - 1)) == read[11:]
    assert [position for _, _, position in consumers(directory)] == [read[-1].last - 4]
    assert [getattr(found, "at", None) for _, found in snapshots(directory)] == [read[-1].last]


async def test_a_torn_tail_is_told_and_is_no_damage(directory: Path) -> None:
    last = list(examine(directory, "journal"))[-1]
    half = b"\xa7TOE" + bytes(15) + b"x"
    spoil(directory / last.file, lambda data: data.__setitem__(slice(last.end, last.end + len(half)), half))
    again = list(examine(directory, "journal"))[-1]
    assert (again.damage, again.torn, again.entries) == ([], 20, last.entries)
    assert await refused(directory) is None


@pytest.mark.parametrize("place", ["header", "first", "middle", "last"])
async def test_one_flipped_bit_is_found_and_the_rest_is_read(directory: Path, place: str) -> None:
    """Whatever the engine refuses, the examiner names; what follows is read all the same."""
    files = segments(directory, "journal")
    reports = list(examine(directory, "journal"))
    sizes = {"header": 40, "first": 100, "middle": reports[1].end // 2, "last": reports[1].end - 60}
    spoil(files[1], flip(sizes[place]))
    found = list(examine(directory, "journal"))
    assert [bool(report.damage) for report in found][1]
    assert not any(report.damage for report in found[:1])
    assert await refused(directory) is not None
    kept = sum(entry.rows for entry in entries(directory, "journal"))
    assert kept == 2 * (APPENDS - (reports[1].entries if place == "header" else 1))


async def test_a_missing_segment_is_damage(directory: Path) -> None:
    segments(directory, "journal")[2].unlink()
    found = [damage.what for report in examine(directory, "journal") for damage in report.damage]
    assert any("segment 3 is missing" in what for what in found)
    assert "segment 3 is missing" in str(await refused(directory))


async def test_every_single_bit_of_a_segment_is_guarded(directory: Path) -> None:
    """A flip anywhere in the bytes that count is damage, or a torn tail in the very last entry."""
    path = segments(directory, "journal")[0]
    whole, end = path.read_bytes(), next(examine(directory, "journal")).end
    for offset in range(0, end, 7):
        spoil(path, flip(offset))
        assert next(examine(directory, "journal")).damage, offset
        path.write_bytes(whole)


async def test_the_command_tells_it_to_a_person(directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = ["--data", str(directory.parent)]
    assert main(["journal", "verify", *data]) == 0
    assert "whole" in capsys.readouterr().out
    assert main(["journal", "stat", *data]) == 0
    said = capsys.readouterr().out
    assert "store: " in said and "4 rows behind" in said
    assert f"signal fire {APPENDS:>25,}" in said.replace("  ", " " * 2)
    assert main(["journal", "dump", *data, "--account", "dc09:0007@north"]) == 0
    rows = [orjson.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(row["account"], row["class"], row["state"], row["raw"]) for row in rows] == [
        ("0007", "fire", "raised", "0aff")]
    assert main(["journal", "dump", *data, "--limit", "3", "--after", rows[0]["number"]]) == 0
    after = [int(orjson.loads(line)["number"]) for line in capsys.readouterr().out.splitlines()]
    assert after == [int(rows[0]["number"]) + step for step in (1, 2, 3)]
    spoil(segments(directory, "journal")[0], flip(200))
    assert main(["journal", "verify", *data]) == 1
    said = capsys.readouterr().out
    assert "offset 88" in said and "What to do" in said
    assert main(["journal", "dump", *data]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 2 * (APPENDS - 1)


def test_no_journal_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["journal", "verify", "--data", str(tmp_path)]) == 2
    assert "No such file" in capsys.readouterr().err
    (tmp_path / "journal").mkdir()
    assert main(["journal", "stat", "--data", str(tmp_path)]) == 2
    assert "holds no journal" in capsys.readouterr().err

"""Lines of a COPY of the registry's tables as rows of the journal, and what the journal remembers of readings."""
import pytest
from hypothesis import given
from hypothesis import strategies as st

from codec.batch import Batch
from engine.filter.filter import Filter
from engine.registry.presets import supervision_ms, window_s
from engine.registry.rows import LINE_FIELDS, ChangeRows

TRANSMITTER = "dc09:1A\tF1\tDP4\tviettel\t5m\t\tt\tf\treject"
FACILITY = "F1\t40\t17257\tvinh-1\thotel\trules\tKhách sạn"
FIELDS = "F1\t90000\t18000000\t90000\tviettel\t300\t20\t1\t0\t1"


def read(line, *texts, pieces=None, rows_max=64):
    rows = ChangeRows(rows_max, 1 << 18)
    rows.begin_reading(7)
    rows.begin(line)
    data = "".join(text + "\n" for text in texts).encode()
    for piece in pieces or [data]:
        assert rows.feed(piece) == len(piece)
    return rows


def taken(rows):
    names = ("protocol", "account", "realm", "point", "native", "condition")
    return [tuple(rows.batch.row(index)[name] for name in names) for index in range(len(rows.batch))]


@pytest.mark.parametrize(("line", "text", "row"), [
    ("facility", FACILITY, (0, "", "", "", FACILITY, 3)),
    ("facility_gone", "F1", (0, "", "", "", "F1", 3)),
    ("transmitter", TRANSMITTER, (1, "1A", "", "", FIELDS, 4)),
    ("transmitter", "gbt26875:9@hue\t\t\t\t\t\tf\tf\tlate", (2, "9", "hue", "", "\t0\t0\t0\t\t40\t20\t0\t0\t0", 4)),
    ("transmitter_gone", "dc09:1A@hue", (1, "1A", "hue", "", "", 4)),
    ("point", "dc09:1A\t1/2\tsmoke\tTầng 2", (1, "1A", "", "1/2", "smoke\tTầng 2", 5)),
    ("point", "dc09:1A\t1\t\t", (1, "1A", "", "1", "\t", 5)),
    ("point_gone", "dc09:1A\t1/2", (1, "1A", "", "1/2", "", 5)),
])
def test_each_line_becomes_a_row(line, text, row):
    rows = read(line, text)
    assert taken(rows) == [row]
    assert (rows.refused, rows.batch.row(0)["received_ns"], rows.batch.row(0)["kind"]) == (0, 7, 4)


@pytest.mark.parametrize(("line", "text", "key", "why"), [
    ("transmitter", TRANSMITTER.replace("DP4", "DP5"), "dc09:1A", "supervision"),
    ("transmitter", TRANSMITTER.replace("DP4", "1s"), "dc09:1A", "supervision"),
    ("transmitter", TRANSMITTER.replace("5m", "0s"), "dc09:1A", "window_past"),
    ("transmitter", TRANSMITTER.replace("reject", "never"), "dc09:1A", "stale"),
    ("transmitter", TRANSMITTER.replace("viettel", "\\N"), "dc09:1A", "a character that it cannot have"),
    ("transmitter", TRANSMITTER + "\tmore", "dc09:1A", "the number of its columns"),
    ("transmitter", TRANSMITTER.replace("dc09:", "engine:"), "engine:1A", "key"),
    ("transmitter", TRANSMITTER.replace("dc09:1A", "dc09:" + "1" * 17), "dc09:" + "1" * 17, "key"),
    ("transmitter", TRANSMITTER.replace("dc09:1A", "dc09:1A@Hue"), "dc09:1A@Hue", "key"),
    ("transmitter", TRANSMITTER.replace("dc09:1A", "dc09:1A@"), "dc09:1A@", "key"),
    ("transmitter", "", "", "the number of its columns"),
    ("facility", "x" * 37 + "\t\t\t\tother\trules\tName", "x" * 37, "id"),
    ("facility", "F1\t\t\t\tother\trules\t" + "ạ" * 33, "F1", "name"),
    ("facility", "F1\t\t\t\tother\trules\t" + "x" * 2000, "F1", "too long"),
    ("facility", "F1\t\ta b\t\tother\trules\tName", "F1", "province, commune or team"),
    ("point", "dc09:1\t" + "9" * 65 + "\t\t", "dc09:1", "point"),
    ("point", "dc09:1\t9\tSmoke\t", "dc09:1", "condition"),
])
def test_nonsense_is_refused_and_named(line, text, key, why):
    rows = read(line, text)
    assert (len(rows.batch), rows.refused, rows.named) == (0, 1, [(line, key, why)])


def test_lines_may_come_in_any_pieces():
    whole = "".join(f"dc09:{number:X}\t{number}\tsmoke\t\n" for number in range(20)).encode()
    expected = taken(read("point", pieces=[whole]))
    assert len(expected) == 20
    for size in (1, 2, 7, 13, 100):
        pieces = [whole[at:at + size] for at in range(0, len(whole), size)]
        assert taken(read("point", pieces=pieces)) == expected
    long = b"dc09:1\t" + b"x" * 5000 + b"\t\t\n" + whole
    rows = read("point", pieces=[long[at:at + 100] for at in range(0, len(long), 100)])
    assert (taken(rows), rows.refused, rows.named[0][2]) == (expected, 1, "too long")


def test_a_full_batch_stops_the_reading_and_it_goes_on_where_it_was():
    rows = ChangeRows(10, 1 << 16)
    rows.begin_reading(7)
    rows.begin("point")
    data = bytearray(b"".join(b"dc09:1\t%d\t\t\n" % number for number in range(25)))
    at, points = 0, []
    while at < len(data):
        at = rows.feed(data, at)
        points += [rows.batch.row(index)["point"] for index in range(len(rows.batch))]
        rows.batch.clear()
    assert points == [str(number) for number in range(25)]


def test_a_line_that_broke_off_is_noticed():
    rows = read("point", pieces=[b"dc09:1\t1"])
    with pytest.raises(ValueError, match="broke off"):
        rows.begin("point")


def test_many_texts_of_supervision_are_told_apart():
    times = [f"{number}s" for number in range(5, 2000)]
    rows = read("transmitter", *(f"dc09:1\t\t{time}\t\t\t\tf\tf\tlate" for time in times), rows_max=4096)
    assert [native.split("\t")[1] for *_, native, _ in taken(rows)] == [time[:-1] + "000" for time in times]


PIECES = [b"\t", b"\n", b"dc09:1", b"\t\t\t\tf\tf\tlate\n", TRANSMITTER.encode() + b"\n", b"\\", b"\xff", b"\0"]


@given(line=st.sampled_from(list(LINE_FIELDS)),
       data=st.lists(st.binary(max_size=60) | st.sampled_from(PIECES), max_size=30))
def test_no_bytes_make_a_row_that_cannot_be_read(line, data):
    rows = ChangeRows(64, 1 << 16)
    rows.begin_reading(7)
    rows.begin(line)
    for piece in data:
        rows.feed(piece)
    rows.batch.check()
    for index in range(len(rows.batch)):
        row = rows.batch.row(index)
        assert "\0" not in row["native"] and "\\" not in row["native"] and "\n" not in row["native"]


@given(choose=st.randoms(use_true_random=False))
def test_an_end_that_is_known_says_the_same_as_one_taken_apart(choose):
    def line():
        return "\t".join([
            choose.choice(["dc09:1A", "dc09:22@hue", "gbt26875:9", "nobody:1", "dc09:1a", "dc09:\\", ""]),
            choose.choice(["", "F1", "F 1", "F\\", "F" * 37]), choose.choice(["", "5s", "7s", "DP4", "nonsense"]),
            choose.choice(["", "viettel", "vinaphone", "a b", "a\\", "n" * 31]), choose.choice(["", "5m", "x"]),
            choose.choice(["", "9m"]), choose.choice("tf"), choose.choice(["t", "f", "tt"]),
            choose.choice(["late", "reject", "reject", "late\t"])])
    lines = [line() for _ in range(40)]
    together, apart = read("transmitter", *lines, *lines, rows_max=128), []
    refused = 0
    for text in [*lines, *lines]:
        single = read("transmitter", text)
        apart += taken(single)
        refused += single.refused
    assert taken(together) == apart
    assert together.refused == refused
    assert [why for *_, why in together.named] == [read("transmitter", text).named[0][2] for text in [*lines, *lines]
                                                   if read("transmitter", text).refused][:20]


def test_presets_and_windows():
    assert supervision_ms("") == (0, 0, 0)
    assert supervision_ms("SP6") == (20_000, 0, 0)
    assert supervision_ms("DP1") == (90_000_000, 180_000_000, 90_000_000)
    assert supervision_ms("DP2") == (1_800_000, 90_000_000, 1_800_000)
    assert supervision_ms("DP3") == (180_000, 90_000_000, 180_000)
    assert supervision_ms("DP4") == (90_000, 18_000_000, 90_000)
    assert supervision_ms("NFPA-single") == (3_600_000, 0, 0)
    assert supervision_ms("NFPA-dual") == (21_600_000, 21_600_000, 21_600_000)
    assert supervision_ms("75s") == (75_000, 0, 0)
    assert (window_s("", 40), window_s("2m", 40)) == (40, 120)


def test_a_reading_that_broke_off_is_known_as_none() -> None:
    judging, batch = Filter(1, hash_key=bytes(16)), Batch(16, 1 << 12)
    batch.add(kind=4, condition=1, native="one\t7")
    batch.add(kind=4, condition=2, native="one\t7")
    judging.apply(1, batch)
    assert judging.registry_seen == ("one", 7)
    again = Filter(1, hash_key=bytes(16))
    again.load(b"".join(judging.save()))
    assert again.registry_seen == ("one", 7)
    batch.clear()
    batch.add(kind=4, condition=1, native="two\t9")
    again.apply(3, batch)
    assert again.registry_seen == ("", 0)


def registry_rows(choose):
    """Rows of a registry's readings, with names that come again soon."""
    rows = []
    for _ in range(choose.randint(1, 90)):
        account, kind = f"{choose.randint(0, 40):X}", choose.choice([1, 2, 3, 3, *[4] * 12, 5, 5])
        native = f"F{choose.randint(0, 9)}\t{choose.randint(0, 3)}000\t0\t0\tnet{choose.randint(0, 1)}"
        rows.append({1: {"native": "x\t1"}, 2: {"native": "x\t1"},
                     3: {"native": f"F{choose.randint(0, 9)}\t4{choose.randint(0, 1)}\t\t\thotel\trules\tHotel"},
                     4: {"native": choose.choice(["", native]), "protocol": 1, "account": account,
                         "realm": choose.choice(["", "", "hue"])},
                     5: {"native": choose.choice(["", "smoke\t"]), "protocol": 1, "account": account,
                         "point": f"{choose.randint(0, 3)}"}}[kind] | {"kind": 4, "condition": kind})
        if choose.random() < 0.1:        # a gap in what is looked at ahead
            rows.append({"kind": 3, "received_ns": 5})
    return rows


@given(choose=st.randoms(use_true_random=False))
def test_rows_in_one_batch_are_judged_as_one_by_one(choose):
    whole, single = (Filter(1, paths_max=1000, hash_key=bytes(16)) for _ in range(2))
    number = 1
    for _ in range(3):
        rows, batch = registry_rows(choose), Batch(256, 1 << 16)
        for row in rows:
            assert batch.add(**row)
        whole.apply(number, batch)
        for row in rows:
            batch.clear()
            assert batch.add(**row)
            single.apply(number, batch)
            number += 1
    whole.check()
    loaded = Filter(1, paths_max=1000, hash_key=bytes(16))
    loaded.load(b"".join(whole.save()))
    loaded.check()
    assert b"".join(whole.save()) == b"".join(single.save())
    assert whole.registry_counts() == single.registry_counts()

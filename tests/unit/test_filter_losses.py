"""Mass losses against a slow model over random schedules, and as people would want them told."""
import json
import random
import struct
from collections import Counter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.filter.losses_view import LossesTable

S = 1_000_000_000
START = 1_767_225_600 * S
Rules = tuple[int, float, int, int, float]
Cause = tuple[str, str]
RULES: Rules = (10, 0.5, 64 * S, 5 * S, 0.2)
KINDS = ("all", "group", "area")


class Model:
    """What the table should do, counted anew from the paths at each step."""

    def __init__(self) -> None:
        self.cells: dict[int, tuple[str, str]] = {}
        self.went: dict[int, int] = {}
        self.member: dict[int, Cause] = {}
        self.met: dict[Cause, int] = {}
        self.standing: dict[Cause, dict[str, Any]] = {}
        self.now, self.last, self.step = 0, 0, 1
        self.stale = False

    def in_cause(self, cause: Cause) -> list[int]:
        kind, name = cause
        return [path for path, (area, group) in self.cells.items()
                if kind == "all" or name == (area if kind == "area" else group)]

    def recent(self, path: int) -> bool:
        return path in self.went and path not in self.member \
            and self.went[path] // self.step > self.now // self.step - 32

    def recents(self, cause: Cause) -> set[int]:
        return {path for path in self.in_cause(cause) if self.recent(path)}

    def share(self, cause: Cause) -> float:
        alive = sum(path not in self.went for path in self.in_cause(cause))
        gone = len(self.recents(cause))
        return gone / (alive + gone) if alive + gone else 0.0

    def causes_of(self, cell: tuple[str, str]) -> list[Cause]:
        return [("area", cell[0]), ("group", cell[1]), ("all", "")]

    def look(self, rules: Rules) -> None:
        """Note which causes are met, and which losses are low, since when."""
        self.stale = False
        members, share = rules[:2]
        for cause in {cause for cell in self.cells.values() for cause in self.causes_of(cell)} | set(self.met):
            gone = len(self.recents(cause))
            inside = sum(path in self.member for path in self.in_cause(cause))
            if gone >= members and self.share(cause) >= share and gone * 4 >= inside \
                    and (cause[0] == "all" or cause[1]):
                self.met.setdefault(cause, self.now)
            else:
                self.met.pop(cause, None)
        for cause, loss in self.standing.items():
            count = self.count(cause)
            loss["peak"] = max(loss["peak"], count)
            if count and count >= rules[4] * loss["peak"]:
                loss["low"] = None
            elif loss["low"] is None:
                loss["low"] = self.now

    def count(self, cause: Cause) -> int:
        return sum(owner == cause for owner in self.member.values())

    def advance(self, now: int, rules: Rules) -> None:
        before = self.now // self.step
        self.now, step = max(self.now, now), max(rules[2] // 32, 1)
        changed, self.step = step != self.step or self.now // step != before, step
        if changed or self.stale:
            self.look(rules)

    def about_to(self, path: int) -> bool:
        return any(cause in self.met for cause in self.causes_of(self.cells[path]))

    def place(self, path: int, cell: tuple[str, str]) -> None:
        if self.cells.get(path) != cell:
            self.member.pop(path, None)
            self.cells[path] = cell
            self.stale = True

    def drop(self, path: int) -> None:
        self.stale |= path in self.cells
        self.cells.pop(path, None)
        self.went.pop(path, None)
        self.member.pop(path, None)

    def note(self, path: int, raised: bool, now: int, rules: Rules) -> bool:
        self.advance(now, rules)
        if path not in self.cells:
            return False
        part = path in self.member or (self.recent(path) and self.about_to(path))
        if raised == (path in self.went):
            return raised and part
        if raised:
            self.went[path] = self.now
            for cause in self.causes_of(self.cells[path]):
                if cause in self.standing and path not in self.member:
                    self.member[path] = cause
            self.look(rules)
            return path in self.member or self.about_to(path)
        del self.went[path]
        self.member.pop(path, None)
        self.look(rules)
        return part

    def due(self, now: int, number: int, rules: Rules) -> dict[str, Any] | None:
        self.advance(now, rules)
        self.look(rules)
        order = sorted(self.standing, key=lambda cause: (KINDS[::-1].index(cause[0]), self.order(cause)))
        for cause in order:
            loss = self.standing[cause]
            if loss["low"] is not None and max(loss["low"] + rules[3], loss["told"] + rules[2]) <= self.now:
                told = self.told(cause, "cleared")
                del self.standing[cause]
                for path in [path for path, owner in self.member.items() if owner == cause]:
                    del self.member[path]
                    self.went[path] = self.now
                self.look(rules)
                return told
        ripe = [cause for cause, since in self.met.items() if since + rules[3] <= self.now]
        if not ripe:
            return None
        cause = self.choose(max(ripe, key=lambda one: (len(self.recents(one)), KINDS.index(one[0]),
                                                       -self.order(one))))
        gone = self.recents(cause)
        self.last = max(number, self.last + 1)
        self.standing[cause] = {"id": self.last, "since": min(self.went[path] for path in gone), "told": self.now,
                                "low": None, "peak": len(gone)}
        self.member.update(dict.fromkeys(gone, cause))
        self.look(rules)
        return self.told(cause, "raised")

    def order(self, cause: Cause) -> int:
        """The number of a name: here names sort in the order of first naming."""
        return int(cause[1][1:] or 0)

    def choose(self, one: Cause) -> Cause:
        gone = self.recents(one)
        able = [cause for cause in self.met if len(gone & self.recents(cause)) * 5 >= len(gone) * 4]
        most = max(len(self.recents(cause)) for cause in able)
        best = max(self.share(cause) for cause in able if len(self.recents(cause)) * 5 >= most * 4)
        able = [cause for cause in able if self.share(cause) >= 0.9 * best]
        return max(able, key=lambda cause: (cause[0] == "all", len(self.recents(cause)), KINDS.index(cause[0]),
                                            -self.order(cause)))

    def told(self, cause: Cause, state: str) -> dict[str, Any]:
        mine = [path for path, owner in self.member.items() if owner == cause]
        parts = {}
        for at, kind in enumerate(("area", "group")):
            members = Counter(self.cells[path][at] for path in mine)
            totals = Counter(self.cells[path][at] for path in self.in_cause(cause))
            parts[kind] = [(name, count, totals[name]) for name, count in
                           sorted(members.items(), key=lambda item: (-item[1], self.order((kind, item[0]))))[:16]]
        return {"id": str(self.standing[cause]["id"]), "cause": cause, "members": len(mine), "state": state,
                "supervised": len(self.in_cause(cause)), "peak": self.standing[cause]["peak"], **parts}


def plain(data: dict[str, Any]) -> dict[str, Any]:
    kind = data["kind"]
    return {"id": data["loss_id"], "cause": (kind, data[kind] if kind != "all" else ""), "members": data["members"],
            "state": data["state"], "supervised": data["supervised"], "peak": data["peak"],
            **{part: [(row[part], row["members"], row["supervised"]) for row in data[f"by_{part}"]]
               for part in ("area", "group")}}


def run(seed: int, restart: bool) -> int:
    """One random schedule through table and model; return how many things were told."""
    chance = random.Random(seed)
    areas, groups, paths = chance.choice([1, 3, 5]), chance.choice([1, 3]), chance.choice([8, 40])
    table, model, now, told = LossesTable(paths), Model(), START, 0
    rules: Rules = (chance.choice([1, 3, 5]), chance.choice([0.3, 0.5, 0.9]), chance.choice([8, 64]) * S,
                    chance.choice([0, 2, 5]) * S, 0.2)
    names = [f"a{number}".encode() for number in range(areas)], [f"g{number}".encode() for number in range(groups)]
    empty = chance.random() < 0.3
    if empty:
        names[0][0] = b""
    for number in range(max(areas, groups)):         # names in order, so that the model knows their numbers
        table.place(0, names[0][min(number, areas - 1)], names[1][min(number, groups - 1)])
        model.place(0, (names[0][min(number, areas - 1)].decode(), names[1][min(number, groups - 1)].decode()))
    for path in range(1, paths):
        cell = chance.choice(names[0]), chance.choice(names[1])
        table.place(path, *cell)
        model.place(path, (cell[0].decode(), cell[1].decode()))
    for number in range(1, chance.randrange(150)):
        now += chance.choice([0, 0, 0, S // 3, S, 3 * S, 20 * S, -S])
        what, path = chance.random(), chance.randrange(paths)
        if what < 0.1:
            cell = chance.choice(names[0]), chance.choice(names[1])
            table.place(path, *cell)
            model.place(path, (cell[0].decode(), cell[1].decode()))
        elif what < 0.12:
            table.drop(path)
            model.drop(path)
        elif what < 0.7:
            down = chance.random() < 0.7
            for one in [path] if what < 0.5 else range(path, paths, chance.choice([1, 2])):
                assert table.note(one, down, now, rules) == model.note(one, down, now, rules)
        else:
            while True:
                got, wanted = table.due(now, number * 10, rules), model.due(now, number * 10, rules)
                assert (plain(json.loads(got)) if got else None) == wanted
                if wanted is None:
                    break
                told += 1
        if restart and chance.random() < 0.1:
            saved = b"".join(table.save())
            table = LossesTable(paths)
            table.load(saved)
            assert b"".join(table.save()) == saved
    table.check()
    assert [plain(row) for row in table.standing()] == [
        model.told(cause, "raised") for cause in sorted(model.standing, key=lambda one: model.standing[one]["id"])]
    return told


@given(st.integers(0, 1 << 60), st.booleans())
@settings(max_examples=60, deadline=None)
def test_like_the_model(seed: int, restart: bool) -> None:
    run(seed, restart)


def test_the_schedules_tell_something() -> None:
    assert sum(run(seed, False) for seed in range(20)) > 20


# -- as people would want it -----------------------------------------------------------------------------------------


def province(table: LossesTable, areas: int = 4, groups: int = 3, each: int = 20) -> dict[tuple[int, int], list[int]]:
    """A country: `each` paths in every cell. Returns the paths by area and group."""
    cells: dict[tuple[int, int], list[int]] = {}
    for path in range(areas * groups * each):
        cell = path % areas, path // areas % groups
        table.place(path, b"%02d" % (40 + cell[0]), b"net%d" % cell[1])
        cells.setdefault(cell, []).append(path)
    return cells


def fall(table: LossesTable, paths: list[int], now: int, down: bool = True) -> None:
    for path in paths:
        table.note(path, down, now, RULES)


def drain(table: LossesTable, now: int, number: int = 0) -> list[dict[str, Any]]:
    told = []
    while got := table.due(now, number or now // S, RULES):
        told.append(json.loads(got))
    table.check()
    return told


def who(told: list[dict[str, Any]]) -> list[tuple[str, str | None, str, int]]:
    return [(row["kind"], row["area"] or row["group"], row["state"], row["members"]) for row in told]


def test_an_operator_goes_dark_and_comes_back() -> None:
    table = LossesTable(1000)
    cells = province(table)
    gone = [path for (area, group), paths in cells.items() if group == 1 for path in paths]
    fall(table, gone, START)
    assert table.deadline() == START + 5 * S
    assert drain(table, START + 4 * S) == []
    told = drain(table, START + 5 * S)
    assert who(told) == [("group", "net1", "raised", 80)]
    assert told[0]["share"] == 1.0
    assert told[0]["since"] == "2026-01-01T00:00:00.000000Z"
    assert [row["members"] for row in told[0]["by_area"]] == [20, 20, 20, 20]
    assert told[0]["by_group"] == [{"group": "net1", "members": 80, "supervised": 80, "share": 1.0}]
    assert table.deadline() is None
    assert drain(table, START + 100 * S) == []
    assert table.standing()[0]["members"] == 80
    fall(table, gone[:70], START + 200 * S, down=False)
    assert table.deadline() == START + 205 * S
    told = drain(table, START + 205 * S)
    assert who(told) == [("group", "net1", "cleared", 10)]
    assert (told[0]["peak"], told[0]["lasted_s"]) == (80, 205)
    assert table.standing() == []
    assert drain(table, START + 300 * S) == []


def test_a_province_goes_dark() -> None:
    table = LossesTable(1000)
    cells = province(table)
    fall(table, [path for (area, group), paths in cells.items() if area == 2 for path in paths], START)
    assert who(drain(table, START + 5 * S)) == [("area", "42", "raised", 60)]


def test_everything_goes_dark() -> None:
    table = LossesTable(1000)
    fall(table, sum(province(table).values(), []), START)
    told = drain(table, START + 5 * S)
    assert who(told) == [("all", None, "raised", 240)]
    assert [row["area"] for row in told[0]["by_area"]] == ["40", "41", "42", "43"]


def test_two_provinces_are_two_losses() -> None:
    table = LossesTable(2000)
    cells = province(table, areas=8)
    fall(table, [path for (area, _), paths in cells.items() if area in (1, 6) for path in paths], START)
    assert who(drain(table, START + 5 * S)) == [("area", "41", "raised", 60), ("area", "46", "raised", 60)]
    assert [row["loss_id"] for row in table.standing()] == [str(START // S + 5), str(START // S + 6)]


def test_a_later_independent_loss_is_told_and_a_part_of_one_is_not() -> None:
    table = LossesTable(1000)
    cells = province(table)
    fall(table, [path for (_, group), paths in cells.items() if group == 1 for path in paths[:18]], START)
    assert who(drain(table, START + 5 * S)) == [("group", "net1", "raised", 72)]
    fall(table, [path for (_, group), paths in cells.items() if group == 1 for path in paths], START + 9 * S)
    assert drain(table, START + 20 * S) == []
    fall(table, cells[0, 0] + cells[0, 2], START + 30 * S)
    assert who(drain(table, START + 35 * S)) == [("area", "40", "raised", 40)]


def test_scattered_faults_are_no_mass_loss() -> None:
    table = LossesTable(1000)
    cells = province(table)
    for hour in range(4):
        now = START + hour * 3600 * S
        fall(table, [path for paths in cells.values() for path in paths[hour * 2:hour * 2 + 2]], now)
        assert drain(table, now + 10 * S) == []
    assert table.standing() == []


def test_a_province_that_stays_out_is_told_when_the_rest_is_back() -> None:
    table = LossesTable(2000)
    cells = province(table, areas=8)
    fall(table, sum(cells.values(), []), START)
    assert who(drain(table, START + 5 * S)) == [("all", None, "raised", 480)]
    fall(table, [path for (area, _), paths in cells.items() if area != 3 for path in paths], START + 90 * S, down=False)
    told = drain(table, START + 95 * S)
    assert who(told) == [("all", None, "cleared", 60)]
    assert who(drain(table, START + 100 * S)) == [("area", "43", "raised", 60)]


def test_one_that_flaps_makes_no_stream_of_events() -> None:
    table = LossesTable(1000)
    cells = province(table)
    gone = [path for (area, _), paths in cells.items() if area == 0 for path in paths]
    told = 0
    for second in range(640):
        fall(table, gone, START + second * S, down=second % 20 < 10)
        told += len(drain(table, START + second * S))
    assert 2 <= told <= 20


def test_names_beyond_the_bounds_are_no_cause() -> None:
    table = LossesTable(20_000)
    for path in range(20_000):
        table.place(path, b"area %d" % (path % 200), b"x" * 64)
    fall(table, [path for path in range(20_000) if path % 200 >= 127], START)
    assert drain(table, START + 5 * S) == []             # 73 areas, that share one number
    fall(table, [path for path in range(20_000) if path % 200 == 5], START + 70 * S)
    told = drain(table, START + 75 * S)
    assert who(told) == [("area", "area 5", "raised", 100)]
    assert told[0]["by_group"] == [{"group": "other", "members": 100, "supervised": 100, "share": 1.0}]


def test_json_has_room_for_the_worst_names() -> None:
    table = LossesTable(4000)
    for path in range(4000):
        table.place(path, bytes([1 + path % 20]) * 63, b"\x02" * (44 + path % 20))
    fall(table, list(range(4000)), START)
    assert who(drain(table, START + 5 * S))[0][3] == 4000


@pytest.mark.parametrize("cut", [0, 20, 56, 60, 100, -1, -9])
def test_bytes_that_are_not_sound_are_refused(cut: int) -> None:
    table = LossesTable(1000)
    fall(table, sum(province(table).values(), []), START)
    drain(table, START + 5 * S)
    saved = b"".join(table.save())
    with pytest.raises(ValueError, match="mass losses"):
        table.load(saved[:cut])
    with pytest.raises(ValueError, match="mass losses"):
        LossesTable(100).load(saved)
    assert len(table.standing()) == 1
    table.check()


def test_many_at_once() -> None:
    table = LossesTable(1000)
    province(table)
    assert table.note_many(struct.pack("=240I", *range(240)), True, START, RULES) > 100
    assert who(drain(table, START + 5 * S)) == [("all", None, "raised", 240)]

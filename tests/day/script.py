"""What happens in the province that day, scene by scene, and what a fire officer wants of each.

A scene tells its lines one by one: what happens, what left the engine, and whether that is what is wanted. What nobody
wants is told as well: an event that a scene does not expect makes its line wrong.
"""
from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from tests.day.province import (
    ACCEPT_S,
    CROWD,
    HOSPITAL,
    HOTEL,
    OFFICE,
    RESTAURANT,
    SCHOOL,
    SUPERVISION_S,
    WAREHOUSE,
    Province,
    crowd,
)
from tests.integration.engine import until

AT_ONCE_S = 1.0                  # within which a fire is at the desk
NEW = "raised unconfirmed, priority 2"
Event = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the table."""

    scene: str
    happens: str
    left: str
    wanted: str
    right: bool


def kind_of(event: Event) -> str:
    return str(event["type"]).removeprefix("io.tocsin.")


def told(event: Event) -> str:
    """What an event says, in a few words."""
    data = event["data"]
    if kind_of(event).startswith("network."):
        return f"{kind_of(event)}: {data['members']} of {data['supervised']} ({data['group'] or data['area'] or 'all'})"
    words = [kind_of(event).removeprefix("alarm."), data["verification"]]
    if data["reason"] not in ("alarm", "restore"):
        words.append(data["reason"].replace("_", " "))
    return f"{' '.join(words)}, priority {data['priority']}"


def at(place: str) -> Callable[[Event], bool]:
    return lambda event: event["data"].get("facility") == place


class Day:
    """The scenes of one day, in their order."""

    def __init__(self, province: Province) -> None:
        self.province = province
        self.scene = ""
        self.fires = 0
        self.mark = 0

    def play(self) -> Iterator[Line]:
        """Play all scenes."""
        for title, scene in (
            ("normal life", self.normal_life), ("cooking smoke", self.cooking_smoke), ("a real fire", self.real_fire),
            ("nobody answers", self.nobody_answers), ("the installer tests", self.installer),
            ("a detector chatters", self.chatter), ("a disabled detector", self.disabled),
            ("a cable is cut", self.cut_cable), ("an operator's outage", self.outage),
            ("the engine dies", self.restart), ("the day's end", self.evening),
        ):
            self.scene = title
            self.mark = self.province.desk.mark()
            yield from scene()

    # -- what the lines are made of

    def fire(self, account: str, point: str, code: str = "FA", *, second: bool = False) -> float:
        self.fires += code != "FR"
        return self.province.everyone.say(account, f"N{code}{point}", second=second)

    def line(self, happens: str, wanted: str, place: str, expected: list[str], sent: float | None = None) -> Line:
        """Wait for what is expected of a place since the last line; right is that, in time, and nothing else."""
        desk = self.province.desk
        found = desk.wait(self.mark, at(place), max(len(expected), 1) if expected else 0)
        left = [told(event) for _, event in desk.since(self.mark)]
        late = sent is not None and found and found[0][0] - sent > AT_ONCE_S
        self.mark += len(left)
        right = not late and len(left) == len(expected) and all(map(str.startswith, left, expected))
        return Line(self.scene, happens, "; ".join(left) + (" (late)" if late else "") or "nothing", wanted, right)

    def alarm(self, place: str) -> Event:
        """Return the alarm that is open at a place."""
        alarms = [alarm for alarm in self.province.engine.json("/v1/alarms")["alarms"] if alarm["facility"] == place]
        assert len(alarms) == 1, f"{len(alarms)} alarms at {place}"
        return dict(alarms[0])

    def answer(self, place: str, action: str, **said: Any) -> None:
        self.province.change("POST", f"/v1/alarms/{self.alarm(place)['alarm_id']}/{action}", said)

    # -- the scenes

    def normal_life(self) -> Iterator[Line]:
        everyone, engine = self.province.everyone, self.province.engine
        before = everyone.answered
        until(lambda: everyone.answered > before + 3 * len(everyone.accounts), "three rounds of heartbeats")
        faults = engine.metrics().get("line_faults", 0)
        left = self.province.desk.since(self.mark)
        yield Line(self.scene, f"{len(everyone.accounts)} transmitters say that they live",
                   f"{everyone.answered} replies, {faults:.0f} line faults, {len(left)} events", "quiet",
                   not left and not faults)

    def cooking_smoke(self) -> Iterator[Line]:
        place = RESTAURANT.id
        sent = self.fire(RESTAURANT.account, "1")
        yield self.line("smoke in the kitchen", "seen at once, unconfirmed", place, [NEW], sent)
        self.answer(place, "accept")
        yield self.line("the station takes it over", "everybody sees that", place, ["updated unconfirmed accepted"])
        self.answer(place, "verify", true=False)
        yield self.line("the owner says: burnt rice", "false, the last in the queue", place,
                        ["updated false answered false, priority 8"])
        self.fire(RESTAURANT.account, "1", "FR")
        yield self.line("the smoke is gone", "closed as false, never confirmed", place, ["cleared false"])

    def real_fire(self) -> Iterator[Line]:
        place, account = HOSPITAL.id, HOSPITAL.account
        sent = self.fire(account, "1/1")
        yield self.line("a detector, ward 1", "seen at once, unconfirmed", place, [NEW], sent)
        self.fire(account, "1/1", second=True)
        yield self.line("the same by its second path", "no second alarm", place, ["updated unconfirmed second path"])
        sent = self.fire(account, "2/1")
        yield self.line("a detector, ward 2", "confirmed, the first in the queue", place,
                        ["updated confirmed coincidence, priority 1"], sent)
        sent = self.fire(account, "3/1", "FM")
        yield self.line("a call point", "one and the same alarm", place, ["updated confirmed at once, priority 1"],
                        sent)
        alarm = self.alarm(place)
        yield Line(self.scene, "the desk looks", f"{alarm['detectors']} detectors, waits as number {alarm['waiting']}",
                   "three detectors, waits first", alarm["detectors"] == 3 and alarm["waiting"] == 1)
        self.answer(place, "accept")
        yield self.line("the station takes it over", "accepted", place, ["updated confirmed accepted"])
        for point in ("1/1", "2/1"):
            self.fire(account, point, "FR")
        yield self.line("two detectors are quiet again", "not over yet", place, ["updated confirmed"] * 2)
        self.fire(account, "3/1", "FR")
        yield self.line("the call point is reset", "over", place, ["cleared confirmed"])

    def nobody_answers(self) -> Iterator[Line]:
        place, account = HOTEL.id, HOTEL.account
        sent = self.fire(account, "7")
        yield self.line("a fire in the hotel", "seen at once", place, ["raised unconfirmed"], sent)
        self.fire(account, "7", "FR")
        yield self.line("the panel is silenced and reset at once", "over, and still to be accepted", place,
                        ["cleared unconfirmed"])
        began = time.monotonic()
        yield self.line(f"nobody takes it over for {ACCEPT_S} s", "told once more, loudly", place,
                        ["updated unconfirmed unaccepted"])
        assert time.monotonic() - began < ACCEPT_S + 5

    def installer(self) -> Iterator[Line]:
        place, account = SCHOOL.id, SCHOOL.account
        heard = self.province.tests.mark()
        self.province.change("POST", "/v1/tests", {"facility": place, "for": "6s"})
        until(lambda: self.province.engine.json("/v1/tests")["tests"], "the test mode")
        self.fire(account, "1")
        self.fire(account, "2", "FM")
        tests = [told(event) for _, event in self.province.tests.wait(heard, at(place), 2)]
        yield Line(self.scene, "detectors are tried, in test mode", "; ".join(tests), "who asks for tests sees them",
                   len(tests) == 2 and all(" test" in text for text in tests))
        yield self.line("the desk meanwhile", "nothing", place, [])
        for point in ("1", "2"):
            self.fire(account, point, "FR")
        until(lambda: not self.province.engine.json("/v1/tests")["tests"], "the end of the test mode")
        yield self.line("the test mode ends by itself", "nothing is left over", place, [])
        sent = self.fire(account, "1")
        yield self.line("smoke, after the test", "a fire like any other", place, ["raised unconfirmed"], sent)
        self.answer(place, "accept")
        self.fire(account, "1", "FR")
        yield self.line("and its end", "over", place, ["updated unconfirmed accepted", "cleared unconfirmed"])

    def chatter(self) -> Iterator[Line]:
        place, account = WAREHOUSE.id, WAREHOUSE.account
        sent = self.fire(account, "4")
        yield self.line("a loose detector raises", "the first always goes", place, [NEW], sent)
        self.fire(account, "4", "FR")
        for _ in range(3):
            self.fire(account, "4")
            self.fire(account, "4", "FR")
        yield self.line("and comes and goes, four times in all",
                        "from the third on labelled and ranked lower; none held", place,
                        ["cleared", NEW, "cleared",
                         "raised unconfirmed chatter, priority 3", "cleared",
                         "raised unconfirmed chatter, priority 3", "cleared"])
        self.settle(place, 4)

    def settle(self, place: str, count: int) -> None:
        """Wait until what nobody accepted was told; that is no part of the scene."""
        self.province.desk.wait(self.mark, lambda event: event["data"].get("reason") == "unaccepted", count)
        self.mark = self.province.desk.mark()

    def disabled(self) -> Iterator[Line]:
        place, account = HOSPITAL.id, HOSPITAL.account
        self.province.everyone.say(account, "NFB9/9")
        sent = self.fire(account, "9/9")
        yield self.line("a fire from a detector that is switched off", "out at once, labelled", place,
                        ["raised unconfirmed disabled"], sent)
        self.answer(place, "accept")
        self.fire(account, "9/9", "FR")
        self.province.everyone.say(account, "NFU9/9")
        yield self.line("it is put right", "over", place, ["updated unconfirmed accepted", "cleared"])

    def cut_cable(self) -> Iterator[Line]:
        province, account = self.province, HOTEL.account
        faults = province.engine.metrics()["line_faults"]
        province.everyone.silent.add(account)
        until(lambda: account in province.line_faults(), "its line fault", SUPERVISION_S + 10)
        took = time.monotonic() - province.everyone.heard[account]
        shown = [row["condition"] for row in province.engine.json(f"/v1/transmitters/{HOTEL.key}")["conditions"]]
        more = province.engine.metrics()["line_faults"] - faults
        yield Line(self.scene, "an excavator cuts the hotel's line", f"line fault after {took:.1f} s of silence, "
                   f"{more:.0f} in all, open: {', '.join(shown)}", "one line fault, in time; no alarm, no mass loss",
                   more == 1 and "line_fault" in shown and SUPERVISION_S <= took < SUPERVISION_S + 2)
        province.everyone.silent.discard(account)
        until(lambda: account not in province.line_faults(), "its return")
        shown = [row["condition"] for row in province.engine.json(f"/v1/transmitters/{HOTEL.key}")["conditions"]]
        yield Line(self.scene, "it is mended", f"open: {', '.join(shown) or 'nothing'}", "nothing is left open",
                   not shown)
        yield self.line("the desk meanwhile", "nothing", HOTEL.id, [])

    def outage(self) -> Iterator[Line]:
        province = self.province
        out = set(crowd("mobile"))
        province.everyone.silent |= out
        lost = province.desk.wait(self.mark, lambda event: kind_of(event) == "network.lost", 1, SUPERVISION_S + 10)
        until(lambda: out <= set(province.line_faults()), "all line faults", SUPERVISION_S + 10)
        told_once = [told(event) for _, event in province.desk.since(self.mark)]
        yield Line(self.scene, f"the mobile operator goes dark: {CROWD} transmitters", "; ".join(told_once),
                   "one event that says whose network, how many, what share",
                   len(lost) == 1 == len(told_once) and lost[0][1]["data"]["group"] == "mobile"
                   and lost[0][1]["data"]["members"] >= CROWD * 0.9)
        self.mark = province.desk.mark()
        sent = self.fire(SCHOOL.account, "1")
        yield self.line("a fire in the middle of it", "seen at once", SCHOOL.id, ["raised unconfirmed"], sent)
        self.answer(SCHOOL.id, "accept")
        self.fire(SCHOOL.account, "1", "FR")
        yield self.line("and its end", "over", SCHOOL.id, ["updated unconfirmed accepted", "cleared"])
        province.everyone.silent -= out
        back = province.desk.wait(self.mark, lambda event: kind_of(event) == "network.restored", 1, 90)
        told_once = [told(event) for _, event in province.desk.since(self.mark)]
        self.mark = province.desk.mark()
        yield Line(self.scene, "the network is back", "; ".join(told_once), "one event that says so",
                   len(back) == 1 == len(told_once))

    def restart(self) -> Iterator[Line]:
        province, place, account = self.province, OFFICE.id, OFFICE.account
        sent = self.fire(account, "1/1")
        yield self.line("a fire", "seen at once", place, ["raised unconfirmed"], sent)
        self.answer(place, "accept")
        yield self.line("it is accepted", "accepted", place, ["updated unconfirmed accepted"])
        away = province.restart()
        alarm = self.alarm(place)
        yield Line(self.scene, f"power cut; nobody is heard for {away:.1f} s",
                   f"the alarm is open, {alarm['verification']}, accepted: {alarm['accepted']}", "it still knows",
                   alarm["accepted"])
        sent = self.fire(account, "2/1")
        yield self.line("a second detector", "confirms the alarm from before", place, ["updated confirmed coincidence"])
        answered = province.everyone.answered
        until(lambda: province.everyone.answered > answered + 8 * len(province.everyone.accounts), "heartbeats", 60)
        after = province.engine.metrics()["line_faults"]
        yield Line(self.scene, "the transmitters call again", f"{after:.0f} line faults", "no false storm", after == 0)
        for point in ("1/1", "2/1"):
            self.fire(account, point, "FR")
        yield self.line("the fire is out", "over", place, ["updated confirmed", "cleared confirmed"])

    def evening(self) -> Iterator[Line]:
        engine = self.province.engine
        engine.until_stored()
        stored = engine.rows("SELECT count(*) AS n, count(DISTINCT id) AS ids, "
                             "count(*) FILTER (WHERE verdict <> 'forward') AS kept "
                             "FROM tocsin.signal WHERE class = 'fire' AND state <> 'cleared'")[0]
        yield Line(self.scene, f"{self.fires} fire signals were acknowledged", f"{stored['n']} are stored, "
                   f"{stored['kept']} of them not forwarded", "each once, each forwarded",
                   stored["n"] == stored["ids"] == self.fires and stored["kept"] == 0)
        names = engine.rows("SELECT count(*) AS n FROM tocsin.signal WHERE verdict IS NULL OR reason IS NULL "
                            "OR rule IS NULL OR rule_version IS NULL")[0]
        yield Line(self.scene, "every signal of the day", f"{names['n']} without verdict, reason, rule or version",
                   "each verdict names its rule", names["n"] == 0)
        alarms = engine.rows("SELECT count(*) FILTER (WHERE cleared_at IS NULL) AS open, count(*) AS n, "
                             "count(*) FILTER (WHERE answered = 'false') AS lies, "
                             "count(*) FILTER (WHERE confirmed_at IS NOT NULL) AS fires FROM tocsin.alarm")[0]
        yield Line(self.scene, "the book", f"{alarms['n']} alarms, {alarms['open']} open, {alarms['fires']} confirmed, "
                   f"{alarms['lies']} declared false", "none is open; two confirmed, one false",
                   (alarms["open"], alarms["fires"], alarms["lies"]) == (0, 2, 1))

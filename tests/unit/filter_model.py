"""What the filter should do, in plain Python and without a thought for speed: registry, lanes, verification, deadlines.

Open conditions are left to their own table, and mass losses are left out: both have models of their own.
"""
from dataclasses import dataclass, field
from typing import Any

from codec.words import CONDITION_TEXT, Condition, Flag, RowKind, SignalClass, State
from engine.changes import NO_PATH
from engine.filter.rule_file import FIRST_RULE, SECONDS, Rulebook, WrittenRule
from engine.filter.states_view import StatesTable
from engine.words import Change

S = 1_000_000_000
CLASSES = {1: "fire", 2: "gas", 3: "prealarm", 8: "security", 9: "medical"}
URGENCY = {1: 1, 2: 3, 3: 4, 9: 5, 8: 6}
RANK = {"confirmed": 3, "unconfirmed": 2, "late": 1}
assert (SignalClass.CLASS_SECURITY, SignalClass.CLASS_MEDICAL) == (8, 9)
Row = dict[str, Any]
Place = tuple[str, str, int]         # facility or "", account or "", lane


@dataclass
class Flap:
    key: tuple[int, str]
    zone: str
    since: int
    times: int = 0


@dataclass
class Transmitter:
    slot: int
    facility: str = ""
    former: str = ""
    test_ns: int = 0
    flaps: list[Flap | None] = field(default_factory=lambda: [None, None])


@dataclass
class Item:
    sender: str                      # account; empty: nobody known
    signal_class: int
    point: str
    signal: int
    path: int
    since: int
    zone: str | None                 # None: it confirms nothing


@dataclass
class Alarm:
    id: int
    place: Place
    facility: str
    opened_ns: int
    signal_class: int = 0
    verification: str = ""
    answered: bool | None = None
    accepted: bool = False
    awaited: str = ""                # "", now, in vain
    turn: int = 0
    ended: bool = False
    chatters: bool = True
    shift: int = 0
    count: int = 0
    revision: int = 0
    detectors: int = 0
    priority: int = 0
    items: list[Item] = field(default_factory=list)


class Model:
    def __init__(self, book: Rulebook, next_event: int) -> None:
        self.book, self.next_event, self.now = book, next_event, -2**63
        self.facilities: dict[str, tuple[str | None, str, tuple[str, ...]]] = {}      # kind, way, areas
        self.facility_tests: dict[str, int] = {}
        self.senders: dict[str, Transmitter] = {}
        self.points: dict[tuple[str, str], tuple[int, str]] = {}                      # condition, zone
        self.point_tests: dict[tuple[str, str], int] = {}
        self.tests: dict[tuple[str, str, str], int] = {}
        self.open: dict[Place, Alarm] = {}
        self.ended: dict[int, Alarm] = {}
        self.ring: list[tuple[int, int, int]] = []
        self.states = StatesTable(100, 10_000)
        self.events: list[tuple[Any, ...]] = []

    # -- one row ------------------------------------------------------------------------------------------------

    def judge(self, number: int, row: Row) -> tuple[str, str]:
        if row["kind"] == RowKind.ROW_TICK:
            self.due(row["received_ns"])
        elif row["kind"] == RowKind.ROW_CHANGE:
            self.change(row)
        elif row["kind"] == RowKind.ROW_ENROLMENT and row["path"] != NO_PATH:
            self.sender(row)
        if row["kind"] != RowKind.ROW_SIGNAL:
            return "none", "none"
        signal_class, state, condition = row["signal_class"], row["state"], row["condition"]
        if signal_class in (8, 9):
            off = not (self.book.security if signal_class == 8 else self.book.medical)
            if state == State.STATE_CLEARED:
                return self.clears(number, row, off)
            if off:
                return "suppress", "class_off"
            return self.raises(number, row) if state == State.STATE_RAISED else self.state(number, row)
        if signal_class in (1, 2, 3):
            return self.clears(number, row, False) if state == State.STATE_CLEARED else self.raises(number, row)
        if condition in (Condition.CONDITION_CANCELLED, Condition.CONDITION_ABORTED, Condition.CONDITION_SILENCED):
            return self.cancels(number, row)
        return self.state(number, row)

    def sender(self, row: Row) -> tuple[str, Transmitter | None, str, bool]:
        """The account, its transmitter, its facility, and whether the row is one of a test."""
        account = row["account"]
        if row["flags"] & Flag.FLAG_QUARANTINED and account not in self.senders:
            return "", None, "", False
        known = self.senders.setdefault(account, Transmitter(len(self.senders)))
        until = max(known.test_ns, self.facility_tests.get(known.facility, 0) if known.facility else 0,
                    self.point_tests.get((account, row["point"]), 0))
        return account, known, known.facility, row["received_ns"] < until

    @staticmethod
    def place(facility: str, account: str, lane: int) -> Place:
        return (facility, "", lane) if facility else ("", account, lane)

    def rule_for(self, facility: str, signal_class: int, condition: int) -> tuple[int, WrittenRule, str]:
        kind, way, areas = self.facilities.get(facility, ("other", "rules", ())) if facility else (None, "rules", ())
        for index, rule in enumerate(self.book.rules):
            if (not rule.classes or CLASSES[signal_class] in rule.classes) \
                    and (not rule.conditions or CONDITION_TEXT[condition] in rule.conditions) \
                    and (not rule.kinds or kind in rule.kinds) and (not rule.ways or way in rule.ways) \
                    and (not rule.areas or set(rule.areas) & set(areas)):
                how = way if rule.verified == "as_facility" else rule.verified
                return FIRST_RULE + index, rule, "coincidence" if how == "rules" else how
        raise AssertionError

    # -- signals ------------------------------------------------------------------------------------------------

    def raises(self, number: int, row: Row) -> tuple[str, str]:
        account, known, facility, in_test = self.sender(row)
        place = self.place(facility, row["account"], int(in_test))
        alarm = self.open.get(place)
        kind = "updated" if alarm else "raised"
        if alarm is None:
            alarm = self.open[place] = Alarm(number, place, facility, row["received_ns"])
        truth, reason, new, times, shift, kept = self.truth(number, row, account, known, facility, in_test, alarm)
        first, before = alarm.count == 0, alarm.verification
        alarm.count += 1
        alarm.detectors += first or new and times <= 1
        if alarm.verification == "false":
            if new and reason != "chatter":
                alarm.verification, alarm.answered, alarm.accepted, alarm.awaited = truth, None, False, ""
        elif first or RANK.get(truth, 0) > RANK.get(alarm.verification, 0):
            alarm.verification = truth
        if first or URGENCY[row["signal_class"]] < URGENCY[alarm.signal_class]:
            alarm.signal_class = row["signal_class"]
        alarm.shift = shift if first else min(alarm.shift, shift)
        alarm.chatters = alarm.chatters and (bool(kept) or reason == "chatter")
        confirms = reason == "coincidence" and not first and before != alarm.verification
        self.tell(alarm, kind, reason, number, confirms=confirms)
        self.wait(alarm, row["received_ns"])
        return "forward", reason

    def truth(self, number: int, row: Row, account: str, known: Transmitter | None, facility: str, in_test: bool,
              alarm: Alarm) -> tuple[str, str, bool, int, int, str]:
        point, signal_class = row["point"], row["signal_class"]
        condition, zone = self.points.get((account, point), (0, "")) if known else (0, "")
        if row["condition"] not in (0, Condition.CONDITION_FIRE) or not condition:
            condition = row["condition"]
        zone = zone or point[:point.rfind("/") + 1] or point
        late = bool(row["flags"] & (Flag.FLAG_LATE | Flag.FLAG_OLD))
        trusted = known is not None and not row["flags"] & Flag.FLAG_QUARANTINED
        disabled = bool(known and point and self.states.open(known.slot, SignalClass.CLASS_DISABLEMENT, point.encode()))
        sound = trusted and not (in_test or late or disabled) and signal_class in (1, 2, 3)
        way, shift, rule, since = "", 0, None, max(row["received_ns"] // S, 0)
        if signal_class in (1, 2, 3):
            _, rule, way = self.rule_for(facility, signal_class, condition)
            shift = rule.priority
        item = next((item for item in alarm.items if (item.sender, item.signal_class, item.point)
                     == (account, signal_class, point)), None)
        second = False
        if sound and rule and way == "coincidence" and signal_class == 1:
            found = self.seconds(alarm, known, account, point, zone, since, rule.within_ns)
            second = bool((found - {"repetition"} if item else found) & set(rule.seconds))
        kept = ""
        if item:
            kept = "again" if item.path == row["path"] else "second_path"
            if item.zone is None and sound:
                item.zone, item.since = zone, since
        else:
            alarm.items.append(Item(account, signal_class, point, number, row["path"], since, zone if sound else None))
        times = self.flap(known, (signal_class, point), zone, since) if sound and known and not item else 0
        truth, reason = "unconfirmed", "alarm"
        if in_test:
            truth, reason = "test", "test"
        elif late:
            truth = "late"
        elif disabled:
            reason = "disabled"
        elif sound and way == "at_once":
            truth, reason = "confirmed", "at_once"
        elif times > 1 and times >= self.book.chatter.times:
            reason = "chatter"
        elif second:
            truth, reason = "confirmed", "coincidence"
        return truth, reason if in_test or not kept else kept, item is None, times, shift, kept

    @staticmethod
    def seconds(alarm: Alarm, known: Transmitter | None, account: str, point: str, zone: str, now: int,
                within_ns: int) -> set[str]:
        found = set()
        for item in alarm.items:
            if item.signal_class == 1 and item.zone is not None and (now - item.since) * S <= within_ns \
                    and (item.sender, item.point) != (account, point):
                found.add(SECONDS[0])
                if item.zone != zone or item.sender != account:
                    found.add(SECONDS[1])
        for flap in known.flaps if known else []:
            if flap and flap.key[0] == 1 and (now - flap.since) * S <= within_ns:
                if flap.key[1] == point:
                    found.add(SECONDS[2])
                else:
                    found |= {SECONDS[0]} | ({SECONDS[1]} if flap.zone != zone else set())
        return found

    def flap(self, known: Transmitter, key: tuple[int, str], zone: str, now: int) -> int:
        slot = next((at for at, flap in enumerate(known.flaps) if flap and flap.key == key), -1)
        if slot < 0:
            first, last = known.flaps
            slot = 1 if last is None or first is not None and last.since < first.since else 0
            known.flaps[slot] = None
        flap = known.flaps[slot]
        if flap is None or (now - flap.since) * S > self.book.chatter.within_ns:
            flap = known.flaps[slot] = Flap(key, zone, now)
        flap.zone = zone
        flap.times += 1
        return flap.times

    def clears(self, number: int, row: Row, off: bool) -> tuple[str, str]:
        account, known, facility, _ = self.sender(row)
        found = self.clears_at(number, row, account, facility)
        if known and (not found or not row["point"]):
            if known.former:
                found |= self.clears_at(number, row, account, known.former)
            if facility:
                found |= self.clears_at(number, row, account, "")
            if not found:
                found = self.clears_at(number, row, "", "")
        return ("forward", "restore") if found else ("suppress", "class_off" if off else "no_alarm_open")

    def clears_at(self, number: int, row: Row, account: str, facility: str) -> bool:
        found = False
        for lane in (0, 1):
            alarm = self.open.get(self.place(facility, row["account"], lane))
            if alarm is None:
                continue
            said = (account, row["signal_class"])
            left = [item for item in alarm.items if (item.sender, item.signal_class) != said
                    or row["point"] not in ("", item.point)]
            if len(left) == len(alarm.items):
                continue
            alarm.items, found = left, True
            self.tell(alarm, "updated" if left else "cleared", "restore", number)
            if not left:
                self.finish(alarm)
        return found

    def cancels(self, number: int, row: Row) -> tuple[str, str]:
        _, _, facility, _ = self.sender(row)
        alarm = self.open.get(self.place(facility, row["account"], 0))
        if alarm is None or row["condition"] == Condition.CONDITION_SILENCED \
                or row["received_ns"] - alarm.opened_ns > self.book.cancel.within_ns:
            return "suppress", "state"
        self.tell(alarm, "updated", "cancelled", number)
        return "forward", "cancelled"

    def state(self, number: int, row: Row) -> tuple[str, str]:
        _, known, _, _ = self.sender(row)
        if known and row["state"] in (State.STATE_RAISED, State.STATE_CLEARED) and 4 <= row["signal_class"] <= 7 \
                and self.states.note(known.slot, row["signal_class"], row["condition"], row["state"],
                                     row["point"].encode(), number, row["received_ns"]) == "none":
            return "suppress", "again"
        return "suppress", "state"

    # -- the life of an alarm -----------------------------------------------------------------------------------

    def rank(self, alarm: Alarm) -> int:
        if alarm.verification in ("false", "test"):
            return 8 if alarm.verification == "false" else 9
        shift = alarm.shift + (self.book.chatter.priority if alarm.chatters else 0) - (alarm.detectors >= 3)
        base = 2 if alarm.signal_class == 1 and alarm.verification != "confirmed" else URGENCY[alarm.signal_class]
        return min(max(base + shift, 1), 7)

    def tell(self, alarm: Alarm, kind: str, reason: str, signal: int | None, rank: bool = False,
             confirms: bool = False) -> None:
        """Note an event; only what raises, and a person's or a test's word, ranks anew."""
        if rank or signal is not None and reason not in ("restore", "cancelled"):
            alarm.priority = self.rank(alarm)
        alarm.revision += 1
        signal = signal if signal is not None else (alarm.items[-1].signal if alarm.items else alarm.id)
        self.events.append((self.next_event, kind, reason, alarm.id, signal, alarm.signal_class, alarm.verification,
                            alarm.priority, alarm.detectors, alarm.accepted, alarm.revision, alarm.count,
                            confirms, alarm.facility))
        self.next_event += 1

    def wait(self, alarm: Alarm, now: int) -> None:
        if not (alarm.awaited or alarm.accepted or alarm.signal_class != 1 or not self.book.accept_within_ns
                or alarm.verification in ("test", "false")):
            alarm.awaited, alarm.turn = "now", alarm.turn + 1
            self.ring.append((alarm.id, alarm.turn, now + self.book.accept_within_ns))

    def finish(self, alarm: Alarm) -> None:
        del self.open[alarm.place]
        if alarm.awaited == "now" and not alarm.accepted and alarm.verification != "false":
            alarm.ended = True
            self.ended[alarm.id] = alarm

    def find(self, id: int) -> Alarm | None:
        return self.ended.get(id) or next((alarm for alarm in self.open.values() if alarm.id == id), None)

    def due(self, now: int) -> None:
        self.now = max(self.now, now)
        while self.ring and self.ring[0][2] <= self.now:
            id, turn, _ = self.ring.pop(0)
            alarm = self.find(id)
            if alarm is None or alarm.turn != turn:
                continue
            if alarm.awaited == "now" and not alarm.accepted and alarm.verification not in ("false", "test"):
                alarm.awaited = "in vain"
                self.tell(alarm, "updated", "unaccepted", None)
            else:
                alarm.awaited = ""
            self.ended.pop(id, None)
        for _, key in sorted((until, key) for key, until in self.tests.items() if until * 1000 <= self.now):
            del self.tests[key]
            self.end_test(key, self.now)

    # -- changes ------------------------------------------------------------------------------------------------

    def change(self, row: Row) -> None:
        words, account, kind = row["native"].split("\t"), row["account"], row["condition"]
        if kind == Change.CHANGE_FACILITY:
            gone = len(words) == 1
            self.facilities[words[0]] = ("other", "rules", ()) if gone else (words[4], words[5], tuple(words[1:4]))
        elif kind == Change.CHANGE_TRANSMITTER:
            if not row["native"] and account not in self.senders:
                return
            known = self.senders.setdefault(account, Transmitter(len(self.senders)))
            if words[0] != known.facility:
                known.former, known.facility = known.facility, words[0]
        elif kind == Change.CHANGE_POINT:
            if account in self.senders:
                conditions = {text: number for number, text in CONDITION_TEXT.items()}
                self.points[account, row["point"]] = (conditions.get(words[0], 0), (words + [""])[1])
        elif kind == Change.CHANGE_TEST:
            self.change_test(row, int(words[0]), words[1])
        elif kind == Change.CHANGE_RULES:
            self.book = Rulebook.from_json(row["native"])
        elif alarm := self.find(int(words[0])):
            self.change_alarm(alarm, kind, words, row["received_ns"])

    def change_alarm(self, alarm: Alarm, kind: int, words: list[str], now: int) -> None:
        if kind == Change.CHANGE_ACCEPT and not alarm.accepted:
            alarm.accepted = True
            self.tell(alarm, "updated", "accepted", None)
        elif kind == Change.CHANGE_CLOSE and not alarm.ended:
            alarm.items, alarm.accepted = [], True
            self.tell(alarm, "cleared", "closed", None)
            self.finish(alarm)
        elif kind == Change.CHANGE_ANSWER:
            alarm.answered = words[1] == "true"
            alarm.verification = "confirmed" if alarm.answered else "false"
            self.tell(alarm, "updated", f"answered_{words[1]}", None, rank=True)
            if alarm.answered and not alarm.ended:
                self.wait(alarm, now)

    def change_test(self, row: Row, until: int, facility: str) -> None:
        account = "" if facility else self.sender(row)[0]
        key = (facility, account, "" if facility else row["point"])
        if until:
            self.tests[key] = until
        else:
            self.tests.pop(key, None)
        self.set_test(key, until * 1000)
        if until == 0:
            self.end_test(key, max(self.now, row["received_ns"]))

    def set_test(self, key: tuple[str, str, str], until_ns: int) -> None:
        facility, account, point = key
        if facility:
            self.facility_tests[facility] = until_ns
        elif point:
            self.point_tests[account, point] = until_ns
        else:
            self.senders[account].test_ns = until_ns

    def end_test(self, key: tuple[str, str, str], now: int) -> None:
        self.set_test(key, 0)
        known = self.senders.get(key[1])
        for facility in [key[0]] if known is None else [known.facility, known.former, ""]:
            self.count_at(self.place(facility, key[1], 1), now)

    def count_at(self, place: Place, now: int) -> None:
        alarm = self.open.get(place)
        if alarm is None or alarm.verification != "test" or self.is_tested(alarm, now):
            return
        real: Place = (place[0], place[1], 0)
        if real not in self.open:
            alarm.place = real
            self.open[real] = self.open.pop(place)
        alarm.verification = "unconfirmed"
        self.tell(alarm, "updated", "test_ended", None, rank=True)
        self.wait(alarm, now)

    def is_tested(self, alarm: Alarm, now: int) -> bool:
        return self.facility_tests.get(alarm.facility, 0) > now or any(
            item.sender and (self.senders[item.sender].test_ns > now
                             or self.point_tests.get((item.sender, item.point), 0) > now) for item in alarm.items)

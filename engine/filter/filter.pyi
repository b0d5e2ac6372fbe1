from typing import Any

from codec.batch import Batch
from engine.filter.rulebook import Rulebook
from engine.filter.test_modes import TestMode

class Filter:
    """Judges signals, keeps the open alarms, numbers events. A function of the rows it was given, of nothing else.

    next_event  the number of the first event, 1 or more; the journal's first number + 1
    source      the `source` of every CloudEvent, a URI reference, 1..256 bytes of UTF-8
    rules       by which is judged until a row brings others; None: those that come with the program
    alarms_max  open alarms that are kept, 0..2^30; beyond, alarms are forwarded without being kept. Some 275 bytes
                each, taken as they are used
    paths_max   paths and transmitters that are kept; some 200 bytes each, taken as they are used
    fixed_rules rows that bring other rules are passed over
    silent      alarms' events have no block and no JSON: for who compares what is judged and forwards nothing
    hash_key    16 random bytes; nothing that shows depends on them
    Raises      ValueError on a value out of range, MemoryError
    """

    def __init__(self, next_event: int, source: str = "tocsin", rules: Rulebook | None = None,
                 alarms_max: int = 1000000, paths_max: int = 2000000, *, fixed_rules: bool = False,
                 silent: bool = False, hash_key: bytes) -> None: ...
    @property
    def next_event(self) -> int:
        """The number that the next event will have."""
    @property
    def position(self) -> int:
        """The number of the last row that was judged; 0 before the first."""
    @property
    def rules(self) -> Rulebook:
        """The rules by which is judged."""
    @property
    def registry_seen(self) -> tuple[str, int]:
        """Identity of the registry that was read, and the revision up to which; ("", 0) before the first."""
    @property
    def alarms_open(self) -> int:
        """Open alarms that are kept."""
    @property
    def untracked(self) -> int:
        """Signals since this process began that were forwarded as alarms without being kept: table full, or place
        longer than 60 bytes."""
    @property
    def unaccepted_total(self) -> int:
        """Fires since this process began that nobody accepted in time."""
    def apply(self, first: int, batch: Batch) -> bytes:
        """Judge the rows of one journal entry, whose first row has the number `first`; return the encoded Outcome.

        One verdict a row (none for rows that are no signals), events numbered on.
        Raises  ValueError when `first` is not after `position`, and the state is then as before; MemoryError
        """
    def show(self, batch: Batch) -> bytes:
        """Return an encoded Outcome with an event for each row that would make one, for rows that are not durable.

        The events have number 0, no `id:` line, no `sequence`, `durable` false, `signal_id` null, and a CloudEvents id
        that begins with `volatile-`. `alarm_id` is that of the alarm open at the place, else null. All verdicts are
        none. Nothing is remembered; type is raised, or updated where an alarm is open or the row is a restore.
        """
    def next_deadline_ns(self) -> int | None:
        """Return when a tick is wanted next, ns since 1970: a fire to be accepted, a test mode's end, a mass loss."""
    def take_overdue(self) -> list[int]:
        """Return the ids of the alarms that nobody accepted in time, since the last call; at most 1000."""
    def save(self) -> list[bytes]:
        """Return the state as parts of at most some 1 MiB each, to be joined; equal states give equal bytes."""
    def load(self, saved: bytes | memoryview) -> None:
        """Take over a saved state, position and next event too. Raises ValueError and keeps the old state."""
    def check(self) -> None:
        """Raise AssertionError unless lists, counts and indexes agree. Walks everything."""
    def open_alarms(self, after: int = 0, limit: int | None = None, ended: bool = False) -> list[dict[str, Any]]:
        """Return open alarms in the order of their ids, ready for JSON; `after` and `limit` cut pages.

        Keys  alarm_id, event_id (its last event), state (cleared: with `ended`, still to be accepted), transmitter,
              protocol, account, realm, facility, facility_name, area, class, condition, verification, answered (true,
              false or null), priority, detectors, chatters, accepted, revision, count, first_received_at, received_at,
              open [{signal_id, class, condition, point, transmitter, since}], open_beyond [class] (open without an
              item, for want of room)
        Cost  `after` costs one pass over the table, each row some microseconds
        """
    def alarm(self, alarm_id: int) -> dict[str, Any] | None:
        """Return one alarm as in `open_alarms`, or None. Costs one pass over the table."""
    def alarms_unaccepted(self) -> int:
        """Return how many fires are still to be accepted."""
    def facility(self, facility_id: str) -> dict[str, Any] | None:
        """Return what events say of a facility, its kind and its way of verification; None when nobody named it."""
    def place(self, transmitter: str) -> dict[str, Any] | None:
        """Return the same of a transmitter's facility; None when the filter does not know the transmitter."""
    def conditions(self, transmitter: str) -> list[dict[str, Any]]:
        """Return what is open at a transmitter: [{class, condition, point, signal_id, since}], the oldest first."""
    def with_conditions(self, condition: str | None = None, before_ns: int | None = None, after: int | None = None,
                        limit: int = 100) -> list[dict[str, Any]]:
        """Return transmitters with something open, by number: of one condition, or since before a time."""
    def tests(self) -> list[TestMode]:
        """Return the test modes that are on, the one that ends first first."""
    def mass_losses(self) -> list[dict[str, Any]]:
        """Return the mass losses that stand."""
    def registry_counts(self) -> dict[str, int]:
        """Return how many facilities, transmitters and points are kept, and how many rows were refused."""
    def condition_counts(self) -> dict[str, int]:
        """Return condition -> how often it is open; zeros are left out."""
    def verdict_counts(self) -> dict[tuple[str, ...], int]:
        """Return (verdict, reason) -> signals judged since this process began; zeros are left out."""
    def signal_counts(self) -> dict[str, int]:
        """Return class -> signals judged since this process began; zeros are left out."""

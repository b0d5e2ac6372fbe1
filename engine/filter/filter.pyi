from typing import Any

from codec.batch import Batch

class Filter:
    """Judges signals, keeps the open alarms, numbers events. A function of the rows it was given, of nothing else.

    next_event  the number of the first event, 1 or more; the journal's first number + 1
    source      the `source` of every CloudEvent, a URI reference, 1..256 bytes of UTF-8
    security    whether security signals make alarms
    medical     whether medical signals make alarms
    alarms_max  open alarms that are kept, 0..2^30; beyond, alarms are forwarded without being kept. Some 225 bytes
                each, taken as they are used
    hash_key    16 random bytes; nothing that shows depends on them
    Raises      ValueError on a value out of range, MemoryError
    """

    def __init__(self, next_event: int, source: str = "tocsin", security: bool = False, medical: bool = False,
                 alarms_max: int = 1000000, *, hash_key: bytes) -> None: ...
    @property
    def next_event(self) -> int:
        """The number that the next event will have."""
    @property
    def position(self) -> int:
        """The number of the last signal that was judged; 0 before the first."""
    @property
    def alarms_open(self) -> int:
        """Open alarms that are kept."""
    @property
    def untracked(self) -> int:
        """Signals since this process began that were forwarded as alarms without being kept: table full, or place
        longer than 60 bytes."""
    def apply(self, first: int, batch: Batch) -> bytes:
        """Judge the rows of one journal entry, whose first row has the number `first`; return the encoded Outcome.

        One verdict a row (none for rows that are no signals), at most one event a row, numbered on.
        Raises  ValueError when `first` is not after `position`; the state is then as before
        """
    def show(self, batch: Batch) -> bytes:
        """Return an encoded Outcome with an event for each row that would make one, for rows that are not durable.

        The events have number 0, no `id:` line, no `sequence`, `durable` false, `signal_id` null, and a CloudEvents id
        that begins with `volatile-`. `alarm_id` is that of the alarm open at the place, else null. All verdicts are
        none. Nothing is remembered; type is raised, or updated where an alarm is open or the row is a restore.
        """
    def save(self) -> list[bytes]:
        """Return the state as parts of at most some 1 MiB each, to be joined; equal states give equal bytes."""
    def load(self, saved: bytes) -> None:
        """Take over a saved state, position and next event too. Raises ValueError and keeps the old state."""
    def check(self) -> None:
        """Raise AssertionError unless lists, counts and index agree. Walks everything."""
    def open_alarms(self, after: int = 0, limit: int | None = None) -> list[dict[str, Any]]:
        """Return open alarms in the order of their ids, ready for JSON; `after` and `limit` cut pages.

        Keys  alarm_id, event_id (its last event), transmitter, protocol, account, realm, facility, area, class,
              condition, verification, priority, revision, count, first_received_at, received_at,
              open [{signal_id, class, condition, point}], open_beyond [class] (open without an item, for want of room)
        Cost  `after` costs one pass over the table, each row some microseconds
        """
    def alarm(self, alarm_id: int) -> dict[str, object] | None:
        """Return one open alarm as in `open_alarms`, or None. Costs one pass over the table."""
    def verdict_counts(self) -> dict[tuple[str, ...], int]:
        """Return (verdict, reason) -> signals judged since this process began; zeros are left out."""
    def signal_counts(self) -> dict[str, int]:
        """Return class -> signals judged since this process began; zeros are left out."""

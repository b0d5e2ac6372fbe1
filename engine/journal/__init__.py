"""The journal stage: see README.md of this folder."""
from engine.journal.errors import Ahead, Damaged, Full, JournalError, Locked, Trimmed, Unavailable
from engine.journal.journal import Journal, JournalSettings, Lease, Position, Span
from engine.journal.layout import Entry
from engine.journal.real_disk import RealDisk
from engine.journal.segments import LogStart, SegmentLog
from engine.journal.snapshots import Snapshot
from engine.journal.space import Room, SpaceSettings

__all__ = [
    "Ahead", "Damaged", "Entry", "Full", "Journal", "JournalError", "JournalSettings", "Lease", "Locked", "LogStart",
    "Position", "RealDisk", "Room", "SegmentLog", "Snapshot", "Span", "SpaceSettings", "Trimmed", "Unavailable",
]

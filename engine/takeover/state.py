"""What an engine remembers, handed on in memory: the sections of a snapshot, and the segments of its logs.

A memory file: the sections one behind the other, then a JSON object, then its length as u64, little endian. The object
has `form`, `journal` (the name in hex), `at` (the number up to which everything was judged), `sections` as
[name, bytes] and, when the giver has let go of its logs, `logs` by prefix.
"""
from __future__ import annotations

import io
import json
import mmap
import os
import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from engine.journal.disk import Bytes
from engine.journal.layout import Segment, decode_header
from engine.journal.snapshots import Sections, Snapshot
from engine.takeover.link import FORM

LENGTH = struct.Struct("<Q")
FILE_NAME = "tocsin-state"
LARGEST = "paths"                # the section that is not copied


class Unfit(Exception):
    """The state is none that this version can go on from; the text says why."""


@dataclass(frozen=True, slots=True)
class State:
    """What was handed over. `logs` holds all segments of a log by its prefix, where they need not be looked through."""

    snapshot: Snapshot
    logs: Mapping[str, list[Segment]] = field(default_factory=dict)


def new_file() -> int:
    """Return the descriptor of a new memory file. Raises OSError."""
    return os.memfd_create(FILE_NAME)


def write(descriptor: int, journal: bytes, at: int, sections: Sections,
          logs: Mapping[str, list[Segment] | None]) -> None:
    """Write a state over what the memory file holds: pages that it has already cost no allocation. Raises OSError."""
    os.lseek(descriptor, 0, os.SEEK_SET)
    with open(descriptor, "wb", closefd=False, buffering=0) as file:
        sizes = [[name, write_section(file, content)] for name, content in sections.items()]
        told = {"form": FORM, "journal": journal.hex(), "at": at, "sections": sizes,
                "logs": {prefix: told_log(some) for prefix, some in logs.items() if some}}
        text = json.dumps(told).encode()
        write_all(file, text + LENGTH.pack(len(text)))
        file.truncate()


def write_all(file: io.FileIO, data: Bytes) -> int:
    rest = memoryview(data)
    while rest:
        rest = rest[file.write(rest):]
    return len(data)


def write_section(file: io.FileIO, content: Bytes | Iterable[Bytes]) -> int:
    chunks = [content] if isinstance(content, bytes | bytearray | memoryview) else content
    return sum(write_all(file, chunk) for chunk in chunks)


def told_log(segments: list[Segment]) -> list[dict[str, Any]]:
    """The older segments go without their index, as after a start: it grows again when they are read."""
    return [told_segment(one, one.index if one is segments[-1] else []) for one in segments]


def told_segment(segment: Segment, index: list[tuple[int, int, int]]) -> dict[str, Any]:
    return {"header": segment.header.encode().hex(), "file": segment.file, "size": segment.size, "end": segment.end,
            "last": segment.last, "mark": segment.mark, "reserve": segment.reserve,
            "index": index}


def read(descriptor: int) -> State:
    """Read a state and close the descriptor. Raises Unfit.

    The path table's section is a view of the file, which the giver may write over: use it before the next question.
    """
    try:
        size = os.fstat(descriptor).st_size
        if size < LENGTH.size:
            raise Unfit("it is empty")
        data = memoryview(mmap.mmap(descriptor, size, access=mmap.ACCESS_READ))
        text_end = size - LENGTH.size
        told = json.loads(bytes(data[text_end - LENGTH.unpack(data[text_end:])[0]:text_end]))
        if told.get("form") != FORM:
            raise Unfit(f"its form is {told.get('form')}, ours is {FORM}")
        sections: dict[str, bytes | memoryview] = {}
        at = 0
        for name, length in told["sections"]:
            sections[name] = data[at:at + length] if name == LARGEST else bytes(data[at:at + length])
            at += length
        snapshot = Snapshot(bytes.fromhex(told["journal"]), 0, told["at"], 0, sections)
        return State(snapshot, {prefix: [segment_of(one) for one in some] for prefix, some in told["logs"].items()})
    except (ValueError, KeyError, TypeError, struct.error) as error:
        raise Unfit(str(error)) from None
    finally:
        os.close(descriptor)


def segment_of(told: dict[str, Any]) -> Segment:
    header = decode_header(bytes.fromhex(told["header"]))
    if header is None:
        raise Unfit(f"{told['file']}: its header is broken")
    return Segment(header, told["file"], told["size"], told["end"], told["last"], told["mark"], told["reserve"],
                   [(last, mark, offset) for last, mark, offset in told["index"]])

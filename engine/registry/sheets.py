"""Files of the registry, read row by row in bounded memory: CSV, a JSON array, or one JSON object a line.

CSV is UTF-8 with or without a byte order mark, with commas, semicolons or tabs, and its first line names the columns.
A line that cannot be read is a Finding, and reading goes on behind it where it can be told where that is.
"""
from __future__ import annotations

import codecs
import csv
import difflib
import json
import re
from collections.abc import Iterator
from typing import BinaryIO

from engine.registry.fields import BadField, Finding, Kind, Reader, Record, kind_of, shown, texts_of

LINE_BYTES_MAX = 1 << 20
OBJECT_CHARACTERS_MAX = 1 << 20
CHUNK_BYTES = 1 << 16
BLANK = re.compile(r"[ \t\r\n]*")
COLUMNS_MAX = 64
KIND_UNTOLD = "are those of no kind of rows, or of several; tell which kind is meant"
UTF8_ALLOWED = "allowed is UTF-8"
Item = tuple[int, Record] | Finding
Row = tuple[int, dict[str, str]] | Finding


class Sheet:
    """One file. `kind` is known from the start, or once the first row was read; None: it cannot be told.

    file    seekable; read from where it stands
    name    as findings show it
    kind    of rows; None: as the columns tell
    """

    def __init__(self, file: BinaryIO, name: str, kind: Kind | None = None) -> None:
        self.name = name
        self.kind = kind
        self._file = file
        self._first: Row | None = None
        self._rows = self._json() if self._begins_like_json() else self._csv()
        if kind is None:
            self._first = next(self._rows, None)     # which settles the kind

    def items(self) -> Iterator[Item]:
        """Yield (line, record) for each good row and a Finding for each bad one; once."""
        reader: Reader | None = None
        for row in self._all_rows():
            if isinstance(row, Finding):
                yield row
                continue
            assert self.kind is not None
            reader = reader or Reader(self.kind)
            line, cells = row
            try:
                yield line, reader.read(cells)
            except BadField as error:
                yield Finding(self.name, line, error.column, error.value, error.allowed)

    def _all_rows(self) -> Iterator[Row]:
        if self._first is not None:
            yield self._first
        yield from self._rows

    def _wrong(self, line: int, allowed: str, column: str = "", value: object = None) -> Finding:
        return Finding(self.name, line, column, shown(value), allowed)

    def _begins_like_json(self) -> bool:
        start = self._file.tell()
        head = self._file.read(CHUNK_BYTES).removeprefix(codecs.BOM_UTF8).lstrip()
        self._file.seek(start)
        return head[:1] in (b"[", b"{")

    # -- CSV

    def _csv(self) -> Iterator[Row]:
        lines = Lines(self)
        head = next(lines, None)
        if head is None or lines.bad:
            yield from lines.bad or [self._wrong(1, "empty; needed is a line that names the columns")]
            return
        delimiter = max(",;\t", key=head.count)
        if head.count(delimiter) >= COLUMNS_MAX:
            yield self._wrong(1, f"more than {COLUMNS_MAX} columns")
            return
        columns = [column.strip(' \t\r\n"').lower() for column in head.split(delimiter)]
        findings = list(self._check_columns(columns))
        yield from findings
        if findings:
            return
        reader = csv.reader(lines, delimiter=delimiter, strict=True)
        while True:
            lines.began = 0
            try:
                cells = next(reader)
            except StopIteration:
                yield from lines.take_bad()
                return
            except csv.Error as error:
                yield from lines.take_bad()
                yield self._wrong(lines.began, f"no CSV: {error}")
                continue
            yield from lines.take_bad()
            if not cells:
                continue
            if len(cells) == len(columns):
                yield lines.began, dict(zip(columns, cells, strict=True))
            else:
                yield self._wrong(lines.began, f"{len(cells)} cells; needed are {len(columns)}, as in the first line")

    def _check_columns(self, columns: list[str]) -> Iterator[Finding]:
        """Settle the kind, and find what is wrong with the line that names the columns."""
        self.kind = self.kind or kind_of(columns)
        if self.kind is None:
            yield self._wrong(1, f"the columns {KIND_UNTOLD}")
            return
        known = [column.name for column in self.kind.columns]
        for column in dict.fromkeys(columns):
            if column not in known:
                near = difflib.get_close_matches(column[:64], known, 1)
                allowed = f"did you mean {near[0]}?" if near else f"allowed are {', '.join(known)}"
                yield self._wrong(1, allowed, "column", column)
            elif columns.count(column) > 1:
                yield self._wrong(1, "the column stands twice", "column", column)
        for one in self.kind.columns:
            if one.needed and one.name not in columns:
                yield self._wrong(1, "the column is needed", "column", one.name)

    # -- JSON

    def _json(self) -> Iterator[Row]:
        text = Text(self)
        array = text.peek() == "["
        if array:
            text.take(1)
        while (character := text.peek()) and not (array and character == "]"):
            line = text.line
            try:
                value = text.value()
            except ValueError as error:
                yield self._wrong(line, f"no JSON: {error}; nothing behind it was read")
                return
            yield self._row_of(line, value)
            if array and text.peek() == ",":
                text.take(1)
            elif array and text.peek() != "]":
                yield self._wrong(text.line, "no JSON: needed is a comma or ]; nothing behind it was read")
                return
        if text.bad or (array and not character):
            yield self._wrong(text.line, text.bad or "no JSON: the array does not end")

    def _row_of(self, line: int, value: object) -> Row:
        if not isinstance(value, dict):
            return self._wrong(line, "needed is an object")
        self.kind = self.kind or kind_of(value)
        if self.kind is None:
            return self._wrong(line, f"the fields {KIND_UNTOLD}")
        try:
            return line, texts_of(value, self.kind)
        except BadField as error:
            return Finding(self.name, line, error.column, error.value, error.allowed)


class Lines:
    """The lines of a file as texts. Those that are none are left out, and are in `bad`.

    began   number of the line that the next call or calls read first; who wants to know sets it to 0 before
    """

    def __init__(self, sheet: Sheet) -> None:
        self.bad: list[Finding] = []
        self.began = 0
        self._number = 0
        self._sheet = sheet
        self._file = sheet._file

    def __iter__(self) -> Lines:
        return self

    def __next__(self) -> str:
        while line := self._file.readline(LINE_BYTES_MAX + 1):
            self._number += 1
            if self._number == 1:
                line = line.removeprefix(codecs.BOM_UTF8)
            wrong = self._wrong_with(line)
            if not wrong:
                self.began = self.began or self._number
                return line.decode()
            self.bad.append(self._sheet._wrong(self._number, wrong))
        raise StopIteration

    def _wrong_with(self, line: bytes) -> str:
        """Say what is wrong with a line; the rest of one that is too long is read over."""
        if len(line) > LINE_BYTES_MAX:
            while line and not line.endswith(b"\n"):
                line = self._file.readline(LINE_BYTES_MAX)
            return f"longer than {LINE_BYTES_MAX} bytes"
        if b"\0" in line:
            return f"a NUL in it; {UTF8_ALLOWED}"
        try:
            line.decode()
        except UnicodeDecodeError as error:
            return f"byte {error.start + 1} is no UTF-8; {UTF8_ALLOWED}"
        return ""

    def take_bad(self) -> list[Finding]:
        bad, self.bad = self.bad, []
        return bad


class Text:
    """A file of JSON values, one taken at a time.

    line   of the next character, from 1
    bad    why the file could not be read on; it then looks as if it ended there
    """

    def __init__(self, sheet: Sheet) -> None:
        self.line = 1
        self.bad = ""
        self._file = sheet._file
        self._decode = codecs.getincrementaldecoder("utf-8")()
        self._scan = json.JSONDecoder().raw_decode
        self._text = ""
        self._at = 0
        self._ended = False
        self._more()
        self._text = self._text.removeprefix("\ufeff")

    def peek(self) -> str:
        """Return the next character that is no blank, or "" at the end."""
        while True:
            match = BLANK.match(self._text, self._at)
            assert match is not None
            self.take(match.end() - self._at)
            if self._at < len(self._text) or not self._more():
                return self._text[self._at:self._at + 1]

    def take(self, count: int) -> None:
        self.line += self._text.count("\n", self._at, self._at + count)
        self._at += count

    def value(self) -> object:
        """Return the next value. Raises ValueError."""
        while True:
            try:
                value, end = self._scan(self._text, self._at)
            except (ValueError, RecursionError) as error:
                if isinstance(error, RecursionError) or len(self._text) - self._at > OBJECT_CHARACTERS_MAX:
                    raise ValueError("nested too deeply" if isinstance(error, RecursionError) else
                                     f"no value ends within {OBJECT_CHARACTERS_MAX} characters") from None
                if not self._more():
                    raise ValueError(self.bad or str(getattr(error, "msg", error))) from None
                continue
            if end - self._at > OBJECT_CHARACTERS_MAX:
                raise ValueError(f"longer than {OBJECT_CHARACTERS_MAX} characters")
            self.take(end - self._at)
            return value

    def _more(self) -> bool:
        """Read on; return whether anything came."""
        if self._ended:
            return False
        piece = self._file.read(CHUNK_BYTES)
        self._ended = not piece
        try:
            text = self._decode.decode(piece, final=self._ended)
        except UnicodeDecodeError:
            self._ended, self.bad, text = True, f"not UTF-8; {UTF8_ALLOWED}; nothing behind it was read", ""
        self._text = self._text[self._at:] + text
        self._at = 0
        return bool(text) or not self._ended

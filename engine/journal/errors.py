"""What the journal can say no with; a caller tells them apart by type alone."""


class JournalError(Exception):
    """The base of all of them."""


class Full(JournalError):
    """There is no room: the disk or `bytes_max` is used up. The rows were not taken; later there may be room."""


class Unavailable(JournalError):
    """The disk refused a write or a flush. The rows count as not taken; their numbers are never given again."""


class Damaged(JournalError):
    """Bytes that were acknowledged can no longer be read; a person must decide.

    segment  file name
    offset   byte offset in it, 0 for the file as a whole
    """

    def __init__(self, segment: str, offset: int, what: str, remedy: str = "") -> None:
        self.segment = segment
        self.offset = offset
        remedy = remedy or (
            "`tocsin journal verify` names every damaged place; copy the data directory away, then restore this "
            "file from a backup; only if that cannot be done, move the directory `journal` aside and start with an "
            "empty one"
        )
        super().__init__(f"{segment}, offset {offset}: {what}; {remedy}")


class Trimmed(JournalError):
    """The position is older than what is kept.

    oldest  the oldest number (for `seek`: mark) that is still there
    """

    def __init__(self, oldest: int) -> None:
        self.oldest = oldest
        super().__init__(f"trimmed; the oldest that is kept is {oldest}")


class Ahead(JournalError):
    """The position is after the newest entry: it belongs to another journal or to a lost tail.

    head  the newest number (for `seek`: mark)
    """

    def __init__(self, head: int) -> None:
        self.head = head
        super().__init__(f"ahead of the head, which is {head}")


class Locked(JournalError):
    """Another engine uses this directory."""

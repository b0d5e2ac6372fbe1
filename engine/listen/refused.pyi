REFUSAL_TEXT: tuple[str, ...]

class RefusedFrames:
    """The last refused frames: 4 of each source, 1024 in all; a frame whole, of garbage the first 4106 bytes."""

    def newest(self) -> list[dict[str, object]]:
        """Return every kept frame, newest first.

        Keys  received_ns (of the last time), count (how often in a row), peer, port, protocol (or None), reason,
              account (or None: the header could not be read), size, bytes, answered (bytes; empty: silence)
        """

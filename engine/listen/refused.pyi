REFUSAL_TEXT: tuple[str, ...]
ANSWER_TEXT: tuple[str, ...]

class RefusedFrames:
    """The last refused frames: 4 of each source, 1024 in all, 256 bytes of each."""

    def newest(self) -> list[dict[str, object]]:
        """Return every kept frame, newest first.

        Keys  received_ns, peer, port, protocol (or None), reason, answered, size, bytes
        """

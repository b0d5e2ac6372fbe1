class Roster:
    """Transmitters that are named beforehand, and their keys; used through Enrolment."""

    count: int
    keyed: int

    def __init__(self, room: int, hash_first: int, hash_second: int) -> None: ...

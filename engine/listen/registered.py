"""A transmitter that the configuration names, as ENROLMENT takes it."""
from typing import NamedTuple


class FrameRules(NamedTuple):
    """The rest of the codec's Profile.

    window_past_s, window_future_s  whole seconds that a stamp may lie behind and ahead of our time
    encrypted_only                  its clear frames are refused
    check_clear_stamps              the window holds for its clear frames, too
    reject_stale                    a fire outside the window is refused like everything else
    """

    window_past_s: int = 40
    window_future_s: int = 20
    encrypted_only: bool = False
    check_clear_stamps: bool = False
    reject_stale: bool = False


# (protocol number, account, realm, supervision ms, key or b""), and the rules where they are not the usual ones
Registered = tuple[int, str, str, int, bytes] | tuple[int, str, str, int, bytes, FrameRules]

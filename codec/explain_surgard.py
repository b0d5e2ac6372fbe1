"""The Sur-Gard style heartbeat taken apart; its form is drawn in surgard.pyx."""
import re

from codec.explained import Part, Parts, Setting

FRAME_BYTES_MAX = 60
FORM = re.compile(rb"SR(\d{4})(L\d{4}) +(\w{6})(XX) +(\[ID\w+\])", re.ASCII)


def explain(data: bytes, setting: Setting) -> list[Part]:
    """Return the fields of one frame, or what there is of one."""
    parts = Parts(data)
    found = FORM.match(data)
    if found is None:
        parts.add(0, len(data), "heartbeat", "SR0001L0001    006969XX    [ID00000000]", "not all of it came")
        return parts.found
    names = ("receiver", "line", "account", "event", "identity")
    meanings = ("receiver number", "line number", "account", "none: a heartbeat", "identity; not read")
    parts.add(0, 2, "mark", "Sur-Gard style heartbeat")
    for group, (name, meaning) in enumerate(zip(names, meanings, strict=True), 1):
        parts.add(found.start(group), found.end(group), name, meaning)
    return parts.found

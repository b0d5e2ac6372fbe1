"""Messages of the Tocsin profile by hand, and their replies in words; docs/tocsin-profile.md is the specification."""

import msgpack  # type: ignore[import-untyped]

from codec.reading import build_message, encode_reply, read_frames, split_status

EVENTS = {  # class, condition, state; None: a heartbeat
    "fire": (1, 1, 1),
    "restore": (1, 1, 2),
    "trouble": (5, 50, 1),
    "trouble-restore": (5, 50, 2),
    "supervisory": (4, 30, 1),
    "gas": (2, 20, 1),
    "disable": (6, 80, 1),
    "enable": (6, 80, 2),
    "mains": (5, 52, 1),
    "mains-restore": (5, 52, 2),
    "battery": (5, 53, 1),
    "battery-restore": (5, 53, 2),
    "test": (7, 92, 3),
    "heartbeat": None,
}
KEY_ID_MAX = (1 << 24) - 1
COUNTER_MAX = (1 << 32) - 1
KEY_BYTES = 32
ANSWERS = {  # as it stands in read_frames -> as encode_reply wants it, what it means
    "accepted": (1, "what it carried is safe"),
    "stale": (2, "refused: the counter is used up"),
    "unable": (3, "authentic, but its body is no list of items"),
}


def build(key_id: int, counter: int, key: bytes, event: str, zone: int, text: str) -> bytes:
    """Return a message with one signal of the sender, or without any as a heartbeat.

    Raises  ValueError where it does not fit
    """
    numbers = EVENTS[event]
    body = b""
    if numbers is not None:
        body = msgpack.packb([None, *numbers, zone, *([None, text] if text else [])])
    return build_message(key_id, counter, key, body)


def frame_bytes(data: bytes) -> int:
    """Return the size of the message that begins at data[0], 0 when more is needed, 1 when none begins there."""
    status, size = split_status(data)
    return size if status == "ok" else 0 if status == "need_data" else 1


def describe(reply: bytes, key: bytes, sent: bytes) -> tuple[str, bool, str] | None:
    """Return a reply's token, whether it acknowledges, and all of it in words; None when it is none.

    sent  the messages that it may answer, one behind the other: its tag is right for one of them, or it proves nothing
    """
    found = read_frames(reply, 0)[0]
    if found["status"] != "ok" or found["kind"] != "reply" or found["protocol"] != "tocsin":
        return None
    token, counter = str(found["token"]), int(str(found["sequence"]))
    answer, meaning = ANSWERS[token]
    proved = any(encode_reply(message, answer, 0, key=key, counter=counter) == reply for message in messages(sent))
    said = f"{token}  {meaning}\n          key id {found['account']}  counter {counter}"
    if token == "stale":
        said += f"\n          {counter} is the highest one known: the next is {counter + 1}"
    note = "its tag is right for what was sent" if proved else "its tag is not right for what was sent: no proof"
    return token, proved and token == "accepted", f"{said}\n          {note}"


def messages(data: bytes) -> list[bytes]:
    found = []
    while data and (size := frame_bytes(data)) > 1:
        found.append(data[:size])
        data = data[size:]
    return found

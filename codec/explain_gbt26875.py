"""GB/T 26875.3-2011 taken apart for a person, sound or not; layouts in gbt26875.pyx and gbt26875_objects.pyx.

Names of systems, components, bits and quantities: GB/T 26875.3-2011, 8.2; bits 9 to 15 of a component as one vendor
uses them. Nothing here decides whether a frame is read: that is the codec's.
"""
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone

from codec.explained import Part, Parts, Setting, plural, span_text, zone_hint

HEADER_BYTES, TRAILER_BYTES, TAG_BYTES = 27, 3, 6
DATA_BYTES_MAX = 1024
FRAME_BYTES_MAX = HEADER_BYTES + DATA_BYTES_MAX + TRAILER_BYTES
OBJECTS_SHOWN_MAX = 128
CHINA = timezone(timedelta(hours=8))

COMMANDS = {0: "reserved (one vendor registers with it)", 1: "control, from a centre", 2: "send data", 3: "confirm",
            4: "request, from a centre", 5: "answer to a request", 6: "deny", 7: "reserved (one vendor's heartbeat)",
            0xFE: "heartbeat of one vendor"}
TYPES = {1: "system status", 2: "component status", 3: "component analog value", 4: "system operation",
         5: "system version", 6: "system configuration", 7: "component configuration", 8: "system time",
         21: "transmitter status", 24: "transmitter operation", 25: "transmitter version",
         26: "transmitter configuration", 28: "transmitter time", 61: "read system status", 62: "read component status",
         63: "read analog values", 64: "read operations", 65: "read version", 66: "read configuration",
         67: "read component configuration", 68: "read system time", 81: "read transmitter status",
         84: "read transmitter operations", 85: "read transmitter version", 86: "read transmitter configuration",
         88: "read transmitter time", 89: "initialise", 90: "set the clock", 91: "duty check",
         190: "heartbeat of one vendor"}
SYSTEMS = {0: "generic", 1: "fire alarm", 10: "linkage controller", 11: "hydrant", 12: "sprinkler", 13: "gas",
           14: "water spray (pump)", 15: "water spray (vessel)", 16: "foam", 17: "dry powder", 18: "smoke control",
           19: "fire doors and shutters", 20: "fire lift", 21: "emergency broadcast", 22: "emergency lighting",
           23: "fire power supply", 24: "fire telephone"}
COMPONENTS = {
    0: "generic", 1: "fire alarm panel", 10: "combustible gas detector", 11: "gas detector, point",
    12: "gas detector, stand-alone", 13: "gas detector, line", 16: "electrical fire monitor", 17: "residual current",
    18: "temperature", 21: "detection loop", 22: "repeater panel", 23: "manual call point", 24: "hydrant button",
    25: "fire detector", 30: "heat detector", 31: "heat, point", 32: "heat, point S", 33: "heat, point R",
    34: "heat, line", 35: "heat, line S", 36: "heat, line R", 37: "heat, fibre", 40: "smoke detector",
    41: "smoke, ionisation", 42: "smoke, photoelectric", 43: "smoke, beam", 44: "smoke, aspirating",
    50: "combined detector", 51: "smoke and heat", 52: "flame and heat", 53: "flame and smoke", 61: "ultraviolet flame",
    62: "infrared flame", 69: "flame detector", 74: "gas detector", 78: "image detector", 79: "sound detector",
    81: "gas extinguishing", 82: "electrical control", 83: "control room display", 84: "module", 85: "input module",
    86: "output module", 87: "input and output module", 88: "relay module", 91: "pump", 92: "tank",
    95: "sprinkler pump", 96: "flow indicator", 97: "signal valve", 98: "alarm valve", 99: "pressure switch",
    101: "valve actuator", 102: "fire door", 103: "fire damper", 104: "ventilation", 105: "foam pump",
    106: "pipe solenoid valve", 111: "smoke fan", 113: "smoke damper", 114: "air inlet", 115: "smoke outlet",
    116: "smoke curtain", 117: "shutter controller", 118: "door monitor", 121: "sounder"}
SYSTEM_BITS = ("normal run", "fire", "fault", "disabled", "supervisory", "started", "feedback", "delay", "mains fault",
               "backup power fault", "bus fault", "manual", "configuration changed", "reset", "bit 14", "bit 15")
COMPONENT_BITS = (*SYSTEM_BITS[:8], "power fault", "off-line", "open circuit", "short circuit", "removed", "bit 13",
                  "sensor fault", "upgrade fault")
TRANSMITTER_BITS = ("normal monitoring", "fire", "fault", "mains fault", "backup power fault", "link to the centre",
                    "monitored line", "bit 7")
SYSTEM_FLAGS = ("reset", "silence", "manual alarm", "alarm over", "self test", "confirm", "test", "bit 7")
TRANSMITTER_FLAGS = (*SYSTEM_FLAGS[:5], "duty check answered", "test", "bit 7")
QUANTITIES = {1: ("count", "", 0), 2: ("height", " m", 2), 3: ("temperature", " C", 1), 4: ("pressure", " MPa", 1),
              5: ("pressure", " kPa", 1), 6: ("gas", " %LEL", 1), 7: ("time", " s", 0), 8: ("voltage", " V", 1),
              9: ("current", " A", 1), 10: ("flow", " L/s", 1), 11: ("air", " m3/min", 1), 12: ("wind", " m/s", 0)}
BODIES = {1: 4, 2: 40, 3: 10, 4: 4, 5: 4, 7: 38, 21: 1, 24: 2, 25: 2}    # of types whose objects have one size
TAGGED = {1, 2, 3, 4, 21, 24}


def named(names: dict[int, str], number: int) -> str:
    return names.get(number, "user-defined" if number >= 128 else "reserved")


def bits_text(names: tuple[str, ...], word: int) -> str:
    """The set bits of a word by name."""
    return ", ".join(name for bit, name in enumerate(names) if word >> bit & 1) or "no bit set"


def total(data: bytes) -> int:
    return sum(data) & 0xFF


# ---- the frame -------------------------------------------------------------------------------------------------

def explain(data: bytes, setting: Setting) -> list[Part]:
    """Take the frame that begins at data[0] apart, as far as it goes.

    data    from its "@@" on; where another frame or nothing follows it, up to there
    """
    data = data[:FRAME_BYTES_MAX]
    parts = Parts(data)
    parts.add(0, 2, "start", '"@@": a frame begins', *([] if data[:2] == b"@@" else ["the second @ is missing"]))
    if len(data) < HEADER_BYTES or data[:2] != b"@@":
        parts.add(2, len(data), "header", "25 bytes", f"{plural(len(data) - 2, 'byte')} of it came"
                  if len(data) < HEADER_BYTES else "no frame begins like this")
        return [part for part in parts.found if part.data or part.faults]
    serial = int.from_bytes(data[2:4], "little")
    parts.add(2, 4, "serial", f"{serial}; repeated in the reply")
    parts.add(4, 6, "version", f"{data[4]}.{data[5]}; not looked at")
    explain_tag(parts, setting)
    for at, name, role in ((12, "source", "the account"), (18, "destination", "the centre")):
        address = int.from_bytes(data[at:at + 6], "little")
        parts.add(at, at + 6, name, f"{address} = 0x{address:012x}, {role}"
                  + ("; told apart by the listener alone" if at == 12 and address == 0 else ""))
    size = int.from_bytes(data[24:26], "little")
    end, faults = end_of_data(data, size)
    parts.add(24, 26, "length", f"0x{size:X}: {plural(size, 'byte')} of data", *faults)
    command = data[26]
    parts.add(26, 27, "command", f"{command}: {named(COMMANDS, command)}")
    objects = Parts(data[:end])
    explain_data(objects, command)
    parts.found += objects.found
    explain_trailer(parts, end, size)
    return parts.found


def end_of_data(data: bytes, size: int) -> tuple[int, list[str]]:
    """Return where the data ends as far as can be told, and what is wrong with its length."""
    end = HEADER_BYTES + size
    marked = size <= DATA_BYTES_MAX and data[end + 1:end + 3] == b"##"
    if marked:
        return end, []
    faults, other = [], size >> 8 | (size & 0xFF) << 8
    if size > DATA_BYTES_MAX:
        faults.append(f"{size} is more than the {DATA_BYTES_MAX} that are allowed")
    elif len(data) < end + TRAILER_BYTES:
        faults.append(f"the frame has {end + TRAILER_BYTES} bytes by it, and {len(data)} came")
    if size != other and data[HEADER_BYTES + other + 1:HEADER_BYTES + other + 3] == b"##":
        faults.append(f"byte order swapped: it would fit as {other}")
    mark = sound_end(data)
    if mark < 0:
        return min(len(data), end) if size <= DATA_BYTES_MAX else len(data), faults
    actual = mark - 1 - HEADER_BYTES
    if actual != size:
        faults.append(f"it says 0x{size:X} ({size}), the data has 0x{actual:X} ({actual}) bytes up to its end mark")
        for extra, what in ((30, "the whole frame were counted"), (1, "the checksum were counted"),
                            (3, "checksum and end mark were counted"), (1, "the command were counted"),
                            (27, "the header were counted")):
            if size == actual + extra:
                faults.append(f"it would fit if {what}")
    return mark - 1, faults


def sound_end(data: bytes) -> int:
    """Where the end mark stands before which the checksum is right; else the first end mark; else -1. One pass."""
    first, at, running, summed = -1, HEADER_BYTES + 1, total(data[2:HEADER_BYTES]), HEADER_BYTES
    while (at := data.find(b"##", at)) >= 0:
        first = at if first < 0 else first
        running = running + sum(data[summed:at - 1]) & 0xFF
        summed = max(summed, at - 1)
        if running == data[at - 1]:
            return at
        at += 1
    return first


def explain_trailer(parts: Parts, end: int, size: int) -> None:
    """Read checksum and end mark behind the data, which ends at `end`."""
    data = parts.data
    if len(data) <= end:
        parts.add(end, end, "checksum", "sum of all between the marks", "the frame ends before it")
        return
    sent, computed = data[end], total(data[2:end])
    if sent == computed:
        parts.add(end, end + 1, "checksum", f"{sent:02X}, right")
    else:
        parts.add(end, end + 1, "checksum", "sum of all between the marks, modulo 256",
                  f"sent {sent:02X}, computed {computed:02X}", *sum_hints(data, end, sent))
    mark = data[end + 1:end + 3]
    faults = [] if mark == b"##" else [
        f"it is {mark.hex(' ') or 'missing'}, not 23 23" + (f" where the length of {size} says it is" if mark else "")]
    parts.add(end + 1, end + 3, "end", '"##": the frame ends', *faults)


def sum_hints(data: bytes, end: int, sent: int) -> Iterator[str]:
    """Say how the checksum that was sent may have come about."""
    exclusive = 0
    for byte in data[2:end]:
        exclusive ^= byte
    for value, what in (
            (total(data[:end]), "if the start mark were counted"), (total(data[2:end]) + 0x46, "if the end mark were"
             " counted"), (-total(data[2:end]), "as two's complement of the sum"),
            (~total(data[2:end]), "as inverted sum"), (exclusive, "as exclusive or of the bytes, not their sum"),
            (total(data[HEADER_BYTES:end]), "if the data alone were counted"),
            (total(data[HEADER_BYTES - 1:end]), "if command and data alone were counted")):
        if value & 0xFF == sent:
            yield f"it would fit {what}"


# ---- times -----------------------------------------------------------------------------------------------------

def from_bcd(byte: int) -> int:
    return (byte >> 4) * 10 + (byte & 15) if byte >> 4 <= 9 and byte & 15 <= 9 else 255


def moment(tag: bytes) -> datetime | None:
    """The time of six numbers, in UTC+8; None when they are none."""
    try:
        second, minute, hour, day, month, year = tag
        return datetime(2000 + year, month, day, hour, minute, second, tzinfo=CHINA) if year <= 99 else None
    except ValueError:
        return None


def tag_text(tag: bytes) -> tuple[str, list[str], datetime | None]:
    """Say what a time tag reads as: its text, its faults, and the time where there is just one reading."""
    binary, bcd = moment(tag), moment(bytes(map(from_bcd, tag)))
    if binary and bcd and binary != bcd:
        return f"{binary:%Y-%m-%d %H:%M:%S} binary, or {bcd:%Y-%m-%d %H:%M:%S} BCD; the nearer one counts", [], None
    if binary:
        return f"{binary:%Y-%m-%d %H:%M:%S}, UTC+8", [], binary
    if bcd:
        return f"{bcd:%Y-%m-%d %H:%M:%S}, UTC+8, in BCD: proven, it is impossible in binary (accepted)", [], bcd
    return "second, minute, hour, day, month, year", ["it is no time, neither in binary nor in BCD; ours counts"], None


def explain_tag(parts: Parts, setting: Setting) -> None:
    text, faults, when = tag_text(parts.data[6:12])
    if when is not None:
        ahead = int(when.timestamp()) - setting.now_ns // 1_000_000_000
        if abs(ahead) > 60:
            text += f"; {span_text(ahead)} {'ahead' if ahead > 0 else 'behind'} (not checked)"
            if hint := zone_hint(ahead, "UTC+8, "):
                text += "; " + hint
    parts.add(6, 12, "time", text, *faults)


# ---- data ------------------------------------------------------------------------------------------------------

def explain_data(parts: Parts, command: int) -> None:
    """Read type, count and objects of parts.data[27:]."""
    data, at = parts.data, HEADER_BYTES
    size = len(data) - at
    if size <= 0:
        return
    if size == 1:
        parts.add(at, at + 1, "data", "one byte: no type and count, it only says that the device lives (accepted)")
        return
    if command not in (1, 2, 4, 5):
        parts.add(at, len(data), "data", "of a command that has none: kept as it came")
        return
    kind, count = data[at], data[at + 1]
    parts.add(at, at + 1, "type", f"{kind}: {named(TYPES, kind)}")
    at += 2
    if kind in (6, 26) and command in (2, 5):
        parts.add(at - 1, at, "count", plural(count, "object"))
        explain_texts(parts, at, kind, count)
        return
    if kind not in BODIES or command not in (2, 5):
        parts.add(at - 1, at, "count", plural(count, "object"))
        if kind in (8, 28) and size == (10 if kind == 8 else 8):
            text, faults, _ = tag_text(data[-TAG_BYTES:])
            parts.add(at, len(data), "time", text, *faults)
        elif at < len(data):
            parts.add(at, len(data), "objects", "not read: kept as they came")
        return
    body, step, objects, faults = shape(kind, count, size - 2)
    parts.add(at - 1, at, "count", plural(count, "object"), *faults)
    for _ in range(min(objects, OBJECTS_SHOWN_MAX)):
        explain_object(parts, at, at + body, kind)
        if step > body:
            text, wrong, _ = tag_text(data[at + body:at + step])
            parts.add(at + body, at + step, "time", text, *wrong)
        at += step
    if at < len(data):
        parts.add(at, len(data), "rest", "no whole object", f"{plural(len(data) - at, 'byte')} left over")


def shape(kind: int, count: int, size: int) -> tuple[int, int, int, list[str]]:
    """Return bytes of an object, the same with its tag, how many there are, and what does not fit."""
    body = BODIES[kind]
    shapes = [(body, body + TAG_BYTES if kind in TAGGED else body), (body, body + TAG_BYTES), (body, body)]
    if kind == 2:
        shapes += [(9, 9), (9, 15), (10, 16)]
    for bytes_of_body, step in shapes:
        if count and size == count * step:
            usual = (bytes_of_body, step) == shapes[0]
            how = f"{bytes_of_body} bytes" + (" and a time" if step > bytes_of_body else " without a time")
            return bytes_of_body, step, count, [] if usual else [
                f"objects of {how}, where the standard has {shapes[0][1]} bytes (accepted)"]
    step = shapes[0][1]
    objects = size // step
    if count and count < objects and size % step:
        objects = count
    return body, step, objects, [f"count says {count}, which does not fit {plural(size, 'byte')} of objects of {step}: "
                                 f"{plural(objects, 'whole object')} can be read"]


def explain_object(parts: Parts, at: int, end: int, kind: int) -> None:
    """Read the body data[at:end] of one object."""
    data = parts.data
    if kind < 21:
        parts.add(at, at + 2, "system", f"type {data[at]}: {named(SYSTEMS, data[at])}; address {data[at + 1]}")
        at += 2
    if kind in (2, 3, 7):
        parts.add(at, at + 1, "component", f"type {data[at]}: {named(COMPONENTS, data[at])}")
        first, second = (int.from_bytes(data[place:place + 2], "little") for place in (at + 1, at + 3))
        parts.add(at + 1, at + 5, "address", f"{first} and {second} = 0x{data[at + 1:at + 5].hex()}, as sent")
        at += 5
    if kind in (1, 2):
        word = int.from_bytes(data[at:at + 2], "little")
        bits = COMPONENT_BITS if kind == 2 else SYSTEM_BITS
        parts.add(at, at + 2, "status", f"0x{word:04x}: {bits_text(bits, word)}")
        at += 2
    elif kind == 3:
        name, unit, decimals = QUANTITIES.get(data[at], (f"quantity {data[at]}", "", 0))
        value = int.from_bytes(data[at + 1:at + 3], "little", signed=True)
        parts.add(at, at + 3, "value", f"{name} {value / 10 ** decimals:.{decimals}f}{unit}")
        at += 3
    elif kind == 21:
        parts.add(at, at + 1, "status", f"0x{data[at]:02x}: {bits_text(TRANSMITTER_BITS, data[at])}")
        at += 1
    elif kind in (4, 24):
        names = TRANSMITTER_FLAGS if kind == 24 else SYSTEM_FLAGS
        parts.add(at, at + 1, "operation", f"0x{data[at]:02x}: {bits_text(names, data[at])}")
        parts.add(at + 1, at + 2, "operator", str(data[at + 1]))
        at += 2
    elif kind in (5, 25):
        parts.add(at, at + 2, "software", f"{data[at]}.{data[at + 1]}")
        at += 2
    if at < end:
        add_text(parts, at, end)


def explain_texts(parts: Parts, at: int, kind: int, count: int) -> None:
    """Read configurations, each as long as it says."""
    data, objects = parts.data, 0
    while at < len(data) and objects < (count or OBJECTS_SHOWN_MAX):
        if kind == 6:
            parts.add(at, at + 2, "system", f"type {data[at]}: {named(SYSTEMS, data[at])}"
                      + (f"; address {data[at + 1]}" if at + 1 < len(data) else ""))
            at += 2
        if at >= len(data):
            break
        stated, there = data[at], len(data) - at - 1
        parts.add(at, at + 1, "text size", plural(stated, "byte"), *(
            [f"{plural(there, 'byte')} came"] if stated > there else []))
        add_text(parts, at + 1, min(at + 1 + stated, len(data)))
        at += 1 + stated
        objects += 1
    if at < len(data):
        parts.add(at, len(data), "rest", "behind the last text", f"{plural(len(data) - at, 'byte')} left over")


def add_text(parts: Parts, at: int, end: int) -> None:
    """Add a GB 18030 text."""
    raw = parts.data[at:end].rstrip(b"\0 ")
    text = raw.decode("gb18030", "replace")
    shown = "".join(character if character.isprintable() else "?" for character in text)
    parts.add(at, end, "text", f'"{shown}"' if shown else "empty",
              *(["it is no GB 18030 text"] if "\ufffd" in text else []))



"""What a centre sends by itself: requests and controls of GB/T 26875.3-2011, 8.3 and 8.4. One at a time, by people.

    61 read system status          (sysType sysAddr) x n, n <= 102
    62 read component status       (sysType sysAddr compAddr(4)) x n, n <= 22; no component type
    63 read component analog       likewise, n <= 63
    64 read system operations      sysType sysAddr number time(6)
    65 read system version         sysType sysAddr
    66 read system configuration   (sysType sysAddr) x n, n <= 3
    67 read component config.      (sysType sysAddr compAddr(4)) x n, n <= 26
    68 read system time            sysType sysAddr
    81 status, 85 version, 86 configuration, 88 time of the transmitter, 89 initialise it: one byte 00
    84 read its operations         number time(6)
    90 set its clock               time(6)
    91 duty check                  minutes until the guard must have answered

89, 90 and 91 go with command 1 (control), the others with command 4 (request). Count is n, else 1.
"""
from libc.stdint cimport int64_t, uint8_t
from libc.string cimport memcpy

from cpython.bytes cimport PyBytes_AS_STRING

from codec.gbt26875 cimport (COMMAND_CONTROL, COMMAND_REQUEST, GBT_DATA_AT, GBT_DATA_BYTES_MAX, GBT_FRAME_BYTES_MAX,
                             gbt_close)
from codec.gbt26875_time cimport TAG_BYTES, tag_put

SYSTEMS_MAX = {61: 102, 64: 1, 65: 1, 66: 3, 68: 1}
COMPONENTS_MAX = {62: 22, 63: 63, 67: 26}
RECORDS_MAX = 102
BARE = (81, 85, 86, 88, 89)
OPERATIONS = (64, 84)
CLOCK, DUTY_CHECK = 90, 91
CONTROLS = (89, CLOCK, DUTY_CHECK)


def tag_bytes(int64_t ns):
    cdef uint8_t tag[TAG_BYTES]
    tag_put(tag, ns)
    return <bytes>tag[:TAG_BYTES]


def build_frame(command, data=b"", *, serial=0, source=0, destination=0, stamp_ns=0, version=(1, 1)):
    cdef uint8_t out[GBT_FRAME_BYTES_MAX]
    if len(data) > GBT_DATA_BYTES_MAX:
        raise ValueError(f"data of {len(data)} bytes: at most {GBT_DATA_BYTES_MAX}")
    try:
        content = (b"@@" + serial.to_bytes(2, "little") + bytes(version) + tag_bytes(stamp_ns)
                   + source.to_bytes(6, "little") + destination.to_bytes(6, "little") + bytes(2) + bytes([command])
                   + data)
    except OverflowError as error:
        raise ValueError(f"serial or address does not fit: {error}") from None
    if len(content) != GBT_DATA_AT + len(data):
        raise ValueError(f"version of two bytes wanted, not {version!r}")
    memcpy(out, PyBytes_AS_STRING(content), len(content))
    return <bytes>out[:gbt_close(out, len(data))]


def build_request(data_type, *, systems=(), components=(), number=0, start_ns=0, minutes=0, serial=0, source=0,
                  destination=0, stamp_ns=0):
    if data_type not in (*SYSTEMS_MAX, *COMPONENTS_MAX, *BARE, *OPERATIONS, CLOCK, DUTY_CHECK):
        raise ValueError(f"no request or control has type {data_type}")
    for name, objects, most in (("systems", systems, SYSTEMS_MAX.get(data_type, 0)),
                                ("components", components, COMPONENTS_MAX.get(data_type, 0))):
        if len(objects) > most or (most and not objects):
            raise ValueError(f"type {data_type} takes {f'1..{most}' if most else 'no'} {name}, not {len(objects)}")
    body = b"".join(bytes(system) for system in systems)
    for system_type, system_address, address in components:
        if len(address) != 4:
            raise ValueError(f"a component address has 4 bytes, not {len(address)}")
        body += bytes([system_type, system_address]) + address
    if data_type in OPERATIONS:
        if not 1 <= number <= RECORDS_MAX:
            raise ValueError(f"1..{RECORDS_MAX} records, not {number}")
        body += bytes([number]) + tag_bytes(start_ns)
    elif data_type == CLOCK:
        body = tag_bytes(stamp_ns)
    elif data_type in (*BARE, DUTY_CHECK):
        body = bytes([minutes if data_type == DUTY_CHECK else 0])
    return build_frame(COMMAND_CONTROL if data_type in CONTROLS else COMMAND_REQUEST,
                       bytes([data_type, len(systems) + len(components) or 1]) + body, serial=serial, source=source,
                       destination=destination, stamp_ns=stamp_ns)

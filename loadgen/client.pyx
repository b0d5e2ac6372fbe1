"""Frames out of templates, and the replies to them; see client.pxd.

Rejected: one writer in C for each habit of each vendor (there are dozens, and they combine), and frames made by Python
beforehand (a stamp and a sequence change in each).
"""
from codec.aes cimport AES_BLOCK_BYTES, aes_decrypt, aes_key_set
from codec.batch cimport TIME_NONE
from codec.crc16 cimport crc16
from codec.dc09_encrypted cimport pad_size, put_pad, seal
from codec.gbt26875 cimport (AT, COMMAND_CONFIRM, COMMAND_DENY, GBT_COMMAND_AT, GBT_DATA_BYTES_MAX, GBT_DESTINATION_AT,
                             GBT_FRAME_BYTES_MIN, GBT_LENGTH_AT, GBT_SERIAL_AT, GBT_TRAILER_BYTES, HASH, gbt_sum)
from codec.gbt26875_time cimport TAG_BYTES, tag_put
from codec.text cimport stamp_of
from codec.tocsin cimport (MESSAGE_ACCEPTED, MESSAGE_STALE, MESSAGE_UNABLE, TOCSIN_BODY_AT, TOCSIN_CHECKSUM_AT,
                           TOCSIN_COUNTER_AT, TOCSIN_FRAME_BYTES_MIN, TOCSIN_KEY_BYTES, TOCSIN_KEY_ID_AT,
                           TOCSIN_KIND_AT, TOCSIN_START, TOCSIN_TAG_BYTES, number_at, tocsin_close)
from libc.stdlib cimport calloc, free
from libc.string cimport memcmp, memcpy
from loadgen.dc09_client cimport (FRAME_HEAD_BYTES, REPLY_ACK, REPLY_DUH, REPLY_NAK, REPLY_NONE, STAMP_BYTES,
                                  frame_size, read_body, read_reply, stamp_set)
from loadgen.digits cimport hex_number, hex_value, put_decimal, put_hex

cdef enum:
    BINARY_HEAD_BYTES = 7        # LF, 2 checksum, 4 length
    SEQUENCES = 1 << 16          # that a Reply can name


cdef inline void put_low(uint8_t* out, uint64_t value, uint32_t size) noexcept nogil:
    cdef uint32_t i
    for i in range(size):
        out[i] = value & 0xFF
        value >>= 8


cdef inline uint64_t low(const uint8_t* bytes, uint32_t size) noexcept nogil:
    cdef uint64_t value = 0
    while size:
        size -= 1
        value = value << 8 | bytes[size]
    return value


cdef inline void put_high(uint8_t* out, uint64_t value, uint32_t size) noexcept nogil:
    while size:
        size -= 1
        out[size] = value & 0xFF
        value >>= 8


cdef void put_tag(uint8_t* out, int64_t second, bint bcd) noexcept nogil:
    cdef uint32_t i
    tag_put(out, second * 1000000000)
    if bcd:
        for i in range(TAG_BYTES):
            out[i] = out[i] // 10 << 4 | out[i] % 10


cdef void fill(const Client* client, const Template* template, const Values* values, const Stamp* stamp,
               uint8_t* out) noexcept nogil:
    """Copy the template and write its fields."""
    cdef uint32_t i
    cdef const Field* field
    cdef uint8_t* at
    memcpy(out, template.bytes, template.size)
    for i in range(template.fields_count):
        field = &template.fields[i]
        at = out + field.at
        if field.kind == FIELD_ACCOUNT:
            put_hex(at, values.account, field.size)
        elif field.kind == FIELD_SEQUENCE:
            put_decimal(at, values.sequence, field.size)
        elif field.kind == FIELD_STAMP:
            memcpy(at, stamp.text, STAMP_BYTES)
        elif field.kind == FIELD_NUMBER:
            put_decimal(at, values.number, field.size)
        elif field.kind == FIELD_ZONE:
            put_decimal(at, values.zone, field.size)
        elif field.kind == FIELD_ACCOUNT_LOW:
            put_low(at, values.account, field.size)
        elif field.kind == FIELD_SERIAL_LOW:
            put_low(at, values.sequence, field.size)
        elif field.kind == FIELD_SERIAL_HIGH:
            at[0] = values.sequence >> 8
            at[1] = values.sequence & 0xFF
        elif field.kind == FIELD_NUMBER_LOW:
            put_low(at, values.number, field.size)
        elif field.kind == FIELD_KEY_ID:
            put_high(at, values.account, field.size)
        elif field.kind == FIELD_COUNTER:
            put_high(at, <uint32_t>(client.counter_first + values.sequence), field.size)
        else:
            put_tag(at, stamp.second, field.kind == FIELD_TAG_BCD)


cdef uint32_t write_plain_or_sealed(const Client* client, const Template* template, const Values* values,
                                    const Stamp* stamp, uint8_t* out) noexcept nogil:
    """Write the filled template to `out`, its end encrypted where the group has keys; return the bytes.

    The pad comes of account, sequence and time: the same frame again is the same bytes, and no other has its pad.
    """
    cdef uint8_t text[TEMPLATE_BYTES_MAX]
    cdef uint8_t plain[SEALED_BYTES_MAX]
    cdef uint32_t size, pad
    cdef const AesKey* key
    if client.keys == NULL:
        fill(client, template, values, stamp, out)
        return template.size
    fill(client, template, values, stamp, text)
    key = &client.keys[values.transmitter]
    size = template.size - template.plain_at
    pad = pad_size(size)
    put_pad(key, values.account << 16 | values.sequence, stamp.second * 1000000000, plain, pad)
    memcpy(plain + pad, text + template.plain_at, size)
    memcpy(out, text, template.plain_at)
    return template.plain_at + seal(key, plain, pad + size, out + template.plain_at)


cdef uint32_t close_dc09(const Client* client, uint8_t* out, uint32_t body) noexcept nogil:
    """Write head and end around the body that stands behind the head's place; return the frame's bytes."""
    cdef uint32_t head = BINARY_HEAD_BYTES if client.close == CLOSE_BINARY else FRAME_HEAD_BYTES
    cdef uint32_t crc, size = head + body + 1
    out[0] = 10
    put_hex(out + head - 4, body, 4)
    out[head + body] = 13
    crc = crc16(out + head, body + client.over_end)
    if client.close == CLOSE_BINARY:
        out[1] = crc >> 8
        out[2] = crc & 0xFF
    else:
        put_hex(out + 1, crc, 4)
    if client.tail:
        out[size] = 0
    return size + client.tail


cdef inline const uint8_t* mac_key(const Client* client, uint32_t transmitter) noexcept nogil:
    return client.mac_keys + <size_t>transmitter * TOCSIN_KEY_BYTES


cdef uint32_t client_write(const Client* client, const Template* template, const Values* values, const Stamp* stamp,
                           uint8_t* out) noexcept nogil:
    cdef Stamp own
    cdef uint32_t size
    if client.clocks != NULL and client.clocks[values.transmitter]:
        own.second = stamp.second + client.clocks[values.transmitter] + 1
        stamp_set(&own, stamp.second + client.clocks[values.transmitter])
        stamp = &own
    if client.close == CLOSE_SUM:
        fill(client, template, values, stamp, out)
        size = template.size
        out[size] = gbt_sum(out + GBT_SERIAL_AT, size - GBT_SERIAL_AT)
        out[size + 1] = out[size + 2] = HASH
        return size + GBT_TRAILER_BYTES
    if client.close == CLOSE_TAG:
        fill(client, template, values, stamp, out)
        return tocsin_close(out, template.size - TOCSIN_BODY_AT, mac_key(client, values.transmitter), NULL)
    size = BINARY_HEAD_BYTES if client.close == CLOSE_BINARY else FRAME_HEAD_BYTES
    return close_dc09(client, out, write_plain_or_sealed(client, template, values, stamp, out + size))


cdef uint32_t client_frame_size(const Client* client, const uint8_t* data, size_t size) noexcept nogil:
    cdef int64_t body
    if client.close == CLOSE_HEX:
        return frame_size(data, size)
    if client.close == CLOSE_BINARY:
        if data[0] != 10:
            return 1
        if size < BINARY_HEAD_BYTES + 1:
            return 0
        body = hex_number(data + 4, 3)
        if data[3] != 48 or data[7] != 34 or body < 0:
            return frame_size(data, size)  # a NAK, say, in the standard's form
        body += BINARY_HEAD_BYTES + 1
        if <size_t>body > size:
            return 0
        return <uint32_t>body if data[body - 1] == 13 else 1
    if client.close == CLOSE_TAG:
        if data[0] != TOCSIN_START:
            return 1
        if size < TOCSIN_FRAME_BYTES_MIN:
            return 0
        return TOCSIN_FRAME_BYTES_MIN if number_at(data + 1, 2) == TOCSIN_FRAME_BYTES_MIN - 3 else 1  # replies are bare
    if data[0] != AT or size > 1 and data[1] != AT:
        return 1
    if size < GBT_FRAME_BYTES_MIN:
        return 0
    body = low(data + GBT_LENGTH_AT, 2)
    if body > GBT_DATA_BYTES_MAX:
        return 1
    body += GBT_FRAME_BYTES_MIN
    if <size_t>body > size:
        return 0
    return <uint32_t>body if data[body - 1] == HASH and data[body - 2] == HASH else 1


cdef void read_gbt(const Client* client, const uint8_t* data, size_t size, Reply* reply) noexcept nogil:
    reply.kind = REPLY_NONE
    reply.sequence = 0
    reply.account = 0
    if size < GBT_FRAME_BYTES_MIN or client_frame_size(client, data, size) != size:
        return
    if gbt_sum(data + GBT_SERIAL_AT, size - GBT_SERIAL_AT - GBT_TRAILER_BYTES) != data[size - GBT_TRAILER_BYTES]:
        return
    reply.sequence = low(data + GBT_SERIAL_AT, 2)
    if client.serial_high:
        reply.sequence = reply.sequence >> 8 | (reply.sequence & 0xFF) << 8
    reply.account = low(data + GBT_DESTINATION_AT, 6)
    if data[GBT_COMMAND_AT] == COMMAND_CONFIRM:
        reply.kind = REPLY_ACK
    elif data[GBT_COMMAND_AT] == COMMAND_DENY:
        reply.kind = REPLY_DUH


cdef void read_tagged(const Client* client, const uint8_t* data, size_t size, Reply* reply) noexcept nogil:
    cdef uint32_t sequence
    reply.kind = REPLY_NONE
    reply.sequence = 0
    reply.account = 0
    if size != TOCSIN_FRAME_BYTES_MIN or client_frame_size(client, data, size) != size:
        return
    if crc16(data, TOCSIN_CHECKSUM_AT) != number_at(data + TOCSIN_CHECKSUM_AT, 2):
        return
    reply.account = number_at(data + TOCSIN_KEY_ID_AT, 3)
    if data[TOCSIN_KIND_AT] == MESSAGE_STALE:
        reply.kind = REPLY_NAK       # its counter is another message's
        return
    sequence = number_at(data + TOCSIN_COUNTER_AT, 4) - client.counter_first
    if sequence >= SEQUENCES:
        return
    reply.sequence = sequence
    if data[TOCSIN_KIND_AT] == MESSAGE_ACCEPTED:
        reply.kind = REPLY_ACK
    elif data[TOCSIN_KIND_AT] == MESSAGE_UNABLE:
        reply.kind = REPLY_DUH


cdef bint client_proves(const Client* client, const uint8_t* data, const uint8_t* frame, uint32_t size,
                        uint32_t transmitter) noexcept nogil:
    cdef uint8_t right[TOCSIN_FRAME_BYTES_MIN]
    if client.close != CLOSE_TAG:
        return True
    memcpy(right, data, TOCSIN_BODY_AT)
    tocsin_close(right, 0, mac_key(client, transmitter), frame + size - TOCSIN_TAG_BYTES)
    return memcmp(right, data, TOCSIN_FRAME_BYTES_MIN) == 0


cdef bint opens(const AesKey* key, const uint8_t* hex, size_t digits, int64_t second) noexcept nogil:
    """Whether hex digits open under the key, to a text that ends with a time near `second`."""
    cdef uint8_t plain[SEALED_BYTES_MAX]
    cdef uint32_t i, size = digits // 2
    cdef int64_t stamp_ns
    if size < 2 * AES_BLOCK_BYTES or digits % (2 * AES_BLOCK_BYTES) or size > SEALED_BYTES_MAX:
        return False
    for i in range(size):
        if hex_value(hex[2 * i]) < 0 or hex_value(hex[2 * i + 1]) < 0:
            return False
        plain[i] = hex_value(hex[2 * i]) << 4 | hex_value(hex[2 * i + 1])
    aes_decrypt(key, plain, size // AES_BLOCK_BYTES)
    if memcmp(plain + size - STAMP_BYTES - 1, b"]_", 2) != 0:
        return False
    stamp_ns = stamp_of(plain + size - STAMP_BYTES + 1)
    return stamp_ns != TIME_NONE and -REPLY_STAMP_S <= stamp_ns // 1000000000 - second <= REPLY_STAMP_S


cdef void client_read_reply(const Client* client, const uint8_t* data, size_t size, int64_t second,
                            Reply* reply) noexcept nogil:
    cdef uint32_t head = FRAME_HEAD_BYTES
    cdef size_t at
    cdef uint64_t transmitter
    if client.close == CLOSE_SUM:
        read_gbt(client, data, size, reply)
        return
    if client.close == CLOSE_TAG:
        read_tagged(client, data, size, reply)
        return
    if client.close == CLOSE_BINARY and size > FRAME_HEAD_BYTES and data[7] == 34:
        head = BINARY_HEAD_BYTES
        reply.kind = REPLY_NONE
        reply.sequence = 0
        reply.account = 0
        if client_frame_size(client, data, size) != size or size < head + 12:
            return
        if <uint32_t>(data[1] << 8 | data[2]) == crc16(data + head, size - head - 1):
            read_body(data + head, size - head - 1, reply)
    else:
        read_reply(data, size, reply)
    if client.count == 1 and reply.account == 0:
        reply.account = client.account_first  # it names none where the frame's header named none
    if client.keys == NULL or reply.kind != REPLY_ACK:
        return
    reply.kind = REPLY_NONE
    transmitter = reply.account - client.account_first
    if data[head + 1] != 42 or transmitter >= client.count:
        return  # an acknowledgement in clear of what was said in cipher proves nothing
    at = head
    while at < size and data[at] != 91:
        at += 1
    if at < size and opens(&client.keys[transmitter], data + at + 1, size - at - 2, second):
        reply.kind = REPLY_ACK


cdef int take_template(Template* template, tuple given) except -1:
    """Check a template and copy it."""
    cdef uint32_t i, plain_at
    cdef bytes text
    cdef list fields
    text, fields, plain_at = given
    if not 0 < len(text) <= TEMPLATE_BYTES_MAX or len(fields) > TEMPLATE_FIELDS_MAX or plain_at >= len(text):
        raise ValueError("a template has 1 to 200 bytes, and at most 16 fields")
    memcpy(template.bytes, <const uint8_t*>text, len(text))
    template.size = len(text)
    template.plain_at = plain_at
    template.fields_count = len(fields)
    for i, (at, kind, size) in enumerate(fields):
        if not 0 <= at <= at + size <= len(text) or not 0 <= kind < FIELD_KINDS or not 1 <= size <= STAMP_BYTES:
            raise ValueError("a field of a template lies outside of it")
        template.fields[i].at = at
        template.fields[i].kind = kind
        template.fields[i].size = size
    return 0


cdef class Speaker:
    def __cinit__(self, tuple heartbeat not None, tuple signal not None, *, int close, bint tail=False,
                  bint over_end=False, bint serial_high=False, uint64_t account_first, uint32_t count, list keys=None,
                  list clocks=None, uint32_t counter_first=0):
        cdef Client* client = &self.client
        cdef uint32_t i
        cdef bytes key
        take_template(&client.heartbeat, heartbeat)
        take_template(&client.signal, signal)
        client.close = close
        client.tail = tail
        client.over_end = over_end
        client.serial_high = serial_high
        client.account_first = account_first
        client.count = count
        if (keys is not None and len(keys) != count) or (clocks is not None and len(clocks) != count):
            raise ValueError("as many keys and clocks as transmitters")
        client.counter_first = counter_first
        if close == CLOSE_TAG:
            if keys is None or any(len(key) != TOCSIN_KEY_BYTES for key in keys):
                raise ValueError("keys of 32 bytes, one for each transmitter")
            client.mac_keys = <uint8_t*>calloc(count, TOCSIN_KEY_BYTES)
            if client.mac_keys == NULL:
                raise MemoryError()
            for i, key in enumerate(keys):
                memcpy(client.mac_keys + <size_t>i * TOCSIN_KEY_BYTES, <const uint8_t*>key, TOCSIN_KEY_BYTES)
        elif keys is not None:
            client.keys = <AesKey*>calloc(count, sizeof(AesKey))
            if client.keys == NULL:
                raise MemoryError()
            for i, key in enumerate(keys):
                if not aes_key_set(&client.keys[i], key, len(key)):
                    raise ValueError("a key has 16, 24 or 32 bytes")
        if clocks is not None:
            client.clocks = <int32_t*>calloc(count, sizeof(int32_t))
            if client.clocks == NULL:
                raise MemoryError()
            for i in range(count):
                client.clocks[i] = clocks[i]

    def __dealloc__(self):
        free(self.client.keys)
        free(self.client.mac_keys)
        free(self.client.clocks)

    def frame(self, uint32_t transmitter, uint32_t sequence, int64_t second, *, number=None, uint32_t zone=1):
        cdef uint8_t out[2 * SEALED_BYTES_MAX + TEMPLATE_BYTES_MAX]
        cdef Stamp stamp
        cdef Values values
        assert transmitter < self.client.count
        stamp.second = ~second
        stamp_set(&stamp, second)
        values.account = self.client.account_first + transmitter
        values.transmitter = transmitter
        values.sequence = sequence
        values.number = 0 if number is None else number
        values.zone = zone
        return out[:client_write(&self.client, &self.client.heartbeat if number is None else &self.client.signal,
                                 &values, &stamp, out)]

    def reply(self, bytes data not None, int64_t second):
        cdef Reply reply
        client_read_reply(&self.client, data, len(data), second, &reply)
        return reply.kind, reply.sequence, reply.account

    def proves(self, bytes data not None, bytes frame not None, uint32_t transmitter):
        assert transmitter < self.client.count
        if self.client.close == CLOSE_TAG and not len(data) == TOCSIN_FRAME_BYTES_MIN <= len(frame):
            return False
        return client_proves(&self.client, data, frame, len(frame), transmitter)

    def frame_bytes(self, bytes data not None):
        return client_frame_size(&self.client, data, len(data)) if data else 0

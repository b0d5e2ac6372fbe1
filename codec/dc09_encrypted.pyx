"""The encrypted half of ANSI/SIA DC-09: from the frame received to the same frame in clear, and back.

    "*token" seq [R hex] [L hex] # account [ hex digits                 the whole rest of the body; no ']' in clear
                                             |
                                 AES-CBC, key of 16, 24 or 32 bytes, IV of 16 zero bytes, no padding of the cipher's own
                                             |
                        pad '|' data ']' { [ id text ] } _HH:MM:SS,MM-DD-YYYY [ tail ]

pad    any bytes but '|', '[' and ']', as many as make the whole a multiple of 16; 0..15 and a whole block more when
       it is one already (2013), 16..31 (2026); CR, LF and NUL are as good as others
tail   nothing, in the standard

Sources: ANSI/SIA DC-09-2013 (draft), 5.4; DC-09-2026 as the package siadc09 implements it.

What is read as one, in this order:
  1. Hex digits of either case, a multiple of 32 of them; else it is noise.
  2. The stamp is the last "]_" with a time behind it. Without one it is noise: the wrong key gives random bytes, in
     which a lone ']' stands often enough (a captured frame of pysiaalarm's tests is such a trap), and these 21 never.
  3. The data begins behind the first '|', or it is empty and the first ']' that a '[' or a '_' follows closes it,
     whichever comes first.

Accepted beyond the standard, because it was seen:
  any number of pad bytes, also none                  2007, 2013, 2026 and their readers differ
  no '|' where the data is empty                      siadc09, pysiaalarm, fioletoven/dc09
  a tail behind the stamp: blocks of a cipher's own   ioBroker.sia (16 bytes of 0x10); zero bytes, blanks
  padding
  '[' in the pad, and ']' where nothing follows it    random pads that were never checked
  as behind a closing one

The text is laid out as the frame would have come in clear: the header as received, star and all, and behind its '['
the data. The readers of clear frames go over it; pad, tail and hex are nowhere in it, so that a frame sent again with
another pad is the same frame.
"""
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset

from codec.aes cimport AES_BLOCK_BYTES, aes_decrypt, aes_encrypt
from codec.batch cimport TIME_NONE
from codec.text cimport stamp_of

cdef enum:
    STAMP_BYTES = 19             # without the underscore
    PAD_BYTES_MAX = 32

cdef extern from *:
    """
    #include <stddef.h>
    #include <stdint.h>

    /* Turn 2 * size hex digits of either case into bytes; 0 when there is anything else among them.
       No table and no branch, so that the compiler does sixteen at a time. */
    static int bytes_of_hex(const uint8_t *restrict hex, uint8_t *restrict out, size_t size)
    {
        uint8_t bad = 0;
        for (size_t i = 0; i < 2 * size; i++) {
            uint8_t digit = (uint8_t)(hex[i] - '0'), letter = (uint8_t)((hex[i] | 0x20) - 'a');
            bad |= (uint8_t)((digit > 9) & (letter > 5));
        }
        for (size_t i = 0; i < size; i++) {
            uint8_t high = hex[2 * i], low = hex[2 * i + 1];
            high = (uint8_t)((high & 15) + (high >> 6) * 9);
            low = (uint8_t)((low & 15) + (low >> 6) * 9);
            out[i] = (uint8_t)(high << 4 | low);
        }
        return !bad;
    }

    static void hex_of_bytes(const uint8_t *restrict bytes, uint8_t *restrict out, size_t size)
    {
        for (size_t i = 0; i < size; i++) {
            uint8_t high = bytes[i] >> 4, low = bytes[i] & 15;
            out[2 * i] = (uint8_t)(high + '0' + (high > 9) * 7);
            out[2 * i + 1] = (uint8_t)(low + '0' + (low > 9) * 7);
        }
    }
    """
    bint bytes_of_hex(const uint8_t* hex, uint8_t* out, size_t size) noexcept nogil
    void hex_of_bytes(const uint8_t* bytes, uint8_t* out, size_t size) noexcept nogil


cdef bint open_frame(const Frame* frame, const AesKey* key, uint8_t* buffer, Frame* text) noexcept nogil:
    """Decrypt a frame into the one that it would have been in clear.

    frame    as split left it
    buffer   filled; FRAME_BYTES_MAX bytes, which `text` borrows
    text     filled when True: `frame` with another start and size; its data begins where the frame's does, reaches
             with all that follows to the end, and `stamp_ns` is set
    Returns  whether the key is the right one, as far as can be told without a code for it
    Cost     one pass over the digits and two over the text
    """
    cdef uint32_t header = frame.data.at, size = frame.data.size // 2, end, begin = 0
    cdef uint8_t* plain = buffer + header
    cdef int64_t stamp_ns = TIME_NONE
    if frame.data.size % (2 * AES_BLOCK_BYTES) or size < 2 + STAMP_BYTES:
        return False
    if not bytes_of_hex(frame.start + header, plain, size):
        return False
    aes_decrypt(key, plain, size // AES_BLOCK_BYTES)
    end = size - STAMP_BYTES - 1
    while stamp_ns == TIME_NONE:
        if end == 0:
            return False
        end -= 1
        if plain[end] == 0x5D and plain[end + 1] == 0x5F:
            stamp_ns = stamp_of(plain + end + 2)
    while plain[begin] != 0x7C and (plain[begin] != 0x5D or plain[begin + 1] != 0x5B and plain[begin + 1] != 0x5F):
        begin += 1                       # ends at the stamp's "]_" at the latest
    begin += plain[begin] == 0x7C
    memcpy(buffer + begin, frame.start, header)
    text[0] = frame[0]
    text.start = buffer + begin
    text.size = header + end + 2 + STAMP_BYTES - begin
    text.encrypted = False
    text.stamp_ns = stamp_ns
    return True


cdef void put_pad(const AesKey* key, uint64_t entropy, int64_t now_ns, uint8_t* out, uint32_t size) noexcept nogil:
    """Write `size` bytes of pad, at most 32: the cipher of entropy and time, so that nobody else can tell them."""
    cdef uint8_t pad[PAD_BYTES_MAX]
    cdef uint32_t i
    memset(pad, 0, PAD_BYTES_MAX)
    memcpy(pad, &entropy, sizeof(entropy))
    memcpy(pad + sizeof(entropy), &now_ns, sizeof(now_ns))
    aes_encrypt(key, pad, PAD_BYTES_MAX // AES_BLOCK_BYTES)
    for i in range(size):
        out[i] = pad[i] ^ 0x80 if pad[i] == 0x7C or pad[i] == 0x5B or pad[i] == 0x5D else pad[i]


cdef uint32_t seal(const AesKey* key, uint8_t* plain, uint32_t size, uint8_t* out) noexcept nogil:
    """Encrypt whole blocks and write them as upper-case hex digits.

    plain    overwritten
    out      filled; not among the bytes of `plain`
    Returns  2 * size
    """
    aes_encrypt(key, plain, size // AES_BLOCK_BYTES)
    hex_of_bytes(plain, out, size)
    return 2 * size

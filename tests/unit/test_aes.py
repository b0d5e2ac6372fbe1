"""AES against the published vectors, and against `cryptography` for everything else; with instructions and without."""
import random

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from codec.aes import decrypt_cbc, encrypt_cbc, has_instructions

SEED = 197
WAYS = [False, True]


def flip(key: bytes, data: bytes) -> bytes:
    """Encrypt by the oracle."""
    encryptor = Cipher(algorithms.AES(key), modes.CBC(bytes(16))).encryptor()
    return encryptor.update(data) + encryptor.finalize()


# FIPS 197, appendix C: one block under keys of consecutive bytes; with an IV of zeros CBC begins like ECB.
@pytest.mark.parametrize("plain", WAYS)
@pytest.mark.parametrize(("key_size", "expected"), [
    (16, "69c4e0d86a7b0430d8cdb78070b4c55a"), (24, "dda97ca4864cdfe06eaf70a0ec0d7191"),
    (32, "8ea2b7ca516745bfeafc49904b496089")])
def test_blocks_of_fips_197(key_size: int, expected: str, plain: bool) -> None:
    block = bytes.fromhex("00112233445566778899aabbccddeeff")
    key = bytes(range(key_size))
    assert encrypt_cbc(key, block, plain=plain).hex() == expected
    assert decrypt_cbc(key, bytes.fromhex(expected), plain=plain) == block


# SP 800-38A, F.2: four blocks. Their IV is not zero; put before the first block it comes to the same.
@pytest.mark.parametrize("plain", WAYS)
@pytest.mark.parametrize(("key", "expected"), [
    ("2b7e151628aed2a6abf7158809cf4f3c",
     "7649abac8119b246cee98e9b12e9197d5086cb9b507219ee95db113a917678b2"
     "73bed6b8e3c1743b7116e69e222295163ff1caa1681fac09120eca307586e1a7"),
    ("8e73b0f7da0e6452c810f32b809079e562f8ead2522c6b7b",
     "4f021db243bc633d7178183a9fa071e8b4d9ada9ad7dedf4e5e738763f69145a"
     "571b242012fb7ae07fa9baac3df102e008b0e27988598881d920a9e64f5615cd"),
    ("603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4",
     "f58c4c04d6e5f1ba779eabfb5f7bfbd69cfc4e967edb808d679f777bc6702c7d"
     "39f23369a9d9bacfa530e26304231461b2eb05e2c39be9fcda6c19078c6a9d1b")], ids=["128", "192", "256"])
def test_chains_of_sp_800_38a(key: str, expected: str, plain: bool) -> None:
    text = bytearray.fromhex("6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51"
                             "30c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710")
    for at in range(16):
        text[at] ^= at      # the IV of the document: 00 01 .. 0f
    assert encrypt_cbc(bytes.fromhex(key), bytes(text), plain=plain).hex() == expected
    assert decrypt_cbc(bytes.fromhex(key), bytes.fromhex(expected), plain=plain) == text


@pytest.mark.parametrize("plain", WAYS)
def test_random_keys_and_every_number_of_blocks(plain: bool) -> None:
    rng = random.Random(SEED)
    for blocks in range(130):       # the most that a frame holds is 127
        key, text = rng.randbytes(rng.choice([16, 24, 32])), rng.randbytes(16 * blocks)
        sealed = flip(key, text)
        assert encrypt_cbc(key, text, plain=plain) == sealed, f"seed {SEED}, {blocks} blocks"
        assert decrypt_cbc(key, sealed, plain=plain) == text, f"seed {SEED}, {blocks} blocks"


@pytest.mark.parametrize("way", [encrypt_cbc, decrypt_cbc])
def test_other_sizes_are_refused(way) -> None:
    for size in (0, 15, 17, 20, 33, 64):
        with pytest.raises(ValueError, match="key of"):
            way(bytes(size), bytes(16))
    for size in (1, 15, 17):
        with pytest.raises(ValueError, match="whole blocks"):
            way(bytes(16), bytes(size))


def test_instructions_are_used_where_the_processor_has_them() -> None:
    with open("/proc/cpuinfo") as file:
        flags = next((line for line in file if line.startswith("flags")), "").split()
    assert has_instructions() == ("aes" in flags)

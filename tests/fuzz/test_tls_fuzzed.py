"""Whatever comes on a TLS socket, nothing is raised, and each connection is either open or closed and counted once."""
import random
import ssl

import pytest

from tests.tls_files import Authority
from tests.unit.listen_world import alarm, heartbeat
from tests.unit.tls_world import ACCOUNTS, Line, Panel, give

CASES, BLOCKS = 40, 10


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    made = Authority(tmp_path_factory.mktemp("tls"))
    made.issue("server")
    return made


def spoil(chance: random.Random, data: bytes) -> bytes:
    """Change a few bytes, take some away, say some twice, or leave them as they are."""
    changed = bytearray(data)
    for _ in range(chance.choice([0, 0, 0, 1, 3])):
        at = chance.randrange(len(changed) + 1)
        draw = chance.randrange(4)
        if draw == 0 and at < len(changed):
            changed[at] ^= 1 << chance.randrange(8)
        elif draw == 1:
            del changed[at:at + chance.choice([1, 5, 100])]
        elif draw == 2:
            changed[at:at] = changed[at:at + chance.randrange(1, 60)]
        else:
            changed[at:at] = chance.randbytes(chance.randrange(1, 400))
    return bytes(changed)


def speak(chance: random.Random, panel: Panel) -> None:
    """Bring the panel one step further, as far as what it got allows."""
    try:
        if chance.random() < 0.7:
            panel.tls.do_handshake()
            panel.tls.write(chance.choice([heartbeat, alarm])(chance.choice(ACCOUNTS)) * chance.randrange(1, 30))
        if chance.random() < 0.05:
            panel.tls.unwrap()
    except ssl.SSLError:
        pass


@pytest.mark.parametrize("block", range(BLOCKS))
def test_nothing_is_raised_and_all_are_counted(authority, block):
    done = 0
    for case in range(block * CASES, (block + 1) * CASES):
        chance = random.Random(case)
        line = Line(authority, held_per_connection_max=chance.choice([1, 256]))
        panel = line.call(begin=False, version=chance.choice([ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3]))
        for _ in range(chance.randrange(3, 12)):
            speak(chance, panel)
            data = spoil(chance, panel.outgoing.read())
            while data and not panel.wire.closed:
                size = chance.choice([1, 50, 5000])
                give(panel.link, data[:size])
                data = data[size:]
            if chance.random() < 0.2 and not panel.wire.closed:
                chance.choice([panel.link.pause_writing, panel.link.resume_writing, panel.link.eof_received])()
            if len(line.world.admit) and chance.random() < 0.5:
                chance.choice([line.world.journal, line.world.journal, line.world.lose])()
            panel.read()
        done += line.gate.handshakes["done"]
        panel.link.connection_lost(None)
        assert (line.tcp.connections, line.tcp.closing, line.gate.shaking, line.tcp.held_in) == (set(), {}, {}, 0)
        assert (sum(line.tcp.closed.values()), sum(line.handshakes.values()), line.tcp.shares.taken) == (1, 1, 0)
    assert 0 < done < CASES

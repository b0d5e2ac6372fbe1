"""Line faults of the running engine: raised once, cleared by the next frame, fair after a restart."""
from __future__ import annotations

import signal
import time

from tests.integration.engine import Engine, data_directory, serve, until
from tests.integration.transmitter import ack, null, udp

CONFIG = """
[[transmitter]]
account = "dc09:0D01"
supervision = "5s"
"""
SUPERVISION_S = 5


def line_faults(engine: Engine) -> list[tuple[str, str, str]]:
    return [(row["condition"], row["state"], row["reason"]) for row in engine.signals("0D01")]


def state(engine: Engine) -> str:
    return str(engine.json("/v1/transmitters/dc09:0D01")["state"])


def stored_state(engine: Engine) -> str | None:
    found = engine.rows("SELECT state FROM tocsin.path WHERE account = '0D01' AND last_seen_at IS NOT NULL")
    return found[0]["state"] if found else None


def test_silence_is_noticed_once_and_truly() -> None:
    raised, cleared = ("line_fault", "raised", "state"), ("line_fault", "cleared", "state")
    with data_directory() as data:
        with serve(data, CONFIG) as engine, udp(engine.place) as silent, udp(engine.place) as other:
            until(lambda: engine.metrics()['paths{state="up"}'] == 1, "the path that stands for who has not spoken")
            with engine.counting({"line_faults": 1, "line_faults_cleared": 1, 'signals{class="fault"}': 2,
                                  'paths{state="up"}': 2}):
                began = time.monotonic()
                assert silent.say(null("0D01")) == ack("0D01")
                assert other.say(null("0D02")) == ack("0D02")
                until(lambda: state(engine) == "fault", "a line fault", SUPERVISION_S + 5)
                assert SUPERVISION_S - 0.1 < time.monotonic() - began < SUPERVISION_S + 3
                until(lambda: stored_state(engine) == "fault", "the path's state in the database")
                assert line_faults(engine) == [raised]
                [listed] = engine.json("/v1/transmitters?state=fault")["transmitters"]
                assert listed["key"] == "dc09:0D01"
                assert silent.say(null("0D01", 2)) == ack("0D01", 2)
                until(lambda: state(engine) == "up", "the end of the line fault")
                until(lambda: stored_state(engine) == "up", "the path's state in the database")
            assert line_faults(engine) == [raised, cleared]
            assert engine.json("/v1/alarms")["alarms"] == []
            assert silent.say(null("0D01", 3)) == ack("0D01", 3)
            said = time.monotonic()
            engine.kill()
        # Down for a moment: the path has the rest of its time, at least its grace, which is its whole time here.
        with serve(data, CONFIG) as engine:
            again = time.monotonic()
            assert again - said < SUPERVISION_S
            assert state(engine) == "up"
            until(lambda: state(engine) == "fault", "a line fault after the restart", SUPERVISION_S + 5)
            assert time.monotonic() - again > SUPERVISION_S - 1
            assert line_faults(engine) == [raised, cleared, raised]
            assert engine.metrics()["line_faults"] == 1


def test_a_flood_that_overflows_the_socket_puts_a_line_fault_off_and_cannot_keep_it_away() -> None:
    flooded = CONFIG + '[listen]\nreceive_buffer = "64KiB"\n'
    with data_directory() as data, serve(data, flooded) as engine, udp(engine.place) as silent, \
            udp(engine.place) as flood:
        engine.expect("supervision is impaired")
        assert silent.say(null("0D01")) == ack("0D01")

        def drop() -> None:
            """Send more than the buffer holds, while nobody reads it."""
            engine.process.send_signal(signal.SIGSTOP)
            for _ in range(2000):
                flood.socket.send(b"garbage")
            engine.process.send_signal(signal.SIGCONT)

        def dropped_again_and_in_fault() -> bool:
            drop()
            return state(engine) == "fault"

        until(dropped_again_and_in_fault, "a line fault", 4 * SUPERVISION_S)
        metrics = engine.metrics()
        assert metrics["socket_drops"] > 0
        assert metrics["supervision_excused"] == 1
        assert metrics["line_faults"] == 1
        assert metrics["supervision_impaired"] == 1
        until(lambda: "supervision is impaired" in engine.said(), "being told")
        assert engine.json("/v1/status")["stages"]["supervise"]["impaired"] is True

"""What docs/backup.md says, done: a backup of a running engine, everything destroyed, restored, started."""
from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from engine.store.binaries import find
from tests.integration.engine import Engine, data_directory, serve
from tests.integration.transmitter import ack, sia, udp

ORDER = ("snapshot-*", "consumer-*", "*.touches", "outcomes-*", "journal*")


def back_up(engine: Engine, target: Path) -> None:
    """First the database, then the journal: so the journal has everything that the database has not."""
    binaries = find()
    assert binaries is not None
    run = parse_qs(urlsplit(engine.database).query)["host"][0]
    target.mkdir()
    subprocess.run([binaries.postgres.with_name("pg_basebackup"), "-h", run, "-U", "tocsin", "-D", target / "cluster",
                    "-X", "stream", "-c", "fast"], check=True, capture_output=True, timeout=60)
    (target / "journal").mkdir(mode=0o700)
    for pattern in ORDER:
        for path in sorted((engine.data / "data/journal").glob(pattern)):
            shutil.copy2(path, target / "journal")


def restore(backup: Path, data: Path) -> None:
    (data / "data/postgresql").mkdir(parents=True)
    shutil.copytree(backup / "journal", data / "data/journal")
    shutil.copytree(backup / "cluster", data / "data/postgresql/cluster")
    os.chmod(data / "data", 0o711)


def test_a_backup_of_a_running_engine_restored() -> None:
    with data_directory() as kept:
        with data_directory() as lost, serve(lost) as engine, udp(engine.place) as transmitter:
            for number in range(1, 21):
                assert transmitter.say(sia("BA01", f"NFA{number}", number)) == ack("BA01", number)
            engine.until_stored()
            before = engine.signals("BA01")
            back_up(engine, kept / "backup")
            for number in range(21, 31):
                assert transmitter.say(sia("BA01", f"NFA{number}", number)) == ack("BA01", number)
            engine.kill()
        with data_directory() as fresh:
            restore(kept / "backup", fresh)
            with serve(fresh) as engine, udp(engine.place) as transmitter:
                assert engine.signals("BA01") == before
                assert len(before) == 20
                assert transmitter.say(sia("BA01", "NFA99", 99)) == ack("BA01", 99)
                stored = engine.signals("BA01")
                assert stored[:20] == before
                assert len(stored) == 21
                assert stored[20]["id"] > before[-1]["id"]
                assert engine.metrics()["store_up"] == 1

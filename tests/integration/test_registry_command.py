"""`tocsin import` beside a running engine with its embedded PostgreSQL."""
from __future__ import annotations

from pathlib import Path

from engine.registry.keys import NAME, KeyStore
from tests.integration.engine import data_directory, serve, tocsin

SECRET = "00112233445566778899aabbccddeeff"
FACILITIES = "id;name;province;commune\nVN-1;Chợ Vinh;40;{commune}\nVN-2;Trường;42;\n"
TRANSMITTERS = f"transmitter,facility,key\ndc09:1,VN-1,{SECRET}\ndc09:2,VN-2,\n"
POINTS = '[{"transmitter": "dc09:1", "point": "1/2", "condition": "smoke"}]'


def write(directory: Path, **files: str) -> dict[str, str]:
    """Write files and return their paths by name."""
    for name, text in files.items():
        (directory / name).write_text(text)
    return {name: str(directory / name) for name in files}


def test_beside_a_running_engine() -> None:
    with data_directory() as data, serve(data) as engine:
        engine.until_store_up()
        paths = write(data, facilities=FACILITIES.format(commune=16690), transmitters=TRANSMITTERS, points=POINTS)
        mine = ("--data", str(engine.data / "data"))
        dry = tocsin("import", "--dry-run", "--areas", "vietnam", *mine, *paths.values())
        assert (dry.returncode, dry.stderr) == (0, "")
        assert dry.stdout.splitlines() == [
            "areas        3,355 rows: 3,355 added, 0 changed, 0 removed",
            "facilities   2 rows: 2 added, 0 changed, 0 removed",
            "transmitters 2 rows: 2 added, 0 changed, 0 removed, 1 keys",
            "points       1 rows: 1 added, 0 changed, 0 removed",
            "a dry run: nothing is wrong, and nothing was changed"]
        assert engine.rows("SELECT 1 FROM tocsin.facility") == []
        done = tocsin("import", "--areas", "vietnam", "--by", "Lê An", "--why", "start", *mine, *paths.values())
        assert (done.returncode, done.stderr) == (0, "")
        assert engine.rows("SELECT count(*) AS rows FROM tocsin.area") == [{"rows": 3355}]
        assert engine.rows("SELECT key, facility FROM tocsin.transmitter ORDER BY key") == [
            {"key": "dc09:1", "facility": "VN-1"}, {"key": "dc09:2", "facility": "VN-2"}]
        assert [tuple(row.values()) for row in engine.rows(
            "SELECT kind, by, why FROM tocsin.registry_audit ORDER BY number")] == [
            (kind, "Lê An", "start") for kind in ("area", "facility", "transmitter", "point")]
        keys = KeyStore(engine.data / "data")
        keys.load()
        assert keys.all() == {"dc09:1": bytes.fromhex(SECRET)}
        owner = (engine.data / "data").stat()
        assert ((engine.data / "data" / NAME).stat().st_uid, owner.st_uid) == (owner.st_uid, owner.st_uid)
        again = tocsin("import", "--areas", "vietnam", *mine)
        assert again.stdout == "areas        3,355 rows: 0 added, 0 changed, 0 removed\n"
        replaced = tocsin("import", "--replace", *mine, "--kind", "transmitters", "-", data=b"transmitter\ndc09:2\n")
        assert replaced.stdout == "transmitters 1 rows: 0 added, 0 changed, 1 removed\n"
        assert keys.changed()
        assert keys.reload()
        assert not keys.has("dc09:1")


def test_every_bad_line_and_nothing_changed() -> None:
    with data_directory() as data, serve(data) as engine:
        engine.until_store_up()
        paths = write(data, facilities=FACILITIES.format(commune=99999), transmitters=f"transmitter,key\n"
                      f"dc09:1,{SECRET}0\ndc09:2\ndc09:3,\n")
        for arguments in (("--dry-run",), ()):
            done = tocsin("import", *arguments, "--areas", "vietnam", "--database", engine.database, *paths.values())
            assert done.returncode == 1
            assert done.stdout.splitlines()[-1] == "3 things are wrong; nothing was changed"
            lines = done.stderr.splitlines()
            assert [line.split(": ")[0] for line in lines] == [
                f"{paths['transmitters']}:2", f"{paths['transmitters']}:3", f"{paths['facilities']}:2"]
            assert SECRET not in done.stderr
            assert 'commune = "99999"' in lines[2]
        assert engine.rows("SELECT 1 FROM tocsin.area") == []


def test_what_cannot_be_done(tmp_path: Path) -> None:
    paths = write(tmp_path, facilities=FACILITIES.format(commune=""), transmitters=TRANSMITTERS)
    nowhere = ("--database", "postgresql://tocsin:secret@127.0.0.1:9/none")
    for code, said, *arguments in (
            (2, "nothing to import"), (2, "No such file", *nowhere, str(tmp_path / "none.csv")),
            (2, "Is a directory", *nowhere, str(tmp_path)), (2, "invalid choice", "--kind", "tables", "x"),
            (2, "--why: needed is", "--why", "x" * 201, *nowhere, paths["facilities"]),
            (1, "no engine runs on", "--data", str(tmp_path), paths["facilities"]),
            (1, "tocsin@127.0.0.1", *nowhere, paths["facilities"])):
        done = tocsin("import", *arguments)
        assert (done.returncode, done.stdout) == (code, "")
        assert said in done.stderr
        assert "Traceback" not in done.stderr
        assert "secret@" not in done.stderr

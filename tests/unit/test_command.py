"""The program as a user meets it: help, version, exit codes, no traceback, nothing imported that is not needed."""
import os
import subprocess
import sys
import types
from pathlib import Path

import pytest

from engine import command
from engine.command import COMMANDS, Command, main
from engine.configure import load

CALL = "import sys; from engine.command import main; sys.exit(main())"
ROOT = Path(command.__file__).parents[2]


def tocsin(*arguments: str, stdout: int = subprocess.PIPE, environment: dict[str, str] | None = None,
           call: str = CALL) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("TOCSIN_")}
    return subprocess.run([sys.executable, "-c", call, *arguments], stdout=stdout, stderr=subprocess.PIPE, text=True,
                          cwd=ROOT, env={**clean, **(environment or {})}, timeout=60, check=False)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_with_an_example(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([name, "--help"]) == 0
    text = capsys.readouterr().out
    assert COMMANDS[name].example in text
    assert f"usage: tocsin {name}" in text


def test_help_version_and_what_is_no_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    text = capsys.readouterr().out
    assert all(name in text and entry.does in text for name, entry in COMMANDS.items())
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("tocsin ")
    assert main([]) == 2
    assert main(["nonsense"]) == 2
    assert "nonsense" in capsys.readouterr().err


def test_config_prints_what_serve_takes_and_imports_little(tmp_path: Path) -> None:
    heavy = ["asyncio", "aiohttp", "asyncpg", "uvloop", "hdrh", "cryptography", "loadgen", "engine.pipeline"]
    call = ("import sys; from engine.command import main; code = main(); "
            f"print([m for m in {heavy} if m in sys.modules], file=sys.stderr); sys.exit(code)")
    done = tocsin("config", "--http", "127.0.0.1:1", "--set", "journal.keep=30d", call=call,
                  environment={"TOCSIN_DATA": "/elsewhere"})
    assert (done.returncode, done.stderr.strip()) == (0, "[]")
    file = tmp_path / "printed.toml"
    file.write_text(done.stdout)
    config = load(str(file))
    assert (str(config.http), config.journal.keep_ns, config.data) == ("127.0.0.1:1", 30 * 86400 * 10**9, "/elsewhere")


@pytest.mark.parametrize("name", ["config", "serve"])
def test_a_bad_configuration_is_one_line_and_exit_2(name: str, tmp_path: Path) -> None:
    for arguments in (["--http", "0.0.0.0:1"], ["--set", "journal.keep=soon"], ["--set", "journal.keep"],
                      ["--config", str(tmp_path / "none.toml")]):
        done = tocsin(name, "--data", str(tmp_path / "data"), *arguments)
        assert done.returncode == 2
        assert done.stdout == ""
        assert done.stderr.startswith("tocsin: ") and done.stderr.count("\n") == 1, done.stderr
    assert not (tmp_path / "data").exists()      # nothing was started


def test_a_closed_pipe_is_no_traceback() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    try:
        done = tocsin("config", stdout=writer)
    finally:
        os.close(writer)
    assert (done.returncode, done.stderr) == (141, "")


def test_an_interrupt_is_no_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    def run(args: object) -> int:
        raise KeyboardInterrupt
    module = types.ModuleType("interrupted")
    module.__dict__.update(add_arguments=lambda parser: None, run=run)
    monkeypatch.setitem(sys.modules, "interrupted", module)
    monkeypatch.setitem(COMMANDS, "wait", Command("interrupted", "wait", "tocsin wait"))
    assert main(["wait"]) == 130

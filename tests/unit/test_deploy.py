"""The units of the service manager: directives that it knows, and a command, addresses and names that are ours."""
import argparse
import re
import shlex
from collections import defaultdict
from pathlib import Path

import pytest

from engine.command import serve
from engine.configure import load
from engine.takeover.manager import ALIVE_EVERY_S

DEPLOY = Path(__file__).parents[2] / "deploy"
UNITS = ("tocsin.service", "tocsin.socket")
# Those of systemd.unit(5), .service(5), .exec(5), .resource-control(5), .kill(5) and .socket(5) that are in use here;
# a misspelt directive is nothing but a warning in the manager's log.
KNOWN = {
    "Unit": {"Description", "Documentation", "Requires", "After", "Wants", "StartLimitIntervalSec", "StartLimitBurst"},
    "Service": {
        "Type", "NotifyAccess", "ExecStart", "ExecReload", "Restart", "RestartSec", "RestartPreventExitStatus",
        "TimeoutStartSec", "TimeoutStopSec", "KillMode", "WatchdogSec", "User", "Group", "StateDirectory",
        "StateDirectoryMode", "UMask", "LimitNOFILE", "OOMScoreAdjust", "CapabilityBoundingSet", "AmbientCapabilities",
        "NoNewPrivileges", "ProtectSystem", "ProtectHome", "ProtectClock", "ProtectControlGroups", "ProtectHostname",
        "ProtectKernelLogs", "ProtectKernelModules", "ProtectKernelTunables", "PrivateDevices", "PrivateTmp",
        "LockPersonality", "MemoryDenyWriteExecute", "RestrictAddressFamilies", "RestrictNamespaces",
        "RestrictRealtime", "RestrictSUIDSGID", "RemoveIPC", "SystemCallArchitectures", "SystemCallFilter",
        "SystemCallErrorNumber"},
    "Socket": {"ListenDatagram", "ListenStream", "Backlog", "ReceiveBuffer"},
    "Install": {"WantedBy"},
}
Unit = dict[str, dict[str, list[str]]]


def read(text: str) -> Unit:
    """Return section -> directive -> values. Raises ValueError for a line that is neither, with its number."""
    found: Unit = defaultdict(lambda: defaultdict(list))
    section = ""
    for number, line in enumerate(text.splitlines(), 1):
        if not line or line.startswith("#"):
            continue
        if match := re.fullmatch(r"\[(\w+)\]", line):
            section = match[1]
        elif section and (match := re.fullmatch(r"([A-Za-z]+)=(.*)", line)):
            found[section][match[1]].append(match[2])
        else:
            raise ValueError(f"line {number}: {line}")
    return found


def unknown(unit: Unit) -> list[str]:
    return [f"[{section}] {name}" for section, directives in unit.items() for name in directives
            if name not in KNOWN.get(section, set())]


def unit(name: str) -> Unit:
    return read((DEPLOY / name).read_text())


def arguments(command: str) -> argparse.Namespace:
    """Parse a command as the program does, which exits with 2 for an option that it does not have."""
    program, subcommand, *rest = shlex.split(command)
    assert (Path(program).name, subcommand) == ("tocsin", "serve") and Path(program).is_absolute()
    parser = argparse.ArgumentParser(allow_abbrev=False)
    serve.add_arguments(parser)
    return parser.parse_args(rest)


@pytest.mark.parametrize("name", UNITS)
def test_every_directive_is_known(name):
    assert unknown(unit(name)) == []


def test_the_commands_have_no_option_that_is_not_there():
    service = unit("tocsin.service")["Service"]
    start, change = (arguments(service[name][0]) for name in ("ExecStart", "ExecReload"))
    assert not start.takeover and not start.background
    assert change.takeover and change.background
    assert (start.config, start.data) == (change.config, change.data)
    assert start.data == f"/var/lib/{service['StateDirectory'][0]}", "ProtectSystem=strict lets nothing else be written"


def test_the_sockets_are_those_of_the_defaults():
    """A socket that stands where the configuration wants none is an error at the start."""
    config, sockets = load(None, {}, {}), unit("tocsin.socket")["Socket"]
    [listener] = config.listeners
    assert sockets["ListenDatagram"] == [str(listener.listen)]
    assert sorted(sockets["ListenStream"]) == sorted([str(listener.listen), str(config.http)])
    service = unit("tocsin.service")["Unit"]
    assert "tocsin.socket" in service["Requires"][0] and "tocsin.socket" in service["After"][0]


def test_the_manager_is_told_often_enough_and_by_whom_it_does_not_know_yet():
    service = unit("tocsin.service")["Service"]
    assert service["Type"] == ["notify"] and service["NotifyAccess"] == ["all"]
    assert int(service["WatchdogSec"][0]) > 4 * ALIVE_EVERY_S
    assert "AF_UNIX" in service["RestrictAddressFamilies"][0].split(), "the takeover, PostgreSQL and the manager"
    assert service["RestartPreventExitStatus"] == ["2"]


def test_what_is_misspelt_is_found():
    assert unknown(read("[Service]\nNoNewPriviliges=yes\n\n# a comment\n[Sockets]\nBacklog=1\n")) == [
        "[Service] NoNewPriviliges", "[Sockets] Backlog"]
    for text in ("[Service]\nType notify\n", "Type=notify\n"):
        with pytest.raises(ValueError, match="line"):
            read(text)
    with pytest.raises(SystemExit):
        arguments("/usr/bin/tocsin serve --take-over")

"""The program `tocsin`: finds the subcommand and imports no other.

Every subcommand is a module with `add_arguments(parser)` and `run(args) -> int`. Exit codes: 0 done, 1 not done,
2 usage or configuration, 130 interrupted, 141 nobody reads the output any more.
"""
import argparse
import importlib
import importlib.metadata
import os
import sys
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Command:
    """A subcommand: its module, what it does, an example and its flags' meaning beyond the help of each."""

    module: str
    does: str
    example: str


COMMANDS = {
    "serve": Command("engine.command.serve", "run the engine: receive, journal, judge, store and forward alarms",
                     "tocsin serve --listen 0.0.0.0:10914 --data /var/lib/tocsin"),
    "send": Command("loadgen.send", "send one frame by hand and print the decoded reply",
                    "tocsin send --to 127.0.0.1:10914 --account 1234 --event fire"),
    "decode": Command("engine.command.decode", "decode frames from a file or stdin, one JSON object each",
                      "tocsin decode capture.bin | head"),
    "loadgen": Command("loadgen.command", "simulate a fleet of transmitters, measure, and audit what came out",
                       "tocsin loadgen --transmitters 1000 --rate 1000 --duration 10"),
    "journal": Command("engine.command.journal", "look at a journal: verify it, dump its rows, say what it holds",
                       "tocsin journal verify --data /var/lib/tocsin"),
    "import": Command("engine.command.registry", "put areas, facilities, transmitters and points into the registry",
                      "tocsin import --dry-run facilities.csv transmitters.csv points.csv"),
    "rules": Command("engine.command.rules", "print the rules in words: those in force, or those of a file, checked",
                     "tocsin rules new.toml"),
    "replay": Command("engine.command.replay", "judge kept history by other rules and tell what would differ",
                      "tocsin replay --rules new.toml --since 7d --data /var/lib/tocsin"),
    "figures": Command("engine.command.figures", "availability, line faults and alarms of a period",
                       "tocsin figures --from 2026-01-01 --to 2026-02-01 --level province"),
    "config": Command("engine.command.config", "print the whole configuration, annotated, as TOML for serve --config",
                      "tocsin config > tocsin.toml && tocsin serve --config tocsin.toml"),
}


def main(argv: list[str] | None = None) -> int:
    """Run one subcommand and return the exit code; no traceback for what a user or a closed pipe can cause."""
    argv = sys.argv[1:] if argv is None else argv
    try:
        try:
            code = dispatch(argv)
        finally:
            sys.stdout.flush()           # here, where a closed pipe is still caught
    except SystemExit as exit:           # argparse: 0 after --help, 2 after an error
        return exit.code if isinstance(exit.code, int) else 1
    except BrokenPipeError:
        # Nobody reads any more. What is left in the buffer goes nowhere, so that the interpreter's own flush is quiet.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except KeyboardInterrupt:
        return 130
    return code


def dispatch(argv: list[str]) -> int:
    if not argv or argv[0] not in COMMANDS:
        return without_command(argv)
    command = COMMANDS[argv[0]]
    from engine.config import ConfigError

    module = importlib.import_module(command.module)
    parser = argparse.ArgumentParser(
        prog=f"tocsin {argv[0]}", description=sentence(command.does), epilog=f"example:\n  {command.example}",
        formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False)
    module.add_arguments(parser)
    args = parser.parse_args(argv[1:])
    try:
        code: int = module.run(args)
    except ConfigError as error:
        print(f"tocsin: {error}", file=sys.stderr)
        return 2
    return code


def without_command(argv: list[str]) -> int:
    """Answer --help, --version and what is no command."""
    lines = "\n".join(f"  {name:9}{command.does}" for name, command in COMMANDS.items())
    parser = argparse.ArgumentParser(
        prog="tocsin", description="The receiving engine of a fire-alarm transmission network.",
        usage="tocsin COMMAND ...", formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False,
        epilog=f"commands:\n{lines}\n\nexample:\n  {COMMANDS['serve'].example}\n\n"
               "`tocsin COMMAND --help` tells more.")
    parser.add_argument("--version", action="version", version=f"tocsin {version()}")
    parser.add_argument("command", metavar="COMMAND", choices=list(COMMANDS), nargs="?", help=argparse.SUPPRESS)
    parser.parse_args(argv)
    parser.print_help(sys.stderr)
    return 2


def version() -> str:
    try:
        return importlib.metadata.version("tocsin")
    except importlib.metadata.PackageNotFoundError:
        return "(not installed)"


def sentence(text: str) -> str:
    return text[0].upper() + text[1:] + "."

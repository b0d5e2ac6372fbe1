"""`tocsin serve`: read the configuration, set the log up, hand over to the pipeline."""
import argparse
import os
import subprocess
import sys

from engine.command.logs import set_up
from engine.command.options import add_config_arguments, flags_of
from engine.configure import load


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_config_arguments(parser)
    parser.add_argument("--takeover", action="store_true",
                        help="replace the engine that runs on the same data: prepare everything, take its sockets, let "
                        "it stop, go on where it was. Without such an engine as usual")
    parser.add_argument("--background", action="store_true",
                        help="print the ready line and return, the engine goes on; 1 when it ended before")


def run(args: argparse.Namespace) -> int:
    """Serve until SIGTERM or SIGINT; 0 after an orderly stop. Raises ConfigError before anything was started."""
    config = load(args.config, os.environ, flags_of(args))
    if args.background:
        return run_behind()
    from engine.listen.inherited import all_wanted, from_environment

    inherited = from_environment(os.environ, os.getpid())
    all_wanted(inherited, config)
    set_up(config.log)
    from engine import serving  # uvloop, asyncpg and aiohttp: not before the configuration is known to be good
    from engine.takeover.manager import Manager

    return serving.run(config, serving.Start(inherited, args.takeover, Manager.from_environment(os.environ)))


def run_behind() -> int:
    """Run the same command without --background in a process of its own, and return when that is ready or has ended.

    It is not our child but the init system's (the process in between ends at once), so that this one sees its end.
    """
    reading, writing = os.pipe()
    if os.fork() == 0:
        arguments = [one for one in sys.argv[1:] if one != "--background"]
        subprocess.Popen([sys.executable, "-m", "engine", *arguments], stdin=subprocess.DEVNULL, stdout=writing,
                         start_new_session=True)
        os._exit(0)
    os.close(writing)
    os.wait()
    with open(reading, encoding="utf-8") as said:
        line = said.readline()
    print(line, end="")
    return 0 if line.startswith("ready ") else 1

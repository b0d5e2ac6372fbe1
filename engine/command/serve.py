"""`tocsin serve`: read the configuration, set the log up, hand over to the pipeline."""
import argparse
import os

from engine.command.logs import set_up
from engine.command.options import add_config_arguments, flags_of
from engine.configure import load


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_config_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Serve until SIGTERM or SIGINT; 0 after an orderly stop. Raises ConfigError before anything was started."""
    config = load(args.config, os.environ, flags_of(args))
    set_up(config.log)
    from engine import pipeline  # uvloop, asyncpg and aiohttp: not before the configuration is known to be good

    return pipeline.run(config)

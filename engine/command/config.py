"""`tocsin config`: print the whole configuration, annotated, as TOML that `tocsin serve --config` takes."""
import argparse
import os
import sys

from engine.command.options import add_config_arguments, flags_of
from engine.configure import load, render


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_config_arguments(parser)


def run(args: argparse.Namespace) -> int:
    sys.stdout.write(render(load(args.config, os.environ, flags_of(args))))
    return 0

"""`python -m loadgen` and `python -m loadgen send`: the two commands without the rest of the program."""

import argparse
import sys

from loadgen import command, send


def main(arguments: list[str]) -> int:
    """Run one of the two commands; return its exit code."""
    parser = argparse.ArgumentParser(prog="loadgen")
    if arguments[:1] == ["send"]:
        send.add_arguments(parser)
        return send.run(parser.parse_args(arguments[1:]))
    command.add_arguments(parser)
    return command.run(parser.parse_args(arguments))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

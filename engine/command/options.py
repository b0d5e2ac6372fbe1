"""The flags that `serve` and `config` share, and how they become settings."""
import argparse

from engine.config import ConfigError
from engine.configure import FLAGS


def add_config_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--config", metavar="FILE", help="TOML file; `tocsin config` prints one")
    parser.add_argument("--listen", metavar="HOST:PORT", help="where transmitters call, TCP and UDP (127.0.0.1:10914)")
    parser.add_argument("--http", metavar="HOST:PORT", help="metrics, health, API and stream (127.0.0.1:8914)")
    parser.add_argument("--data", metavar="DIR", help="journal, keys, embedded database (./tocsin-data)")
    parser.add_argument("--database", metavar="URL", help="postgresql://...; without it PostgreSQL is embedded")
    parser.add_argument("--set", metavar="KEY=VALUE", action="append", default=[],
                        help="any other setting, for example journal.keep=30d; may be given many times")


def flags_of(args: argparse.Namespace) -> dict[str, str]:
    """Return dotted key -> text of what was given. Raises ConfigError."""
    flags: dict[str, str] = {name: value for name in FLAGS if (value := getattr(args, name)) is not None}
    for pair in args.set:
        key, equals, value = pair.partition("=")
        if not equals:
            raise ConfigError(f"--set = {pair!r}: allowed is KEY=VALUE")
        flags[key.strip()] = value.strip()
    return flags

"""What a setting may be: each kind reads the value that TOML gives, writes it back, and says what is allowed.

A setting is the metadata of a dataclass field; `engine.config` is made of these, `engine.configure` reads them.
A field that holds a duration ends in `_ns`; its key in the file does not.
"""
import dataclasses
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from engine import units


@dataclass(frozen=True, slots=True)
class Setting:
    """One key of the configuration.

    read      from what TOML gave to what the field holds; raises ValueError
    write     from what the field holds to what TOML would give
    plain     the type in TOML: texts from the environment and from flags are turned into it first
    allowed   ends the sentence "allowed is ..."
    why       one line for whoever reads the file
    key       the name in the file; empty: the field's name, without the `_ns` of a duration
    secret    never printed, neither by `tocsin config` nor by repr()
    """

    read: Callable[[Any], Any]
    write: Callable[[Any], Any]
    plain: type
    allowed: str
    why: str
    key: str = ""
    secret: bool = False


def setting(default: Any, of: Setting) -> Any:
    """Make the dataclass field; the default goes through the same door as every other value."""
    return dataclasses.field(default=of.read(default), metadata={"setting": of}, repr=not of.secret)


def same(value: Any) -> Any:
    return value


def within(low: int | float, high: int | float, read: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Let `read` pass only what lies in low..high."""
    def read_within(value: Any) -> Any:
        number = read(value)
        if not low <= number <= high:
            raise ValueError(value)
        return number
    return read_within


def of_type(*types: type) -> Callable[[Any], Any]:
    def read(value: Any) -> Any:
        if type(value) not in types:     # a bool is no int here
            raise ValueError(value)
        return value
    return read


def quoted(read: Callable[[str], Any]) -> Callable[[Any], Any]:
    def read_text(value: Any) -> Any:
        if type(value) is not str:
            raise ValueError(value)
        return read(value)
    return read_text


def whole(default: int, low: int, high: int, unit: str, why: str) -> Any:
    """A whole number of `unit`."""
    return setting(default, Setting(within(low, high, of_type(int)), same, int,
                                    f"a whole number of {unit} from {low} to {high}", why))


def share(default: float, low: float, high: float, why: str) -> Any:
    return setting(default, Setting(within(low, high, of_type(int, float)), same, float,
                                    f"a share from {low} to {high}", why))


def switch(default: bool, why: str) -> Any:
    return setting(default, Setting(of_type(bool), same, bool, "true or false", why))


def choice(default: str, options: tuple[str, ...], why: str) -> Any:
    def read(value: Any) -> Any:
        if value not in options:
            raise ValueError(value)
        return value
    return setting(default, Setting(read, same, str, "one of " + ", ".join(map(json.dumps, options)), why))


def duration(default: str, low: str, high: str, why: str) -> Any:
    """A duration; the field holds ns."""
    read = within(units.read_duration_ns(low), units.read_duration_ns(high), quoted(units.read_duration_ns))
    return setting(default, Setting(read, units.write_duration, str, f'a duration from "{low}" to "{high}"', why))


def size(default: str, low: str, high: str, why: str, key: str = "") -> Any:
    """A size; the field holds bytes."""
    read = within(units.read_size(low), units.read_size(high), quoted(units.read_size))
    return setting(default, Setting(read, units.write_size, str, f'a size from "{low}" to "{high}"', why, key))


def address(default: str, why: str) -> Any:
    """HOST:PORT; the field holds a units.Address."""
    return setting(default, Setting(quoted(units.read_address), str, str, "HOST:PORT", why))


def text(default: str, read: Callable[[str], Any], allowed: str, why: str, *,
         write: Callable[[Any], Any] = same, secret: bool = False) -> Any:
    """Anything written as a text; `read` raises ValueError on what is not allowed."""
    return setting(default, Setting(quoted(read), write, str, allowed, why, secret=secret))

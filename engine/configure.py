"""From file, environment and flags to a Config, and from a Config to the annotated file.

A flag beats the environment, the environment the file, the file the default. `[journal] bytes_max` is
`TOCSIN_JOURNAL_BYTES_MAX` in the environment and `journal.bytes_max` for `--set`. Unknown keys are errors everywhere.
TOML cannot have both a key and a section `listen`: the flag `--listen` is `[listen] address` in the file; a file
without that section may also say `listen = "HOST:PORT"` at its top.
"""
import dataclasses
import difflib
import json
import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from engine.config import KEY_ALLOWED, Config, ConfigError, HttpToken, Listener, Transmitter, check, read_key
from engine.setting import Setting

PREFIX = "TOCSIN_"
FLAGS = {"listen": "listen.address", "http": "http", "data": "data", "database": "database"}
FILE_VARIABLE = "TOCSIN_CONFIG"
# What Kubernetes puts into every container beside a service named `tocsin`; not meant for us.
FOREIGN_VARIABLE = re.compile(r"TOCSIN_(SERVICE_|PORT$|PORT_[0-9]+_)")
HIDDEN_KEY = "not shown"         # no hex digits: a printed file without its key is refused, not run in the clear


def load(file: str | None = None, environment: Mapping[str, str] | None = None,
         flags: Mapping[str, str] | None = None) -> Config:
    """Read everything and check it.

    file         TOML; None: the one that TOCSIN_CONFIG names, or none
    environment  variables that begin with TOCSIN_ count
    flags        dotted key -> text; the names in FLAGS are dotted keys too
    Raises       ConfigError
    """
    environment = environment or {}
    file = file or environment.get(FILE_VARIABLE) or None
    given = read_file(file) if file else {}
    explicit = put_texts(given, environment, flags or {})
    config: Config = build(Config, given, "", file or "")
    config = dataclasses.replace(config, listeners=listeners(config, explicit or "address" in given.get("listen", {})))
    check(config)
    return config


def read_file(file: str) -> dict[str, Any]:
    try:
        given = tomllib.loads(Path(file).read_text("utf-8"))
    except OSError as error:
        raise ConfigError(f"config = {file!r}: {error.strerror}; allowed is a readable TOML file") from None
    except ValueError as error:          # TOML and UTF-8 errors are of this family
        raise ConfigError(f"config = {file!r}: {one_line(error)}; allowed is TOML in UTF-8") from None
    if isinstance(given.get("listen"), str):
        given["listen"] = {"address": given["listen"]}
    return given


def put_texts(given: dict[str, Any], environment: Mapping[str, str], flags: Mapping[str, str]) -> bool:
    """Lay environment and flags over what the file gave; return whether one of them is the address to listen on."""
    known = dict(settings())
    by_variable = {PREFIX + dotted.replace(".", "_").upper(): dotted for dotted in known}
    by_variable |= {PREFIX + flag.upper(): dotted for flag, dotted in FLAGS.items()}
    texts: list[tuple[str, str, str]] = []
    for name, text in sorted(environment.items()):
        if name in by_variable:
            texts.append((by_variable[name], text, name))
        elif name.startswith(PREFIX) and name != FILE_VARIABLE and not FOREIGN_VARIABLE.match(name):
            raise ConfigError(unknown(name, list(by_variable), "environment"))
    for name, text in flags.items():
        dotted = FLAGS.get(name, name)
        if dotted not in known:
            raise ConfigError(unknown(name, list(known), "flag"))
        texts.append((dotted, text, "flag"))
    for dotted, text, source in texts:
        value = from_text(known[dotted], dotted, text, source)
        section, _, key = dotted.rpartition(".")
        place = given.setdefault(section, {}) if section else given
        if not isinstance(place, dict):
            raise ConfigError(f"{section} = {shown(place)}: allowed is a section")
        place[key] = value
    return any(dotted == "listen.address" for dotted, _, _ in texts)


def from_text(setting: Setting, dotted: str, text: str, source: str) -> Any:
    """Turn the text of a flag or variable into what TOML would have given, and try it: errors name the source."""
    try:
        if setting.plain is bool:
            value: Any = {"true": True, "false": False}[text.lower()]
        else:
            value = setting.plain(text)
        setting.read(value)
    except (ValueError, KeyError):
        raise wrong(setting, dotted, text, source) from None
    return value


def build(kind: type, given: Any, prefix: str, source: str) -> Any:
    """Make one dataclass out of a TOML table; `prefix` is its dotted name with a dot at the end."""
    if not isinstance(given, dict):
        raise ConfigError(f"{prefix[:-1]} = {shown(given)}: allowed is a section")
    fields = {key_of(field): field for field in dataclasses.fields(kind)}
    values: dict[str, Any] = {}
    for key, value in given.items():
        if key not in fields:
            raise ConfigError(unknown(prefix + key, [prefix + known for known in fields], source))
        field = fields[key]
        if "section" in field.metadata:
            values[field.name] = build(field.metadata["section"], value, f"{key}.", source)
        elif "table" in field.metadata:
            values[field.name] = build_table(field.metadata["table"], value, key, given, source)
        else:
            setting: Setting = field.metadata["setting"]
            try:
                values[field.name] = setting.read(value)
            except (ValueError, TypeError):
                raise wrong(setting, prefix + key, value, source) from None
    return kind(**values)


def build_table(kind: type, given: Any, key: str, whole: dict[str, Any], source: str) -> tuple[Any, ...]:
    if not isinstance(given, list) or not all(isinstance(entry, dict) for entry in given):
        raise ConfigError(f"{key} = {shown(given)}: allowed is [[{key}]], any number of times")
    entries = []
    for number, entry in enumerate(given):
        prefix = f"{key}[{number}]."
        if kind is Listener and "listen" not in entry and "address" in whole.get("listen", {}):
            entry = {**entry, "listen": whole["listen"]["address"]}
        built = build(kind, entry, prefix, source)
        if kind is Transmitter:
            built = with_key(built, entry, prefix)
        elif kind is HttpToken:
            needed(entry, "file", prefix)
            read_secret(built.file, prefix + "file")
        entries.append(built)
    return tuple(entries)


def with_key(transmitter: Transmitter, entry: dict[str, Any], prefix: str) -> Transmitter:
    """Read the key from its file, where one is named."""
    needed(entry, "account", prefix)
    if not transmitter.key_file:
        return transmitter
    if transmitter.key:
        raise ConfigError(f"{prefix}key_file = {transmitter.key_file!r}: allowed is either key or key_file")
    try:
        key = read_key(read_secret(transmitter.key_file, prefix + "key_file"))
    except ValueError:
        key = b""
    if not key:
        raise ConfigError(f"{prefix}key_file = {transmitter.key_file!r}: allowed in it are {KEY_ALLOWED}")
    return dataclasses.replace(transmitter, key=key)


def read_secret(file: str, name: str) -> str:
    try:
        secret = Path(file).read_text("utf-8").partition("\n")[0].strip()
    except (OSError, ValueError):
        secret = ""
    if not secret:
        raise ConfigError(f"{name} = {file!r}: allowed is a readable file that is not empty")
    return secret


def needed(entry: dict[str, Any], key: str, prefix: str) -> None:
    if key not in entry:
        raise ConfigError(f"{prefix}{key} is missing: allowed is no entry without it")


def listeners(config: Config, explicit: bool) -> tuple[Listener, ...]:
    """The listener `default` stands at listen.address: always if somebody set that, else if there is no other."""
    default = Listener(listen=config.listen.address)
    if not config.listeners:
        return (default,)
    if not explicit:
        return config.listeners
    if any(listener.name == default.name for listener in config.listeners):
        return tuple(dataclasses.replace(listener, listen=default.listen) if listener.name == default.name else listener
                     for listener in config.listeners)
    if any(listener.listen == default.listen for listener in config.listeners):
        return config.listeners          # one with another name already stands there
    return (*config.listeners, default)


def settings() -> Iterator[tuple[str, Setting]]:
    """Every dotted key that stands in no [[table]], with its setting."""
    for field in dataclasses.fields(Config):
        if "section" in field.metadata:
            for inner in dataclasses.fields(field.metadata["section"]):
                yield f"{key_of(field)}.{key_of(inner)}", inner.metadata["setting"]
        elif "setting" in field.metadata:
            yield key_of(field), field.metadata["setting"]


def key_of(field: dataclasses.Field[Any]) -> str:
    setting: Setting | None = field.metadata.get("setting")
    if setting is None:
        return str(field.metadata.get("key", field.name))
    return setting.key or field.name.removesuffix("_ns")


# -- errors: one line each ---------------------------------------------------------------------------------------


def wrong(setting: Setting, name: str, value: Any, source: str) -> ConfigError:
    value_shown = "(not shown)" if setting.secret else shown(value)
    return ConfigError(f"{name} = {value_shown}{f' ({source})' if source else ''}: allowed is {setting.allowed}")


def unknown(name: str, known: list[str], source: str) -> str:
    near = difflib.get_close_matches(name, known, 1)
    allowed = f"did you mean {near[0]}?" if near else "allowed is what `tocsin config` prints"
    return f"{name} is no key{f' ({source})' if source else ''}: {allowed}"


def shown(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=True, default=str)     # one line, whatever is in it
    return text if len(text) <= 80 else text[:77] + "..."


def one_line(error: Exception) -> str:
    return " ".join(str(error).split())


# -- the annotated file ------------------------------------------------------------------------------------------


def render(config: Config) -> str:
    """Return the whole configuration as TOML with comments; load() of it gives the same, but for secrets.

    A key is replaced by a text that load() refuses, a password in the database's URL is left out: a file made of
    this output never runs with less protection than the configuration it came from.
    """
    out = ["# Tocsin. A flag beats the environment (TOCSIN_SECTION_KEY), that beats this file, this file the default.",
           "# Durations: a number and ms, s, m, h or d. Sizes: a number and B, KiB, MiB, GiB or TiB."]
    fields = dataclasses.fields(Config)
    for field in fields:
        if "setting" in field.metadata:
            out += render_setting(field, getattr(config, field.name), field.metadata["setting"])
    for field in fields:
        if "section" in field.metadata:
            out += ["", *heading(field.metadata["section"]), f"[{field.name}]"]
            values = getattr(config, field.name)
            for inner in dataclasses.fields(values):
                lines = render_setting(inner, getattr(values, inner.name), inner.metadata["setting"])
                if (field.name, inner.name) == ("listen", "address") and listeners(config, True) != config.listeners:
                    lines[-1] = "# " + lines[-1]         # set, it would change the listeners
                out += lines
    for field in fields:
        if "table" in field.metadata:
            out += ["", *heading(field.metadata["table"])]
            for entry in getattr(config, field.name):
                out += render_entry(field, entry)
    return "\n".join(out) + "\n"


def heading(kind: type) -> list[str]:
    return ["# " + " ".join((kind.__doc__ or "").split())]


def render_setting(field: dataclasses.Field[Any], value: Any, setting: Setting) -> list[str]:
    default = literal(setting.write(field.default))
    return ["", f"# {setting.why}", f"# {setting.allowed}; default {default}",
            f"{key_of(field)} = {literal(open_form(field, value, setting))}"]


def render_entry(field: dataclasses.Field[Any], entry: Any) -> list[str]:
    lines = [f"[[{key_of(field)}]]"]
    for inner in dataclasses.fields(entry):
        setting: Setting = inner.metadata["setting"]
        value = getattr(entry, inner.name)
        if inner.name == "key":
            if value and not entry.key_file:
                lines.append(f"key = {literal(HIDDEN_KEY)}   # put it in again, or better name a key_file")
        elif value != "":
            lines.append(f"{key_of(inner)} = {literal(setting.write(value))}   # {setting.why}")
    return lines


def open_form(field: dataclasses.Field[Any], value: Any, setting: Setting) -> Any:
    """What may be printed of a value; of all secrets only the database's URL has a part that may."""
    if not setting.secret:
        return setting.write(value)
    return without_password(value)


def without_password(url: str) -> str:
    """Return a database's URL as it may be shown."""
    return re.sub(r"(//[^/@:]*):[^/@]*@", r"\1@", re.sub(r"([?&](ssl)?password=)[^&]*", r"\1", url))


def literal(value: Any) -> str:
    """A TOML literal; JSON's are the same for what settings hold, but for DEL."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007F")

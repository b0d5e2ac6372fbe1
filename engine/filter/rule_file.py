"""The rules that people write: from a TOML file to a Rulebook, to the JSON that the journal keeps, and back.

A rule says which alarms it is for and what verifies them; the first rule that fits an alarm decides. The last rule fits
every alarm, so that none is without one. No rule holds an alarm back: rules label, verify and rank. The shipped file,
`default_rules.toml`, shows every key; docs/rules.md explains them.

`version` names what the file says: other rules need another number (`clash`). What the configuration says and the
filter needs as well (accept_within_ns, security, medical) travels along in the JSON; it is no part of the version.
"""
import dataclasses
import difflib
import hashlib
import json
import re
import tomllib
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from codec.words import CONDITION_TEXT
from engine import setting
from engine.config import ConfigError
from engine.configure import one_line, shown, wrong
from engine.setting import Setting, choice, duration, text, whole
from engine.words import KIND_TEXT, WAY_TEXT

RULES_MAX = 64
AREAS_MAX = 8
FIRST_RULE = 100                 # verdict rule number of the first rule of a book; below stand the engine's own
CLASSES = ("fire", "gas", "prealarm")
VERIFIED = ("at_once", "none", "coincidence", "human", "as_facility")
SECONDS = ("another_detector", "another_zone", "repetition")
BY_COINCIDENCE = ("coincidence", "as_facility")      # what these two need to know: by what, and within what time
FACILITY_WAYS = tuple(word for word in WAY_TEXT.values() if word in ("rules", "none", "coincidence", "human"))
AREA = re.compile(r"[0-9A-Za-z_.-]{1,31}")
CONFIGURED = ("accept_within", "security", "medical")    # keys of the JSON that no file has


def read_name(value: str) -> str:
    if re.fullmatch(r"[a-z0-9][a-z0-9_-]{0,30}", value) is None:
        raise ValueError(value)
    return value


def words(key: str, options: tuple[str, ...], allowed: str, why: str) -> Any:
    """A list of some of `options`; the field holds them in the order of the options, () stands for a key left out."""
    def read(value: Any) -> tuple[str, ...]:
        if type(value) is not list or not value or len(set(map(str, value))) != len(value):
            raise ValueError(value)
        if any(word not in options for word in value):
            raise ValueError(value)
        return tuple(word for word in options if word in value)
    return dataclasses.field(default=(), metadata={
        "setting": Setting(read, list, list, allowed, why, key), "options": options})


def codes(key: str, why: str) -> Any:
    """A list of area codes; the field holds them sorted."""
    def read(value: Any) -> tuple[str, ...]:
        if type(value) is not list or not 1 <= len(value) <= AREAS_MAX or len(set(map(str, value))) != len(value):
            raise ValueError(value)
        if not all(type(code) is str and AREA.fullmatch(code) for code in value):
            raise ValueError(value)
        return tuple(sorted(value))
    allowed = f"a list of 1 to {AREAS_MAX} codes in quotes, each of at most 31 letters, digits, _ . or -"
    return dataclasses.field(default=(), metadata={"setting": Setting(read, list, list, allowed, why, key)})


def called(key: str, field: Any) -> Any:
    """Give a field another key in the file."""
    renamed = dataclasses.replace(field.metadata["setting"], key=key)
    return dataclasses.field(default=field.default, metadata={"setting": renamed})


def part(default: float, why: str) -> Any:
    """A share; the field holds a float, so that 1 and 1.0 are the same rules."""
    of = setting.share(default, 0.0, 1.0, why).metadata["setting"]
    return setting.setting(default, dataclasses.replace(of, read=lambda value: float(of.read(value))))


def without_default(field: Any) -> Any:
    """Let a duration that is left out be 0 ns."""
    return dataclasses.field(default=0, metadata=field.metadata)


def quoted(options: tuple[str, ...]) -> str:
    return "a list of some of " + ", ".join(map(json.dumps, options))


@dataclass(frozen=True, slots=True)
class WrittenRule:
    """One rule: which alarms it is for (a key left out asks nothing), and what verifies them."""

    name: str = text("x", read_name, "1 to 31 of a-z 0-9 _ - in quotes, a letter or digit first",
                     "how verdicts call the rule")
    classes: tuple[str, ...] = words("class", CLASSES, quoted(CLASSES), "what kind of alarm")
    conditions: tuple[str, ...] = words(
        "condition", tuple(CONDITION_TEXT.values()),
        'a list of conditions, such as "smoke" or "manual_call_point"', "what the detector found, or is")
    kinds: tuple[str, ...] = words("facility_kind", tuple(KIND_TEXT.values()), quoted(tuple(KIND_TEXT.values())),
                                   "what the building is for; a building that nobody registered has no kind")
    ways: tuple[str, ...] = words("facility_verification", FACILITY_WAYS, quoted(FACILITY_WAYS),
                                  "what the registry says of the building; rules: it leaves it to the rules")
    areas: tuple[str, ...] = codes("area", "codes of provinces, communes or team stations; one that fits is enough")
    verified: str = choice("none", VERIFIED, "what confirms the alarm; as_facility: what the registry says")
    seconds: tuple[str, ...] = words("by", SECONDS, quoted(SECONDS), "with coincidence: the second sign that counts")
    within_ns: int = without_default(duration(
        "10m", "1s", "1d", "with coincidence: how long after the first sign the second counts"))
    priority: int = whole(0, -5, 5, "steps", "added to the place in the queue; below 0 is more urgent")


@dataclass(frozen=True, slots=True)
class Chatter:
    """A detector that comes and goes."""

    times: int = whole(3, 2, 1000, "times", "raised so often, a point chatters; the first of its alarms always goes")
    within_ns: int = duration("10m", "1s", "1d", "counted over this time")
    priority: int = whole(1, -5, 5, "steps", "added to the place in the queue of what a chattering point says")


@dataclass(frozen=True, slots=True)
class Cancel:
    """A hand at the panel."""

    within_ns: int = duration("5m", "1s", "1d", "how long after an alarm a cancel or abort is told with it")


@dataclass(frozen=True, slots=True)
class MassLoss:
    """Many transmitters of one network or area that fall silent together."""

    members: int = whole(20, 2, 10_000_000, "transmitters", "so many must be lost")
    share: float = part(0.3, "and so great a part of those in the network or area")
    within_ns: int = duration("60s", "1s", "1h", "within this time")
    settle_ns: int = duration("500ms", "0ms", "60s", "after which the one event is told, so that it counts the most")
    restored_share: float = called("restored", part(0.1, "over when the part that is lost falls below"))


SECTIONS: dict[str, type] = {"chatter": Chatter, "cancel": Cancel, "mass_loss": MassLoss}
VERSION: Setting = whole(1, 1, 2**31 - 1, "the rules", "one more with every change").metadata["setting"]


@dataclass(frozen=True, slots=True)
class Rulebook:
    """Everything that is judged by.

    version           of what the file says
    rules             in the order in which they are tried
    accept_within_ns  from the configuration: after that time a fire that nobody accepted is told again; 0: never
    security          from the configuration: whether security signals make alarms; `medical` likewise
    """

    version: int
    rules: tuple[WrittenRule, ...]
    chatter: Chatter = Chatter()
    cancel: Cancel = Cancel()
    mass_loss: MassLoss = MassLoss()
    accept_within_ns: int = 0
    security: bool = False
    medical: bool = False

    @staticmethod
    def read(toml_text: str, source: str = "") -> "Rulebook":
        """Read a file's text; `source` is what errors call it. Raises ConfigError."""
        try:
            given = tomllib.loads(toml_text)
        except (ValueError, RecursionError) as error:
            raise ConfigError(f"{source or 'rules'}: {one_line(error)}; allowed is TOML in UTF-8") from None
        return read_book(given, source)

    @staticmethod
    def from_json(json_text: str) -> "Rulebook":
        """Read what to_json gave. Raises ConfigError."""
        try:
            given = json.loads(json_text)
        except (ValueError, RecursionError) as error:
            raise ConfigError(f"rules = {shown(json_text)}: {one_line(error)}; allowed is JSON") from None
        if type(given) is not dict:
            raise ConfigError(f"rules = {shown(given)}: allowed is an object")
        configured = {key: given.pop(key, None) for key in CONFIGURED}
        book = read_book(given, "")
        for key, kind in (("accept_within", int), ("security", bool), ("medical", bool)):
            if type(configured[key]) is not kind or kind is int and not 0 <= configured[key] < 2**63:
                raise ConfigError(f"{key} = {shown(configured[key])}: allowed is what the engine wrote")
        return dataclasses.replace(book, accept_within_ns=configured["accept_within"],
                                   security=configured["security"], medical=configured["medical"])

    def to_json(self) -> str:
        """Return the whole book as one line of ASCII; equal books give equal texts."""
        return canonical(written(self) | {"accept_within": self.accept_within_ns, "security": self.security,
                                          "medical": self.medical})

    @property
    def digest(self) -> str:
        """16 hex digits over what a file can say: what one version stands for."""
        return hashlib.sha256(canonical(written(self)).encode()).hexdigest()[:16]

    def rule_name(self, number: int) -> str:
        """Return the name of a rule by the number that verdicts have; empty for those that are not of this book."""
        index = number - FIRST_RULE
        return self.rules[index].name if 0 <= index < len(self.rules) else ""


def clash(in_force: Rulebook | None, coming: Rulebook) -> str:
    """Return what is wrong with `coming` after `in_force`, empty when nothing is: one version, two different books."""
    if in_force is None or in_force.version != coming.version or in_force.digest == coming.digest:
        return ""
    return (f"version = {coming.version}: allowed is another number than that of the rules in force, which say "
            f"something else under it ({in_force.digest}, these {coming.digest})")


def default_rulebook() -> Rulebook:
    """Return the rules that ship with the engine."""
    return Rulebook.read(default_text(), "default_rules.toml")


def default_text() -> str:
    return resources.files("engine.filter").joinpath("default_rules.toml").read_text("utf-8")


def read_file(file: str) -> Rulebook:
    """Return the rules in a file. Raises ConfigError."""
    try:
        content = Path(file).read_text("utf-8")
    except OSError as error:
        raise ConfigError(f"{file}: {error.strerror}; allowed is a readable TOML file") from None
    except ValueError as error:
        raise ConfigError(f"{file}: {one_line(error)}; allowed is TOML in UTF-8") from None
    return Rulebook.read(content, file)


# -- reading -----------------------------------------------------------------------------------------------------


def read_book(given: dict[str, Any], source: str) -> Rulebook:
    unknown_keys(given, ["version", "rule", *SECTIONS], "", source)
    if "version" not in given:
        raise ConfigError(f"version is missing{place(source)}: allowed are no rules without it")
    values: dict[str, Any] = {"version": read_value(VERSION, "version", given["version"], source)}
    for key, kind in SECTIONS.items():
        values[key] = read_fields(kind, given.get(key, {}), f"{key}.", source)
    loss = values["mass_loss"]
    if loss.restored_share > loss.share:
        raise ConfigError(f"mass_loss.restored = {loss.restored_share}{place(source)}: allowed is at most "
                          f"mass_loss.share ({loss.share})")
    return Rulebook(rules=read_rules(given.get("rule", []), source), **values)


def read_rules(given: Any, source: str) -> tuple[WrittenRule, ...]:
    if type(given) is not list or not all(type(entry) is dict for entry in given):
        raise ConfigError(f"rule = {shown(given)}{place(source)}: allowed is [[rule]], 1 to {RULES_MAX} times")
    if not 1 <= len(given) <= RULES_MAX:
        raise ConfigError(f"rule: there are {len(given)}{place(source)}: allowed is [[rule]], 1 to {RULES_MAX} times")
    rules: list[WrittenRule] = []
    for number, entry in enumerate(given):
        name = entry.get("name")
        where = ", ".join(([f"rule {name}"] if type(name) is str and AREA.fullmatch(name) else [])
                          + ([source] if source else []))
        rule: WrittenRule = read_fields(WrittenRule, entry, f"rule[{number}].", where)
        check_rule(rule, entry, f"rule[{number}].", where)
        for earlier in rules:
            if earlier.name == rule.name:
                raise ConfigError(f"rule[{number}].name = {shown(rule.name)}{place(source)}: allowed is a name that no "
                                  "other rule has")
            if covers(earlier, rule):
                raise ConfigError(f"rule[{number}]{place(where)} is never reached, as rule {earlier.name} before it "
                                  "fits all that it fits: allowed is the narrower rule first")
        rules.append(rule)
    if narrows(rules[-1]):
        raise ConfigError(f"rule[{len(rules) - 1}].{key_of(narrows(rules[-1])[0])}{place(where)}: allowed is a last "
                          "rule that fits every alarm, without class, condition, facility_kind, "
                          "facility_verification and area")
    return tuple(rules)


def check_rule(rule: WrittenRule, entry: dict[str, Any], prefix: str, source: str) -> None:
    """Hold the keys of a rule against each other."""
    for key in ("name", "verified"):
        if key not in entry:
            raise ConfigError(f"{prefix}{key} is missing{place(source)}: allowed is no rule without it")
    for key in ("by", "within"):
        if rule.verified in BY_COINCIDENCE and key not in entry:
            raise ConfigError(f"{prefix}{key} is missing{place(source)}: allowed is no rule with verified = "
                              f"{shown(rule.verified)} without it")
        if rule.verified not in BY_COINCIDENCE and key in entry:
            raise ConfigError(f"{prefix}{key} = {shown(entry[key])}{place(source)}: allowed only with verified = "
                              '"coincidence" or "as_facility"')


def narrows(rule: WrittenRule) -> list[dataclasses.Field[Any]]:
    """Return the fields by which a rule leaves something out."""
    asked = ("classes", "conditions", "kinds", "ways", "areas")
    return [field for field in dataclasses.fields(rule) if field.name in asked and getattr(rule, field.name)
            and not (field.name == "classes" and rule.classes == CLASSES)]


def covers(earlier: WrittenRule, later: WrittenRule) -> bool:
    """Tell whether a rule fits all that a later one fits, as far as their own words show."""
    return all(set(getattr(later, field.name) or (CLASSES if field.name == "classes" else (None,)))
               <= set(getattr(earlier, field.name)) for field in narrows(earlier))


def read_fields(kind: type, given: Any, prefix: str, source: str) -> Any:
    """Make one dataclass out of a table; `prefix` is its dotted name with a dot at the end."""
    if type(given) is not dict:
        raise ConfigError(f"{prefix[:-1]} = {shown(given)}{place(source)}: allowed is a section")
    fields = {key_of(field): field for field in dataclasses.fields(kind)}
    unknown_keys(given, list(fields), prefix, source)
    return kind(**{fields[key].name: read_value(fields[key].metadata["setting"], prefix + key, value, source,
                                                fields[key].metadata.get("options", ()))
                   for key, value in given.items()})


def read_value(of: Setting, name: str, value: Any, source: str, options: tuple[str, ...] = ()) -> Any:
    try:
        return of.read(value)
    except (ValueError, TypeError, OverflowError):
        hint = near_word(value, options)
        raise ConfigError(f"{wrong(of, name, value, source)}{hint}") from None


def near_word(value: Any, options: tuple[str, ...]) -> str:
    """Return the end of an error: which word of a list is wrong, and which may have been meant."""
    if type(value) is not list or not options:
        return ""
    for word in value:
        if word not in options:
            near = difflib.get_close_matches(str(word), options, 1)
            return f"; {shown(word)} is none" + (f": did you mean {near[0]}?" if near else "")
    return ""


def unknown_keys(given: dict[str, Any], known: list[str], prefix: str, source: str) -> None:
    for key in given:
        if key not in known:
            near = difflib.get_close_matches(key, known, 1)
            raise ConfigError(f"{printable(prefix + key)} is no key{place(source)}: " + (
                f"did you mean {prefix}{near[0]}?" if near else "allowed are " + ", ".join(known)))


def printable(key: str) -> str:
    return key if re.fullmatch(r"[\w.\[\]-]{1,80}", key) else shown(key)


def place(source: str) -> str:
    return f" ({source})" if source else ""


def key_of(field: dataclasses.Field[Any]) -> str:
    return field.metadata["setting"].key or field.name.removesuffix("_ns")


# -- writing -----------------------------------------------------------------------------------------------------


def written(book: Rulebook) -> dict[str, Any]:
    """Return a book as TOML would give it, without what is left out."""
    out: dict[str, Any] = {key: fields_of(getattr(book, key), always=True) for key in SECTIONS}
    return out | {"version": book.version, "rule": [fields_of(rule) for rule in book.rules]}


def fields_of(entry: Any, always: bool = False) -> dict[str, Any]:
    return {key_of(field): field.metadata["setting"].write(getattr(entry, field.name))
            for field in dataclasses.fields(entry)
            if always or field.name == "verified" or getattr(entry, field.name) != field.default}


def canonical(value: Any) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True)

"""`tocsin rules`: the rules by which alarms are judged, in words; those in force, or those of a file, checked."""
import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

from engine.config import ConfigError
from engine.filter.rule_file import CLASSES, Rulebook, WrittenRule, clash, default_rulebook, default_text, read_file
from engine.replay.history import History, HistoryError
from engine.replay.judging import newest_rules
from engine.units import write_duration

DONE, USAGE = 0, 2
SECONDS = {"another_detector": "another detector", "another_zone": "a detector of another zone",
           "repetition": "the same detector again (restored in between)"}
WAYS = {"rules": "leaves it to the rules", "none": "wants nothing verified", "coincidence": "asks for coincidence",
        "human": "asks for a person's word"}
ALARMS = {"fire": "fire", "gas": "gas", "prealarm": "pre-alarm"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("file", nargs="?", metavar="FILE", help="rules to check; without it those in force")
    parser.add_argument("--data", default="./tocsin-data", metavar="DIR",
                        help="the engine's data, of a running one too (%(default)s)")
    parser.add_argument("--toml", action="store_true", help="print the shipped file, to be changed into one's own")


def run(args: argparse.Namespace) -> int:
    """Print the rules. Returns 0, 2 with one line when the file is wrong or there is no reading what is in force."""
    if args.toml:
        sys.stdout.write(default_text())
        return DONE
    try:
        in_force = rules_in_force(Path(args.data) / "journal")
        book = read_file(args.file) if args.file else in_force or default_rulebook()
    except ConfigError as error:
        return fail(str(error))
    except OSError as error:
        return fail(f"{error.filename or args.data}: {error.strerror}")
    if args.file and (said := clash(in_force, book)):
        return fail(f"{args.file}: {said}")
    where = args.file or (f"in force, says the journal in {args.data}" if in_force else
                          f"shipped with this program; the journal in {args.data} names no others")
    sys.stdout.buffer.write("".join(line + "\n" for line in lines_of(book, where)).encode())
    sys.stdout.buffer.flush()
    return DONE


def fail(message: str) -> int:
    sys.stderr.write(f"tocsin rules: {message}\n")
    return USAGE


def rules_in_force(directory: Path) -> Rulebook | None:
    """Return the rules that the journal named last, or None."""
    try:
        return newest_rules(History(directory))
    except HistoryError:
        return None


def lines_of(book: Rulebook, where: str) -> Iterator[str]:
    """Say a book in words, a sentence a line."""
    yield f"Rules, version {book.version}, {book.digest} ({where})."
    yield ""
    yield "Every fire, gas and pre-alarm leaves at once. The first rule that fits says what confirms it:"
    for number, rule in enumerate(book.rules, 1):
        yield f"{number:3}. {rule.name}: {sentence(rule, others=number > 1)}"
    yield ""
    chatter, cancel, loss = book.chatter, book.cancel, book.mass_loss
    yield (f"A detector that raises {chatter.times} times within {span(chatter.within_ns)} chatters: from then on its "
           f"signals are labelled{urgency(chatter.priority)}. Its first alarm is not.")
    yield (f"A cancel or abort at the panel within {span(cancel.within_ns)} of the alarm is told with it; it ends "
           "nothing.")
    yield (f"When at least {loss.members} transmitters of one network or area, and at least {percent(loss.share)} of "
           f"those there, fall silent within {span(loss.within_ns)}, that is one mass loss; it is told after "
           f"{span(loss.settle_ns)}, and is over when fewer than {percent(loss.restored_share)} are lost.")
    if book.accept_within_ns:
        yield (f"A fire that nobody has accepted within {span(book.accept_within_ns)} is told again, as the "
               "configuration says.")


def sentence(rule: WrittenRule, *, others: bool) -> str:
    """Say one rule in words."""
    return (f"{subject(rule, others=others)} is {verified(rule)}{urgency(rule.priority)}.")


def subject(rule: WrittenRule, *, others: bool) -> str:
    every = not (rule.conditions or rule.kinds or rule.ways or rule.areas)
    kinds = [ALARMS[word] for word in rule.classes or CLASSES]
    text = ("any other " if others else "any ") + either(kinds) if every else "a " + either(kinds)
    if rule.conditions:
        text += " by " + either([word.replace("_", " ") for word in rule.conditions])
    if rule.kinds:
        text += " from a building of kind " + either(list(rule.kinds))
    if rule.areas:
        text += (" in area " if rule.kinds else " from area ") + either(list(rule.areas))
    if rule.ways:
        text += ", where the registry says that the building " + either([WAYS[word] for word in rule.ways])
    return text[0].upper() + text[1:] + ("," if rule.ways else "")


def verified(rule: WrittenRule) -> str:
    if rule.verified == "at_once":
        return "confirmed at once"
    if rule.verified == "none":
        return "never confirmed by itself; it stays unconfirmed"
    if rule.verified == "human":
        return "confirmed, or declared false, by a person"
    second = f"{either([SECONDS[word] for word in rule.seconds])} within {span(rule.within_ns)}"
    if rule.verified == "coincidence":
        return f"confirmed by {second}"
    return f"confirmed as the registry says of the building; where it says nothing, or coincidence, by {second}"


def urgency(priority: int) -> str:
    if not priority:
        return ""
    steps = "one step" if abs(priority) == 1 else f"{abs(priority)} steps"
    return f", and {steps} {'less' if priority > 0 else 'more'} urgent"


def either(texts: list[str]) -> str:
    return texts[0] if len(texts) == 1 else ", ".join(texts[:-1]) + " or " + texts[-1]


def span(ns: int) -> str:
    text = write_duration(ns)
    unit = text.lstrip("0123456789.")
    count = text.removesuffix(unit)
    word = {"ms": "millisecond", "s": "second", "m": "minute", "h": "hour", "d": "day"}[unit]
    return f"{count} {word}{'' if count == '1' else 's'}"


def percent(share: float) -> str:
    return f"{share * 100:g} %"

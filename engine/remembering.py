"""The stages that remember: made from a snapshot, or brought up to date with what the journal does not say."""
from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from engine.admit.admit import Admit
from engine.arguments import MS, named_in
from engine.filter.filter import Filter
from engine.journal.errors import JournalError
from engine.listen.enrolment import Enrolment
from engine.listen.windows import Windows
from engine.paths import PathTable

if TYPE_CHECKING:
    from engine.pipeline import Pipeline


TOCSIN_SENDERS = 65536           # keys of the Tocsin profile that the registry may name while the engine runs


class Unusable(JournalError):
    """What the data directory, or another engine, holds cannot be started from."""


def make_stages(engine: Pipeline, sections: Mapping[str, Any], first_event: int) -> None:
    """Make path table, ADMIT, windows and FILTER from a snapshot's sections, empty without any. Raises Unusable."""
    config = engine.config
    engine.paths = PathTable(config.paths.max, engine.hash_key)
    engine.admit = Admit(config.listen.batch_rows, config.listen.batch_arena_bytes, config.admit.frames_max,
                         config.admit.window_ns, engine.hash_key, config.admit.levels_max)
    engine.windows = new_windows(engine)
    unknown = config.unknown_accounts
    engine.enrolment = Enrolment(engine.paths, unknown.policy, unknown.rate, unknown.limit,
                                 config.supervision.default_ns // MS, named_in(config))
    try:
        engine.filter = new_filter(engine, sections.get("filter"), first_event)
        if sections:
            engine.paths.load(sections["paths"])
            engine.admit.load(sections["admit"])
            engine.windows.load(sections["windows"])
        if "registered" in sections:         # an older version wrote none
            engine.enrolment.load(sections["registered"])
    except (ValueError, KeyError) as error:
        raise Unusable(f"the snapshot cannot be used: {error}") from None


def new_filter(engine: Pipeline, saved: bytes | None, first_event: int) -> Filter:
    """Make FILTER from its section of a snapshot, empty without one. Raises ValueError."""
    judging = Filter(first_event, paths_max=engine.config.paths.max, hash_key=engine.hash_key)
    if saved is not None:
        judging.load(saved)
    return judging


def renew_stages(engine: Pipeline, sections: Mapping[str, Any]) -> None:
    """Bring up to date what the journal does not say; the rest is in the rows behind the state that the stages hold."""
    engine.paths.renew(sections["paths"])
    engine.windows = new_windows(engine)
    engine.windows.load(sections["windows"])


def new_windows(engine: Pipeline) -> Windows:
    return Windows(TOCSIN_SENDERS + sum(one.account.startswith("tocsin:") for one in engine.config.transmitters))

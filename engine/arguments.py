"""What the configuration says, in the form in which the stages take it."""
from codec.words import PROTOCOL_NUMBER
from engine.clock import SECOND_NS
from engine.config import Config
from engine.journal.journal import JournalSettings
from engine.listen.registered import FrameRules, Registered
from engine.listen.replays import Replays
from engine.paths import PathTable
from engine.store.settings import StoreSettings

MS = 1_000_000
REPLAYS_EACH = 16                # frames of one encrypted transmitter within the window that are planned for


def journal_settings(config: Config) -> JournalSettings:
    """Return [journal]."""
    journal = config.journal
    return JournalSettings(segment_bytes=journal.segment_bytes, bytes_max=journal.bytes_max,
                           keep_seconds=journal.keep_ns // SECOND_NS, reserve_part=journal.reserve)


def store_settings(config: Config) -> StoreSettings:
    """Return [store]."""
    store = config.store
    return StoreSettings(store.batch_rows, store.batch_bytes, backoff_s_max=store.retry_max_ns / SECOND_NS)


def named_in(config: Config) -> list[Registered]:
    """Return the transmitters that the configuration names."""
    found: list[Registered] = []
    for transmitter in config.transmitters:
        protocol, _, rest = transmitter.account.partition(":")
        account, _, realm = rest.partition("@")
        times = (transmitter.supervision or config.supervision.default).milliseconds
        rules = FrameRules(transmitter.window_past_ns // SECOND_NS, transmitter.window_future_ns // SECOND_NS,
                           transmitter.encrypted_only, transmitter.check_clear_stamps, transmitter.stale == "reject")
        found.append((PROTOCOL_NUMBER[protocol], account, realm, times[0], transmitter.key, rules))
    return found


def announce(config: Config, paths: PathTable) -> None:
    """Give the paths of the transmitters that the configuration names its supervision times."""
    paths.set_default_times(*config.supervision.default.milliseconds)
    for transmitter in config.transmitters:
        times = (transmitter.supervision or config.supervision.default).milliseconds
        paths.supervise_transmitter(transmitter.account, *times, primary=transmitter.primary)


def replays_for(config: Config, hash_key: bytes) -> Replays:
    """Return the memory of encrypted frames, for as many transmitters as have keys, each every few seconds."""
    keyed = [one for one in config.transmitters if one.key]
    span_ns = max((one.window_past_ns + one.window_future_ns for one in keyed), default=60 * SECOND_NS)
    return Replays(REPLAYS_EACH * len(keyed), span_ns, hash_key)

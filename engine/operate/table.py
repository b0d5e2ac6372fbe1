"""The one table of everything that is counted or measured: name, type, labels, what it says.

A stage binds its readings to these names; a name that nobody has bound is left out of the exposition. No account,
address or serial number is ever a label. Times are in seconds, sizes in bytes.
"""
from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["counter", "gauge", "histogram", "info"]
PREFIX = "tocsin_"


@dataclass(frozen=True, slots=True)
class Metric:
    """name: with its prefix and, where it has one, its suffix; labels: in the order in which readings give values."""

    name: str
    kind: Kind
    labels: tuple[str, ...]
    help: str


def counter(name: str, labels: str, text: str) -> Metric:
    return Metric(f"{PREFIX}{name}_total", "counter", tuple(labels.split()), text)


def gauge(name: str, labels: str, text: str) -> Metric:
    return Metric(PREFIX + name, "gauge", tuple(labels.split()), text)


def histogram(name: str, labels: str, text: str) -> Metric:
    return Metric(f"{PREFIX}{name}_seconds", "histogram", tuple(labels.split()), text)


LISTEN = (
    counter("frames_received", "protocol kind", "Valid frames; kind is heartbeat, signal, reply or other."),
    counter("frames_rejected", "protocol reason", "Frames that were at fault, by what was wrong with them."),
    counter("received_bytes", "", "Bytes read from sockets."),
    counter("garbage_bytes", "", "Bytes skipped in search of the start of a frame."),
    counter("replies", "protocol result", "Replies sent, by what they say; none where the protocol asks for silence."),
    histogram("receive_to_reply", "kind", "From a frame's last byte to its reply's write."),
    gauge("replies_held", "", "Replies that wait for their signal to be durable."),
    gauge("connections", "", "Open TCP connections of transmitters."),
    counter("connections_accepted", "", "TCP connections accepted."),
    counter("connections_closed", "reason", "Connections closed, by why."),
    counter("tls_handshakes", "result", "TLS handshakes that ended, by how: done, or why not."),
    gauge("tls_certificate_end_timestamp_seconds", "listener", "When the certificate of a listener ends, since 1970."),
    counter("peer_changes", "", "Paths that came from another peer address than before."),
    counter("replays", "", "Encrypted frames that came before; answered, but no proof of life."),
    counter("replays_forgotten", "", "Times that the memory of encrypted frames was full before its time."),
    counter("datagrams_handed", "", "Datagrams that receiver threads gave to the loop: all but clear heartbeats."),
    counter("socket_drops", "", "Datagrams that the kernel dropped because the receive buffer was full."),
    counter("shed", "what", "What was dropped on purpose under overload; it is never taken for silence."),
    counter("unknown_accounts", "result", "Frames of unknown accounts, by what the policy made of them."),
)
ADMIT = (
    counter("duplicates", "", "Frames recognised as sent again; answered, not journalled a second time."),
    counter("signals", "class", "New signals journalled, by class."),
    gauge("admit_levels", "", "Components that are not quiet, whose last status word is remembered."),
    counter("admit_levels_unremembered", "",
            "Status words for which admit.levels_max left no room; each of them counts as new."),
    gauge("admit_entries", "", "Recent frames that are remembered to recognise their repetition."),
)
JOURNAL = (
    histogram("receive_to_durable", "", "From a frame's last byte to its signal being on disk."),
    histogram("journal_flush", "", "One flush of the journal to disk."),
    counter("journal_bytes_written", "", "Bytes appended to the journal."),
    counter("journal_failures", "reason", "Appends that failed, by why; a full disk and a failed flush among them."),
    gauge("journal_bytes", "", "Bytes that the journal's segments take."),
    gauge("journal_capacity_bytes", "", "Bytes that the journal may take."),
    gauge("journal_disk_free_bytes", "", "Bytes free on the journal's disk."),
    gauge("journal_segments", "", "Segments kept."),
    gauge("journal_room", "room", "1 for what is taken: ok all, low no info and test, full fire, gas and prealarm."),
    gauge("snapshot_timestamp_seconds", "", "When the last snapshot was written, since 1970."),
)
FILTER = (
    counter("verdicts", "verdict reason", "Verdicts given, with their reason."),
    counter("events", "type class", "Events numbered, by step and class of the alarm."),
    gauge("alarms_open", "", "Alarms that are raised and not cleared."),
    gauge("alarms_unaccepted", "", "Fires that no subscriber has accepted yet, cleared ones in their time among them."),
    counter("alarms_overdue", "", "Fires that nobody accepted within alarms.accept_within."),
    gauge("test_modes", "", "Test modes that are on."),
    gauge("mass_losses", "", "Mass losses that stand: networks or areas of which a great part is silent."),
    gauge("conditions_open", "condition", "Faults and other conditions that are open at transmitters."),
    gauge("registry_entries", "kind", "Facilities, transmitters and points that FILTER knows; refused: rows of the "
          "registry that could not be read."),
    gauge("filter_lag_rows", "", "Journalled rows that are not judged yet."),
)
STORE = (
    counter("store_rows", "", "Rows committed to PostgreSQL."),
    counter("store_refused", "", "Rows that PostgreSQL refused for their data; they are kept in tocsin.refused."),
    counter("store_trimmed", "", "Times that rows had left the journal before they were stored."),
    counter("store_ahead", "", "Times that the database knew more than the journal, which had lost its end."),
    counter("store_retries", "", "Batches offered again after an error."),
    counter("store_restarts", "", "Restarts of the embedded PostgreSQL."),
    histogram("store_copy", "", "One transaction of rows and position."),
    gauge("store_lag_rows", "", "Judged rows that are not in PostgreSQL yet."),
    gauge("store_up", "", "1 while PostgreSQL takes rows."),
    gauge("registry_up", "", "1 while changes of the registry are read."),
    gauge("registry_transmitters", "", "Transmitters that the registry names."),
    gauge("registry_revision", "", "Up to which its changes are known."),
    counter("registry_rows", "", "Rows of the registry that were journalled."),
    counter("registry_rows_refused", "", "Rows of the registry that cannot be used, and those that found no room."),
)
FORWARD = (
    gauge("subscribers", "", "Open event streams."),
    counter("subscribers_accepted", "", "Event streams opened."),
    counter("subscribers_refused", "", "Event streams refused because the limit was reached."),
    counter("subscribers_closed", "reason", "Event streams ended: left, stalled, buffer, shutdown, error."),
    counter("events_forwarded", "", "Events written to subscribers, once for each of them."),
    counter("forwarded_bytes", "", "Bytes of event streams."),
    counter("gaps_told", "reason", "Gap events sent to subscribers: trimmed, ahead."),
    counter("volatile_shown", "", "Blocks shown without a number because the journal could not take them."),
    histogram("receive_to_forwarded", "", "From a frame's last byte to its event being in a subscriber's socket."),
)
SUPERVISE = (
    gauge("paths", "state", "Supervised paths by state."),
    counter("line_faults", "", "Paths that fell silent past their supervision time."),
    counter("line_faults_cleared", "", "Silent paths that were heard again."),
    counter("system_faults", "", "Transmitters with several paths that had none left."),
    counter("system_faults_cleared", "", "Such transmitters that had a path again."),
    counter("supervision_learned", "", "Supervision times taken from what a path showed."),
    counter("supervision_excused", "", "Line faults put off, because a frame of the path may have been dropped by us."),
    counter("supervision_credited_seconds", "", "Time in which we stood still, and which does not count as silence."),
    counter("path_visits", "", "Visits of the timer wheel to a path."),
    gauge("supervision_impaired", "", "1 while the engine's own losses keep it from judging silence fairly."),
    gauge("listening_seconds", "", "The persisted clock that advances only while the engine can hear."),
)
OPERATE = (
    gauge("ready", "check", "1 while this check of /readyz is well."),
    gauge("queue_depth", "stage", "Rows that wait before a stage."),
    gauge("queue_capacity", "stage", "Rows that may wait before a stage."),
    counter("http_requests", "code", "HTTP requests answered, by status code."),
    counter("http_refused", "", "HTTP requests without a token that may do what they ask."),
    histogram("event_loop_lag", "", "Lateness of a timer on the event loop, every 100 ms."),
    gauge("clock_offset_seconds", "", "Wall clock against its reference; positive when ours is ahead."),
    gauge("canary_last_success_timestamp_seconds", "",
          "When a canary last came out of FORWARD, since 1970; 0: none yet."),
    gauge("canary_stored_last_success_timestamp_seconds", "",
          "When the database was last seen to have passed a canary, since 1970; 0: not yet."),
    histogram("canary_round_trip", "", "A canary from its frame to its event."),
    gauge("start_timestamp_seconds", "", "When the engine started, since 1970."),
    gauge("process_resident_memory_bytes", "", "Resident memory of the engine."),
    gauge("process_open_files", "", "Open file descriptors of the engine."),
    counter("process_cpu_seconds", "", "Processor time of the engine, user and system."),
    Metric(f"{PREFIX}build_info", "info", ("version", "revision", "python", "cython"), "What is running."),
)
METRICS = LISTEN + ADMIT + JOURNAL + FILTER + STORE + FORWARD + SUPERVISE + OPERATE
TABLE = {metric.name: metric for metric in METRICS}

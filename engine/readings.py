"""Where each metric of the table is read: names on the left, stages on the right."""
from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from engine.clock import SECOND_NS, clock_offset_seconds
from engine.heartbeats import HEARTBEAT_LOG_ROWS
from engine.journal.space import Room
from engine.operate.metrics import Metrics
from engine.version import PYTHON, VERSION

if TYPE_CHECKING:
    from engine.pipeline import Pipeline

# Shown from the start: a counter that begins with its first event has no increase that an alert could see.
FAILURES = {"full": 0, "unavailable": 0}


def bind_readings(metrics: Metrics, engine: Pipeline) -> None:
    """Bind everything that the stages count. Each reading is taken when somebody scrapes."""
    bind_listen(metrics, engine)
    bind_journal_and_filter(metrics, engine)
    bind_readers(metrics, engine)
    bind_supervise(metrics, engine)
    bind_registry(metrics, engine)
    bind_canary(metrics, engine)
    metrics.bind("tocsin_build_info", lambda: 1, VERSION, "", PYTHON, "")
    metrics.bind("tocsin_clock_offset_seconds", clock_offset_seconds)
    started = engine.clock.wall_ns() / SECOND_NS
    metrics.bind("tocsin_start_timestamp_seconds", lambda: started)


def bind_listen(metrics: Metrics, engine: Pipeline) -> None:
    receiver, enrolment, admit = engine.receiver, engine.enrolment, engine.admit

    def shed() -> dict[str, int]:
        return {**receiver.counts()["shed"], "heartbeat_row": engine.heartbeats.shed + engine.keeper.rows_lost,
                "reply_withheld": receiver.counts()["replies_withheld"]}

    def closed() -> dict[str, int]:
        total: dict[str, int] = {}
        for tcp in engine.tcp:
            for reason, count in tcp.closed.items():
                total[reason] = total.get(reason, 0) + count
        return total

    metrics.bind("tocsin_frames_received_total", lambda: receiver.counts()["frames"])
    metrics.bind("tocsin_frames_rejected_total", lambda: receiver.counts()["rejected"])
    metrics.bind("tocsin_replies_total", lambda: receiver.counts()["replies"])
    metrics.bind("tocsin_garbage_bytes_total", lambda: receiver.counts()["garbage_bytes"])
    metrics.bind("tocsin_received_bytes_total", lambda: receiver.counts()["bytes"])
    metrics.bind("tocsin_shed_total", shed)
    metrics.bind("tocsin_unknown_accounts_total", lambda: {
        "enrolled": enrolment.enrolled, "quarantined": enrolment.quarantined, "refused": enrolment.refused})
    for kind in engine.to_reply:
        metrics.bind("tocsin_receive_to_reply_seconds", partial(engine.to_reply.__getitem__, kind), kind)
    metrics.bind("tocsin_replies_held", lambda: sum(part.held_in for part in engine.listeners()))
    metrics.bind("tocsin_connections", lambda: sum(len(tcp.connections) for tcp in engine.tcp))
    metrics.bind("tocsin_connections_accepted_total", lambda: receiver.counts()["connections_accepted"])
    metrics.bind("tocsin_connections_closed_total", closed)
    metrics.bind("tocsin_tls_handshakes_total", lambda: dict(engine.tls.handshakes))
    metrics.bind("tocsin_tls_certificate_end_timestamp_seconds", engine.tls.ends)
    metrics.bind("tocsin_peer_changes_total", lambda: receiver.counts()["peer_changes"])
    metrics.bind("tocsin_datagrams_handed_total", lambda: receiver.counts()["handed"])
    metrics.bind("tocsin_socket_drops_total", lambda: sum(udp.kernel_drops() for udp in engine.udp))
    metrics.bind("tocsin_duplicates_total", lambda: admit.duplicates)
    metrics.bind("tocsin_admit_levels", lambda: len(admit.levels))
    metrics.bind("tocsin_admit_levels_unremembered_total", lambda: admit.levels.unremembered)
    metrics.bind("tocsin_admit_entries", lambda: admit.entries_in)
    metrics.bind("tocsin_replays_total", lambda: receiver.counts()["replays"])
    metrics.bind("tocsin_replays_forgotten_total", lambda: receiver.counts()["replays_early"])


def bind_journal_and_filter(metrics: Metrics, engine: Pipeline) -> None:
    journal, judging = engine.journal, engine.filter
    metrics.bind("tocsin_receive_to_durable_seconds", lambda: engine.to_durable)
    metrics.bind("tocsin_journal_flush_seconds", lambda: engine.flushes)
    metrics.bind("tocsin_journal_failures_total", lambda: {**FAILURES, **engine.view.journal_failures})
    metrics.bind("tocsin_journal_bytes_written_total", lambda: engine.flushed_bytes)
    metrics.bind("tocsin_journal_bytes", lambda: int(journal.stat()["bytes"]))
    metrics.bind("tocsin_journal_capacity_bytes", lambda: int(journal.stat()["bytes_max"]))
    metrics.bind("tocsin_journal_segments", lambda: int(journal.stat()["segments"]))
    metrics.bind("tocsin_journal_room", lambda: {room.value: int(room is journal.room()) for room in Room})
    metrics.bind("tocsin_journal_disk_free_bytes", engine.disk.free_bytes)
    metrics.bind("tocsin_snapshot_timestamp_seconds", lambda: engine.house.snapshot_ns / SECOND_NS)
    metrics.bind("tocsin_signals_total", judging.signal_counts)
    metrics.bind("tocsin_verdicts_total", judging.verdict_counts)
    metrics.bind("tocsin_alarms_open", lambda: judging.alarms_open)
    metrics.bind("tocsin_alarms_unaccepted", judging.alarms_unaccepted)
    metrics.bind("tocsin_alarms_overdue_total", lambda: judging.unaccepted_total)
    metrics.bind("tocsin_test_modes", lambda: len(judging.tests()))
    metrics.bind("tocsin_mass_losses", lambda: len(judging.mass_losses()))
    metrics.bind("tocsin_conditions_open", judging.condition_counts)
    metrics.bind("tocsin_registry_entries", judging.registry_counts)
    metrics.bind("tocsin_filter_lag_rows", lambda: journal.durable().number - engine.judged())


def bind_readers(metrics: Metrics, engine: Pipeline) -> None:
    store, journal = engine.store.counters, engine.journal
    metrics.bind("tocsin_store_rows_total", lambda: store.rows_total)
    metrics.bind("tocsin_store_refused_total", lambda: store.refused_total)
    metrics.bind("tocsin_store_trimmed_total", lambda: store.trimmed_total)
    metrics.bind("tocsin_store_ahead_total", lambda: store.ahead_total)
    metrics.bind("tocsin_store_retries_total", lambda: store.reconnects_total)
    metrics.bind("tocsin_store_restarts_total", lambda: engine.postgres.restarts if engine.postgres else 0)
    metrics.bind("tocsin_store_lag_rows", lambda: max(0, engine.judged() - max(store.position, journal.first - 1)))
    metrics.bind("tocsin_store_up", lambda: int(store.up))
    metrics.bind("tocsin_queue_depth", lambda: {
        "intake": len(engine.admit), "filter": engine.journal.durable().number - engine.judged(),
        "replies": sum(part.held_in for part in engine.listeners()),
        "heartbeat_rows": len(engine.heartbeats)})
    metrics.bind("tocsin_queue_capacity", lambda: {
        "intake": engine.config.listen.batch_rows,
        "replies": engine.config.listen.held_max * (len(engine.udp) + len(engine.tcp)),
        "heartbeat_rows": HEARTBEAT_LOG_ROWS if engine.config.store.heartbeats == "all" else 0})


def bind_registry(metrics: Metrics, engine: Pipeline) -> None:
    registry = engine.registry
    metrics.bind("tocsin_registry_up", lambda: int(registry.up))
    metrics.bind("tocsin_registry_transmitters", lambda: engine.enrolment.named)
    metrics.bind("tocsin_registry_revision", lambda: engine.filter.registry_seen[1])
    metrics.bind("tocsin_registry_rows_total", lambda: registry.rows)
    metrics.bind("tocsin_registry_rows_refused_total", lambda: registry.refused + engine.enrolment.no_room)


def bind_supervise(metrics: Metrics, engine: Pipeline) -> None:
    supervisor = engine.supervisor
    metrics.bind("tocsin_paths", engine.paths.states_in)
    metrics.bind("tocsin_line_faults_total", lambda: supervisor.line_faults)
    metrics.bind("tocsin_supervision_impaired", lambda: supervisor.impaired)
    metrics.bind("tocsin_supervision_excused_total", lambda: supervisor.excused)
    metrics.bind("tocsin_supervision_credited_seconds_total", lambda: engine.listening.credited_ms / 1000)
    metrics.bind("tocsin_line_faults_cleared_total", lambda: supervisor.cleared)
    metrics.bind("tocsin_system_faults_total", lambda: supervisor.system_faults)
    metrics.bind("tocsin_system_faults_cleared_total", lambda: supervisor.system_cleared)
    metrics.bind("tocsin_supervision_learned_total", lambda: engine.learner.learned)
    metrics.bind("tocsin_path_visits_total", lambda: supervisor.looked_at)
    metrics.bind("tocsin_listening_seconds", lambda: engine.listening.listening_ms / 1000)


def bind_canary(metrics: Metrics, engine: Pipeline) -> None:
    """Bind what the canary shows; turned off it shows nothing, so that no alert waits for it."""
    canary = engine.canary
    if canary.on:
        metrics.bind("tocsin_canary_last_success_timestamp_seconds", lambda: canary.last_ns / SECOND_NS)
        metrics.bind("tocsin_canary_stored_last_success_timestamp_seconds", lambda: canary.stored_ns / SECOND_NS)
        metrics.bind("tocsin_canary_round_trip_seconds", lambda: canary.round_trip)

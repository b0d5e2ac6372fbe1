-- Events, in the order in which they left, and the alarms that they are steps of.

CREATE TABLE tocsin.event (
    number       bigint PRIMARY KEY,
    type         text NOT NULL,            -- raised, updated, cleared
    alarm_id     bigint NOT NULL,
    signal_id    bigint NOT NULL,
    opened_at    timestamptz NOT NULL,     -- of the alarm
    received_at  timestamptz NOT NULL,     -- of the signal behind this event
    class        text,
    condition    text,
    state        text,
    verification text,
    priority     smallint NOT NULL,
    count        bigint NOT NULL,          -- raised signals that the alarm had seen
    revision     bigint NOT NULL,
    data         jsonb NOT NULL            -- the CloudEvent as it left
);
CREATE INDEX event_alarm ON tocsin.event (alarm_id, number);

-- One row an alarm, as of its last event.
CREATE TABLE tocsin.alarm (
    id           bigint PRIMARY KEY,       -- of the signal that raised it
    state        text NOT NULL,            -- raised, updated, cleared
    protocol     text,
    account      text,
    facility     text,
    area         text,
    class        text,
    condition    text,
    point        text,
    verification text,
    priority     smallint NOT NULL,
    count        bigint NOT NULL,
    revision     bigint NOT NULL,
    opened_at    timestamptz NOT NULL,
    updated_at   timestamptz NOT NULL,
    cleared_at   timestamptz,
    signal_id    bigint NOT NULL,          -- behind the last event
    event_number bigint NOT NULL           -- the last event
);
CREATE INDEX alarm_open ON tocsin.alarm (id) WHERE state <> 'cleared';

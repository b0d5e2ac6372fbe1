-- Signals and their verdicts.
--
-- tocsin.signal_row is what COPY writes: day partitions of received_at in UTC, named signal_row_YYYYMMDD, made by the
-- store before the first row of a day; what has no day lands in signal_row_default. It has no primary key, which would
-- cost half the speed: that a row comes once is the position's work. BRIN finds ids and times, as both rise together.
-- Readers use the views tocsin.signal and tocsin.verdict.

CREATE TABLE tocsin.signal_row (
    id           bigint NOT NULL,          -- partition << 53 | number in the journal
    received_at  timestamptz NOT NULL,
    occurred_at  timestamptz,              -- as the transmitter says; NULL = not said, or no honest clock
    protocol     text,
    account      text NOT NULL,
    realm        text NOT NULL,            -- '' = none
    class        text,
    condition    text,
    state        text,
    point        text NOT NULL,
    native       text NOT NULL,
    raw          bytea NOT NULL,           -- the whole frame
    path         bigint,                   -- tocsin.path.number; NULL = not enrolled
    sequence     bigint NOT NULL,          -- the frame's own, as sent
    flags        integer NOT NULL,         -- bits: 1 cut, 2 cleaned, 4 unknown code, 8 old, 16 late, 32 quarantined, ...
    verdict      text,                     -- the first one; later ones are in tocsin.verdict_later
    reason       text,
    rule         integer NOT NULL,
    rule_version bigint NOT NULL
) PARTITION BY RANGE (received_at);

CREATE TABLE tocsin.signal_row_default PARTITION OF tocsin.signal_row DEFAULT;

CREATE INDEX signal_row_id ON tocsin.signal_row USING brin (id) WITH (pages_per_range = 32, autosummarize = on);
CREATE INDEX signal_row_received_at ON tocsin.signal_row USING brin (received_at)
    WITH (pages_per_range = 32, autosummarize = on);

CREATE TABLE tocsin.verdict_later (
    signal_id    bigint NOT NULL,
    number       integer NOT NULL CHECK (number >= 2),   -- the verdict in the row itself is number 1
    verdict      text NOT NULL,
    reason       text NOT NULL,
    rule         integer NOT NULL,
    rule_version bigint NOT NULL,
    at           timestamptz NOT NULL,
    PRIMARY KEY (signal_id, number)
);

CREATE VIEW tocsin.signal AS
SELECT s.id, s.received_at, s.occurred_at, s.protocol, s.account, s.class, s.condition, s.state, s.point, s.native,
       s.raw, s.realm, s.path, s.sequence, s.flags,
       coalesce(l.verdict, s.verdict) AS verdict,
       coalesce(l.reason, s.reason) AS reason,
       coalesce(l.rule, s.rule) AS rule,
       coalesce(l.rule_version, s.rule_version) AS rule_version
FROM tocsin.signal_row s
-- DISTINCT ON lets the planner drop the join where no verdict is asked for.
LEFT JOIN (SELECT DISTINCT ON (signal_id) signal_id, verdict, reason, rule, rule_version
           FROM tocsin.verdict_later ORDER BY signal_id, number DESC) l ON l.signal_id = s.id;

CREATE VIEW tocsin.verdict AS
SELECT id AS signal_id, 1 AS number, verdict, reason, rule, rule_version, received_at AS at FROM tocsin.signal_row
UNION ALL
SELECT signal_id, number, verdict, reason, rule, rule_version, at FROM tocsin.verdict_later;

-- What the database would not take, kept beside it. Written in the transaction that moves the position.
CREATE TABLE tocsin.refused (
    id       bigint NOT NULL,              -- of the signal, or number of the event
    what     text NOT NULL,                -- signal, event
    at       timestamptz NOT NULL,         -- when it was refused, by the engine's clock
    sqlstate text NOT NULL,
    error    text NOT NULL,
    raw      bytea NOT NULL,               -- the frame, or the event's JSON
    PRIMARY KEY (what, id, at)
);

-- How far a journal is stored. Written in the same transaction as the rows, so that each row comes once.
CREATE TABLE tocsin.position (
    journal    text NOT NULL,
    partition  integer NOT NULL,
    consumer   text NOT NULL,
    number     bigint NOT NULL,            -- the last stored
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (journal, partition, consumer)
);

-- Days before it were dropped and are never filled again. One row.
CREATE TABLE tocsin.retention (
    single         boolean PRIMARY KEY DEFAULT true CHECK (single),
    dropped_before date NOT NULL
);
INSERT INTO tocsin.retention (dropped_before) VALUES ('0001-01-01');

-- The state of paths and what is kept of their heartbeats. Best effort: written beside the positions, never with them.

CREATE TABLE tocsin.path (
    key            text PRIMARY KEY,       -- as in the enrolment
    number         bigint NOT NULL,        -- index in the engine's path table; tocsin.signal.path
    transmitter    text,
    protocol       text,
    account        text,
    realm          text,
    listener       text,
    receiver       text,
    line           text,
    network        text,
    state          text,
    last_seen_at   timestamptz,            -- behind by at most store.last_seen_every; the API knows it exactly
    supervision_ms bigint,                 -- supervision time; NULL = not supervised
    enrolled_at    timestamptz,
    peer           text                    -- last address, for people
) WITH (fillfactor = 80);                  -- last_seen_at changes often: room for updates in place
CREATE INDEX path_transmitter ON tocsin.path (transmitter);

-- store.heartbeats = "all": day partitions, made and dropped like those of signals.
CREATE TABLE tocsin.heartbeat (
    path        text NOT NULL,             -- tocsin.path.key
    received_at timestamptz NOT NULL
) PARTITION BY RANGE (received_at);
CREATE TABLE tocsin.heartbeat_default PARTITION OF tocsin.heartbeat DEFAULT;
CREATE INDEX heartbeat_received_at ON tocsin.heartbeat USING brin (received_at) WITH (autosummarize = on);

-- store.heartbeats = "rollup": one row a path and quarter of an hour.
CREATE TABLE tocsin.heartbeat_rollup (
    path               text NOT NULL,
    quarter            timestamptz NOT NULL,
    frames             bigint NOT NULL,
    longest_silence_ms bigint NOT NULL,
    PRIMARY KEY (quarter, path)
);
CREATE VIEW tocsin.heartbeat_quarter AS
SELECT path, quarter, frames, longest_silence_ms * interval '1 millisecond' AS longest_silence
FROM tocsin.heartbeat_rollup;

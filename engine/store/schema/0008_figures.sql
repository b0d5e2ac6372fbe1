-- Figures for whoever watches over the network: line faults as spans of time, and functions that count over a period.
--
-- A line fault is two signals far apart, and to pair them anew would be to read 400 days of signals. So the store keeps
-- the span of each in the transaction that writes its signals (engine/store/line_faults.py). A path has at most one open.

CREATE TABLE tocsin.line_fault_row (
    path        text NOT NULL,             -- tocsin.path.key
    transmitter text NOT NULL,             -- its key: protocol:account@realm
    raised_at   timestamptz NOT NULL,
    raised_id   bigint,                    -- of the signal; NULL: its begin was never stored, raised_at is then its end
    cleared_at  timestamptz,               -- NULL: open
    cleared_id  bigint,
    CHECK (cleared_at >= raised_at)
);
CREATE UNIQUE INDEX line_fault_open ON tocsin.line_fault_row (path) WHERE cleared_at IS NULL;
CREATE INDEX line_fault_path ON tocsin.line_fault_row (path, cleared_at);
CREATE INDEX line_fault_cleared ON tocsin.line_fault_row USING brin (cleared_at) WITH (autosummarize = on);

-- What is in fault while this is made; what went before is in the signals alone.
INSERT INTO tocsin.line_fault_row (path, transmitter, raised_at)
SELECT key, transmitter, least(now(), coalesce(last_seen_at, enrolled_at, now()) + supervision_ms * interval '1 ms')
FROM tocsin.path WHERE state = 'fault' AND supervision_ms IS NOT NULL AND transmitter IS NOT NULL;

CREATE VIEW tocsin.line_fault AS
SELECT f.path, f.transmitter, t.facility, f.raised_at, f.cleared_at, f.raised_id, f.cleared_id
FROM tocsin.line_fault_row f LEFT JOIN tocsin.transmitter t ON t.key = f.transmitter;

-- How long events took from the frame to a subscriber's socket, by quarters of an hour. Best effort: a quarter in which
-- the engine ended, or the database was away at its end, is missing.
CREATE TABLE tocsin.forward_quarter (
    quarter   timestamptz PRIMARY KEY,
    events    bigint NOT NULL,             -- one that went to three subscribers counts three times
    sum_ms    double precision NOT NULL,
    bounds_ms double precision[] NOT NULL, -- upper bounds of all buckets but the last, rising
    buckets   bigint[] NOT NULL            -- events in each; the last has no bound
);

CREATE INDEX alarm_facility ON tocsin.alarm (facility, opened_at) WHERE facility IS NOT NULL;
CREATE INDEX alarm_opened_at ON tocsin.alarm USING brin (opened_at) WITH (autosummarize = on);
CREATE INDEX event_received_at ON tocsin.event_row USING brin (received_at) WITH (autosummarize = on);

-- "40/17257/vinh-1", or as much of it as `level` asks for; empty parts at the end are left out.
CREATE FUNCTION tocsin.area_of(level text, province text, commune text, team text) RETURNS text
IMMUTABLE PARALLEL SAFE LANGUAGE sql RETURN
    rtrim(coalesce(province, '') || CASE WHEN level = 'province' THEN '' ELSE '/' || coalesce(commune, '') END
          || CASE WHEN level IN ('province', 'commune') THEN '' ELSE '/' || coalesce(team, '') END, '/');

-- All functions below count over [since, until), and never beyond now. `facilities`: of these alone, '' = of none; NULL =
-- of all. `level`: facility, province, commune, team. Written so that the planner can look through them.

-- One row a path that was there in the period.
CREATE FUNCTION tocsin.figures_path(since timestamptz, until timestamptz, facilities text[] DEFAULT NULL)
RETURNS TABLE (
    path text, transmitter text, facility text, province text, commune text, team text,
    supervised_s double precision,         -- of the period; NULL: not supervised
    fault_s double precision,              -- of it in line fault
    availability double precision,         -- 1 - fault_s / supervised_s
    line_faults bigint,                    -- raised in the period
    line_faults_carried bigint,            -- raised before it, and open when it began
    line_faults_open bigint,               -- open at its end
    line_faults_without_begin bigint,      -- of line_faults: nobody knows when they began, their length is not in fault_s
    longest_s double precision             -- as far as it lies in the period
) STABLE LANGUAGE sql AS $$
SELECT w.path, w.transmitter, w.facility, w.province, w.commune, w.team, w.supervised_s, w.fault_s,
    CASE WHEN w.supervised_s > 0 THEN 1 - least(w.fault_s / w.supervised_s, 1) END,
    w.raised, w.carried, w.open, w.without_begin, w.longest_s
FROM (
    SELECT p.key AS path, p.transmitter, t.facility, b.province, b.commune, b.team,
        -- A path that is supervised no more, such as the place kept for a transmitter before it was heard, was so until
        -- the end of its last fault.
        extract(epoch FROM CASE WHEN p.supervision_ms IS NOT NULL THEN e.ending
                                ELSE max(s.ending) END
                           - greatest(since, p.enrolled_at))::double precision AS supervised_s,
        coalesce(sum(s.seconds), 0) AS fault_s,
        count(*) FILTER (WHERE f.raised_at >= since) AS raised,
        count(*) FILTER (WHERE f.raised_at < since) AS carried,
        count(*) FILTER (WHERE f.raised_at < e.ending AND (f.cleared_at IS NULL OR f.cleared_at >= e.ending)) AS open,
        count(*) FILTER (WHERE f.raised_at >= since AND f.raised_id IS NULL AND f.cleared_id IS NOT NULL)
            AS without_begin,
        max(s.seconds) AS longest_s
    FROM tocsin.path p
    CROSS JOIN (SELECT least(until, now()) AS ending) e
    LEFT JOIN tocsin.transmitter t ON t.key = p.transmitter
    LEFT JOIN tocsin.facility b ON b.id = t.facility
    LEFT JOIN tocsin.line_fault_row f ON f.path = p.key AND f.raised_at < e.ending
        AND (f.cleared_at IS NULL OR f.cleared_at >= since) AND (f.raised_at >= since OR f.cleared_at IS NULL
                                                                  OR f.cleared_at > since)
    LEFT JOIN LATERAL (
        SELECT least(f.cleared_at, e.ending) AS ending,
            extract(epoch FROM least(f.cleared_at, e.ending) - greatest(f.raised_at, since))::double precision AS seconds
        WHERE f.path IS NOT NULL) s ON true
    WHERE (p.enrolled_at IS NULL OR p.enrolled_at < e.ending) AND since < e.ending
        AND (facilities IS NULL OR t.facility = ANY (facilities) OR '' = ANY (facilities) AND t.facility IS NULL)
    GROUP BY p.key, t.facility, b.province, b.commune, b.team, e.ending
) w $$;

-- The same added up.
CREATE FUNCTION tocsin.figures_line(level text, since timestamptz, until timestamptz, facilities text[] DEFAULT NULL)
RETURNS TABLE (key text, paths bigint, paths_supervised bigint, supervised_s double precision, fault_s double precision,
               availability double precision, availability_lowest double precision, line_faults bigint,
               line_faults_carried bigint, line_faults_open bigint, line_faults_without_begin bigint,
               longest_s double precision)
STABLE LANGUAGE sql AS $$
SELECT w.key, count(*), count(w.supervised_s), sum(w.supervised_s), sum(w.fault_s),
    CASE WHEN sum(w.supervised_s) > 0 THEN
        1 - sum(least(w.fault_s, w.supervised_s)) / sum(w.supervised_s) END,
    min(w.availability), sum(w.line_faults)::bigint, sum(w.line_faults_carried)::bigint,
    sum(w.line_faults_open)::bigint, sum(w.line_faults_without_begin)::bigint, max(w.longest_s)
FROM (SELECT CASE WHEN level = 'facility' THEN coalesce(p.facility, '')
                  ELSE tocsin.area_of(level, p.province, p.commune, p.team) END AS key, p.*
      FROM tocsin.figures_path(since, until, facilities) p) w
GROUP BY w.key $$;

-- Alarms opened in the period, as they are now. What is in test wants no acceptance and counts in `test` alone.
CREATE FUNCTION tocsin.figures_alarm(level text, since timestamptz, until timestamptz, facilities text[] DEFAULT NULL)
RETURNS TABLE (key text, alarms bigint, unconfirmed bigint, confirmed bigint, "false" bigint, test bigint, late bigint,
               answered_true bigint, answered_false bigint, unanswered bigint,
               false_ratio double precision,       -- false / (false + confirmed); NULL: none of either
               accepted bigint, not_accepted bigint, accept_p50_s double precision, accept_p95_s double precision,
               accept_max_s double precision,
               accepted_within_30_s double precision,   -- share of all that want it, accepted or not
               accepted_within_60_s double precision)
STABLE LANGUAGE sql AS $$
SELECT w.key, count(*), count(*) FILTER (WHERE w.verification = 'unconfirmed'),
    count(*) FILTER (WHERE w.verification = 'confirmed'), count(*) FILTER (WHERE w.verification = 'false'),
    count(*) FILTER (WHERE w.verification = 'test'), count(*) FILTER (WHERE w.verification = 'late'),
    count(*) FILTER (WHERE w.answered = 'true'), count(*) FILTER (WHERE w.answered = 'false'),
    count(*) FILTER (WHERE w.wanted AND w.answered IS NULL),
    count(*) FILTER (WHERE w.verification = 'false')::double precision
        / nullif(count(*) FILTER (WHERE w.verification IN ('false', 'confirmed')), 0),
    count(w.seconds), count(*) FILTER (WHERE w.wanted AND w.seconds IS NULL),
    percentile_disc(0.5) WITHIN GROUP (ORDER BY w.seconds) FILTER (WHERE w.seconds IS NOT NULL),
    percentile_disc(0.95) WITHIN GROUP (ORDER BY w.seconds) FILTER (WHERE w.seconds IS NOT NULL),
    max(w.seconds),
    count(*) FILTER (WHERE w.seconds <= 30)::double precision / nullif(count(*) FILTER (WHERE w.wanted), 0),
    count(*) FILTER (WHERE w.seconds <= 60)::double precision / nullif(count(*) FILTER (WHERE w.wanted), 0)
FROM (
    SELECT CASE WHEN level = 'facility' THEN coalesce(a.facility, '')
                ELSE tocsin.area_of(level, split_part(a.area, '/', 1), split_part(a.area, '/', 2),
                                    split_part(a.area, '/', 3)) END AS key,
        a.verification, a.answered, a.verification IS DISTINCT FROM 'test' AS wanted,
        -- least and greatest pass NULL by.
        CASE WHEN a.verification IS DISTINCT FROM 'test' AND a.accepted_at IS NOT NULL THEN
            extract(epoch FROM greatest(a.accepted_at, a.opened_at) - a.opened_at)::double precision END AS seconds
    FROM tocsin.alarm a
    WHERE a.opened_at >= since AND a.opened_at < until
        AND (facilities IS NULL OR a.facility = ANY (facilities) OR '' = ANY (facilities) AND a.facility IS NULL)
) w
GROUP BY w.key $$;

-- Transmitters of the registry, and those of them that were ever heard.
CREATE FUNCTION tocsin.figures_transmitter(level text, facilities text[] DEFAULT NULL)
RETURNS TABLE (key text, transmitters bigint, transmitters_heard bigint)
STABLE LANGUAGE sql AS $$
SELECT w.key, count(DISTINCT w.transmitter), count(DISTINCT w.heard)
FROM (SELECT CASE WHEN level = 'facility' THEN coalesce(t.facility, '')
                  ELSE tocsin.area_of(level, b.province, b.commune, b.team) END AS key,
          t.key AS transmitter, p.transmitter AS heard
      FROM tocsin.transmitter t
      LEFT JOIN tocsin.facility b ON b.id = t.facility
      LEFT JOIN tocsin.path p ON p.transmitter = t.key AND p.last_seen_at IS NOT NULL
      WHERE facilities IS NULL OR t.facility = ANY (facilities) OR '' = ANY (facilities) AND t.facility IS NULL) w
GROUP BY w.key $$;

-- One row a facility of the registry, and one with the id '' for what belongs to none.
CREATE FUNCTION tocsin.figures_facility(since timestamptz, until timestamptz, facilities text[] DEFAULT NULL)
RETURNS TABLE (
    facility text, name text, kind text, area text, transmitters bigint, transmitters_heard bigint, paths bigint,
    paths_supervised bigint, supervised_s double precision, fault_s double precision, availability double precision,
    availability_lowest double precision, line_faults bigint, line_faults_carried bigint, line_faults_open bigint,
    line_faults_without_begin bigint, line_fault_longest_s double precision, alarms bigint, unconfirmed bigint,
    confirmed bigint, "false" bigint, test bigint, late bigint, answered_true bigint, answered_false bigint,
    unanswered bigint, false_ratio double precision, accepted bigint, not_accepted bigint, accept_p50_s double precision,
    accept_p95_s double precision, accept_max_s double precision, accepted_within_30_s double precision,
    accepted_within_60_s double precision)
STABLE LANGUAGE sql AS $$
SELECT b.id, b.name, b.kind, tocsin.area_of('team', b.province, b.commune, b.team), coalesce(t.transmitters, 0),
    coalesce(t.transmitters_heard, 0), coalesce(l.paths, 0), coalesce(l.paths_supervised, 0), l.supervised_s,
    coalesce(l.fault_s, 0), l.availability, l.availability_lowest, coalesce(l.line_faults, 0),
    coalesce(l.line_faults_carried, 0), coalesce(l.line_faults_open, 0), coalesce(l.line_faults_without_begin, 0),
    l.longest_s, coalesce(a.alarms, 0), coalesce(a.unconfirmed, 0), coalesce(a.confirmed, 0), coalesce(a.false, 0),
    coalesce(a.test, 0), coalesce(a.late, 0), coalesce(a.answered_true, 0), coalesce(a.answered_false, 0),
    coalesce(a.unanswered, 0), a.false_ratio, coalesce(a.accepted, 0), coalesce(a.not_accepted, 0), a.accept_p50_s,
    a.accept_p95_s, a.accept_max_s, a.accepted_within_30_s, a.accepted_within_60_s
FROM (SELECT f.id, f.name, f.kind, f.province, f.commune, f.team FROM tocsin.facility f
      WHERE facilities IS NULL OR f.id = ANY (facilities)
      UNION ALL
      SELECT '', NULL, NULL, '', '', '' WHERE facilities IS NULL OR '' = ANY (facilities)) b
LEFT JOIN tocsin.figures_transmitter('facility', facilities) t ON t.key = b.id
LEFT JOIN tocsin.figures_line('facility', since, until, facilities) l ON l.key = b.id
LEFT JOIN tocsin.figures_alarm('facility', since, until, facilities) a ON a.key = b.id $$;

-- One row an area that has a facility or had an alarm, and one with the name '' for what lies in none. An alarm counts
-- where its facility was when it was judged, a path where its facility is now.
CREATE FUNCTION tocsin.figures_area(level text, since timestamptz, until timestamptz)
RETURNS TABLE (
    area text, name text, facilities bigint, transmitters bigint, transmitters_heard bigint, paths bigint,
    paths_supervised bigint, supervised_s double precision, fault_s double precision, availability double precision,
    availability_lowest double precision, line_faults bigint, line_faults_carried bigint, line_faults_open bigint,
    line_faults_without_begin bigint, line_fault_longest_s double precision, alarms bigint, unconfirmed bigint,
    confirmed bigint, "false" bigint, test bigint, late bigint, answered_true bigint, answered_false bigint,
    unanswered bigint, false_ratio double precision, accepted bigint, not_accepted bigint, accept_p50_s double precision,
    accept_p95_s double precision, accept_max_s double precision, accepted_within_30_s double precision,
    accepted_within_60_s double precision)
STABLE LANGUAGE sql AS $$
SELECT k.key, n.name, coalesce(f.facilities, 0), coalesce(t.transmitters, 0), coalesce(t.transmitters_heard, 0),
    coalesce(l.paths, 0), coalesce(l.paths_supervised, 0), l.supervised_s, coalesce(l.fault_s, 0), l.availability,
    l.availability_lowest, coalesce(l.line_faults, 0), coalesce(l.line_faults_carried, 0),
    coalesce(l.line_faults_open, 0), coalesce(l.line_faults_without_begin, 0), l.longest_s, coalesce(a.alarms, 0),
    coalesce(a.unconfirmed, 0), coalesce(a.confirmed, 0), coalesce(a.false, 0), coalesce(a.test, 0), coalesce(a.late, 0),
    coalesce(a.answered_true, 0), coalesce(a.answered_false, 0), coalesce(a.unanswered, 0), a.false_ratio,
    coalesce(a.accepted, 0), coalesce(a.not_accepted, 0), a.accept_p50_s, a.accept_p95_s, a.accept_max_s,
    a.accepted_within_30_s, a.accepted_within_60_s
FROM (SELECT tocsin.area_of(level, b.province, b.commune, b.team) AS key, count(*) AS facilities
      FROM tocsin.facility b GROUP BY 1) f
FULL JOIN tocsin.figures_transmitter(level) t ON t.key = f.key
FULL JOIN tocsin.figures_line(level, since, until) l ON l.key = coalesce(f.key, t.key)
FULL JOIN tocsin.figures_alarm(level, since, until) a ON a.key = coalesce(f.key, t.key, l.key)
CROSS JOIN LATERAL (SELECT coalesce(f.key, t.key, l.key, a.key) AS key) k
LEFT JOIN tocsin.area n ON level <> 'team' AND n.code = substring(k.key FROM '[^/]+$')
    AND (level = 'province') = (n.parent IS NULL) $$;

-- From the frame to a subscriber's socket. Each time is the upper bound of its bucket; NULL: above the last bound.
CREATE FUNCTION tocsin.figures_forward(since timestamptz, until timestamptz)
RETURNS TABLE (quarters bigint, events bigint, mean_ms double precision, p50_ms double precision,
               p95_ms double precision, max_ms double precision, within_last_bound double precision)
STABLE LANGUAGE sql AS $$
WITH quarter AS (
    SELECT q.* FROM tocsin.forward_quarter q WHERE q.quarter >= since AND q.quarter < until
), bucket AS (
    SELECT q.bounds_ms[u.place] AS bound, sum(u.events) AS events
    FROM quarter q CROSS JOIN unnest(q.buckets) WITH ORDINALITY AS u (events, place) GROUP BY 1
), running AS (
    SELECT bound, events, sum(events) OVER (ORDER BY bound NULLS LAST) AS upto, sum(events) OVER () AS total FROM bucket
)
SELECT (SELECT count(*) FROM quarter), coalesce(max(total), 0)::bigint, (SELECT sum(sum_ms) / nullif(sum(q.events), 0) FROM quarter q),
    min(bound) FILTER (WHERE upto >= 0.5 * total AND total > 0),
    min(bound) FILTER (WHERE upto >= 0.95 * total AND total > 0),
    CASE WHEN coalesce(max(events) FILTER (WHERE bound IS NULL), 0) = 0 THEN max(bound) FILTER (WHERE events > 0) END,
    (sum(events) FILTER (WHERE bound IS NOT NULL) / nullif(max(total), 0))::double precision
FROM running $$;

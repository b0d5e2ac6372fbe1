-- What else a frame says of its signals: a JSON object, NULL where it says nothing more.

ALTER TABLE tocsin.signal_row ADD COLUMN details jsonb;

DROP VIEW tocsin.signal;
CREATE VIEW tocsin.signal AS
SELECT s.id, s.received_at, s.occurred_at, s.protocol, s.account, s.class, s.condition, s.state, s.point, s.native,
       s.raw, s.realm, s.path, s.sequence, s.flags,
       coalesce(l.rule, s.rule) AS rule,
       coalesce(l.rule_version, s.rule_version) AS rule_version,
       s.details,
       coalesce(l.verdict, s.verdict) AS verdict,
       coalesce(l.reason, s.reason) AS reason
FROM tocsin.signal_row s
-- DISTINCT ON lets the planner drop the join where no verdict is asked for.
LEFT JOIN (SELECT DISTINCT ON (signal_id) signal_id, verdict, reason, rule, rule_version
           FROM tocsin.verdict_later ORDER BY signal_id, number DESC) l ON l.signal_id = s.id;

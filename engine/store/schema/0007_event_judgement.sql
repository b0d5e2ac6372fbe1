-- What the filter says of an alarm beside the signal: where it is, why and by which rule, how many detectors, and whether
-- somebody has accepted it.

ALTER TABLE tocsin.event_row
    ALTER COLUMN alarm_id DROP NOT NULL,       -- NULL: a mass loss, which is no alarm; its JSON is in data
    ADD COLUMN facility      text,
    ADD COLUMN facility_name text,
    ADD COLUMN area          text,
    ADD COLUMN reason        text,
    ADD COLUMN rule_name     text,
    ADD COLUMN rule_version  bigint,
    ADD COLUMN detectors     integer,
    ADD COLUMN accepted      boolean;

ALTER TABLE tocsin.alarm
    ADD COLUMN facility_name text,
    ADD COLUMN detectors     integer,
    ADD COLUMN confirmed_at  timestamptz,      -- of the event that first said so
    ADD COLUMN answered      text,             -- true, false: what a person said last
    ADD COLUMN accepted_at   timestamptz;

-- The rules that were in force, so that a verdict's version can be read.
CREATE TABLE tocsin.rules (
    version  bigint PRIMARY KEY,
    since    timestamptz NOT NULL,             -- when an engine first judged by them
    rules    jsonb NOT NULL
);

DROP VIEW tocsin.event;
CREATE VIEW tocsin.event AS
SELECT number, type, alarm_id, signal_id, opened_at, received_at, class, condition, state, verification, priority, count,
    revision,
    coalesce(data, jsonb_build_object(
        'specversion', '1.0',
        'id', tocsin.json_number(number),
        'source', 'tocsin',
        'type', 'io.tocsin.alarm.' || type,
        'subject', protocol || ':' || account || CASE realm WHEN '' THEN '' ELSE '@' || realm END,
        'time', tocsin.json_time(received_at),
        'datacontenttype', 'application/json',
        'sequence', lpad(tocsin.json_number(number), 20, '0'),
        'data', jsonb_build_object(
            'alarm_id', tocsin.json_number(alarm_id),
            'signal_id', tocsin.json_number(signal_id),
            'protocol', protocol,
            'account', account,
            'realm', realm,
            'facility', facility,
            'facility_name', facility_name,
            'area', area,
            'class', class,
            'signal_class', signal_class,
            'condition', condition,
            'state', state,
            'point', point,
            'verification', verification,
            'reason', reason,
            'rule', rule_name,
            'rule_version', rule_version,
            'priority', priority,
            'detectors', detectors,
            'accepted', accepted,
            'revision', revision,
            'count', count,
            'occurred_at', tocsin.json_time(occurred_at),
            'received_at', tocsin.json_time(received_at),
            'first_received_at', tocsin.json_time(opened_at),
            'durable', true,
            'native', native,
            'details', details,
            'by', NULL,                        -- an event that a person made has its JSON in data
            'why', NULL))) AS data,
    facility, facility_name, area, reason, rule_name, rule_version, detectors, accepted
FROM tocsin.event_row;

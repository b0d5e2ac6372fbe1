-- An event is kept in columns, and its CloudEvent is made of them when somebody reads it: the JSON is nine tenths of a
-- row, and to take it apart for jsonb costs more than all else that an event costs.
--
-- tocsin.event_row is what COPY writes; readers use the view tocsin.event, which is what the table of that name was.
-- What the JSON looks like stands in engine/filter/event.pyx; whoever changes it there adds a view here.

ALTER TABLE tocsin.event RENAME TO event_row;
ALTER TABLE tocsin.event_row
    ALTER COLUMN data DROP NOT NULL,       -- where it is there, it is the CloudEvent as it left
    ADD COLUMN occurred_at  timestamptz,   -- from here on: of the signal behind this event, NULL where data is there
    ADD COLUMN protocol     text,
    ADD COLUMN account      text,
    ADD COLUMN realm        text,          -- '' = none
    ADD COLUMN signal_class text,          -- class is the alarm's
    ADD COLUMN point        text,
    ADD COLUMN native       text,
    ADD COLUMN details      jsonb;

CREATE FUNCTION tocsin.json_time(at timestamptz) RETURNS text STABLE STRICT PARALLEL SAFE LANGUAGE sql
RETURN to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"');

-- Outside a number is that within its partition, as text.
CREATE FUNCTION tocsin.json_number(id bigint) RETURNS text IMMUTABLE STRICT PARALLEL SAFE LANGUAGE sql
RETURN (id & 9007199254740991)::text;

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
            'facility', NULL,
            'area', NULL,
            'class', class,
            'signal_class', signal_class,
            'condition', condition,
            'state', state,
            'point', point,
            'verification', verification,
            'priority', priority,
            'revision', revision,
            'count', count,
            'occurred_at', tocsin.json_time(occurred_at),
            'received_at', tocsin.json_time(received_at),
            'first_received_at', tocsin.json_time(opened_at),
            'durable', true,
            'native', native,
            'details', details))) AS data
FROM tocsin.event_row;

-- Most alarms are updated at least once. With half of a page free, and no index on what an update changes, the new
-- version lies beside the old one and no index is written.
ALTER TABLE tocsin.alarm SET (fillfactor = 50);
DROP INDEX tocsin.alarm_open;
CREATE INDEX alarm_open ON tocsin.alarm (id) WHERE cleared_at IS NULL;

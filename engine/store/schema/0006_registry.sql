-- The registry: which buildings there are, what hangs on them, and where it is. People edit it here, by hand, by import
-- or by the API; an engine reads what changed within a second, and a change counts when it is in the engine's journal.
--
-- revision   of the transaction that wrote a row. Transactions that write take a row lock one after another, so
--            revisions become visible in their order, and who has read up to one has missed none.
-- Keys of transmitters are not here: they lie in the engine's data directory.

CREATE TABLE tocsin.registry (                 -- one row
    single   boolean PRIMARY KEY DEFAULT true CHECK (single),
    identity uuid NOT NULL DEFAULT gen_random_uuid(),   -- of this registry; another one is read as a whole
    revision bigint NOT NULL DEFAULT 0
);
INSERT INTO tocsin.registry DEFAULT VALUES;

CREATE TABLE tocsin.area (
    code     text PRIMARY KEY CHECK (code ~ '^[0-9A-Za-z_.-]{1,15}$'),   -- Vietnam: province 2 digits, commune 5
    parent   text REFERENCES tocsin.area DEFERRABLE INITIALLY DEFERRED,  -- NULL: a province
    kind     text NOT NULL CHECK (kind ~ '^[a-z][a-z_]{0,31}$'),   -- province, city; commune, ward, special_zone
    name     text NOT NULL CHECK (octet_length(name) BETWEEN 1 AND 96),
    revision bigint NOT NULL DEFAULT 0
);

CREATE TABLE tocsin.facility (
    id           text PRIMARY KEY CHECK (id ~ '^[0-9A-Za-z_.:-]{1,36}$'),
    name         text NOT NULL CHECK (octet_length(name) BETWEEN 1 AND 96),
    address      text NOT NULL DEFAULT '' CHECK (octet_length(address) <= 400),
    latitude     double precision CHECK (latitude BETWEEN -90 AND 90),       -- degrees, WGS 84
    longitude    double precision CHECK (longitude BETWEEN -180 AND 180),
    kind         text NOT NULL DEFAULT 'other',
    province     text NOT NULL DEFAULT '' CHECK (province ~ '^[0-9A-Za-z_.-]{0,15}$'),
    commune      text NOT NULL DEFAULT '' CHECK (commune ~ '^[0-9A-Za-z_.-]{0,15}$'),
    team         text NOT NULL DEFAULT '' CHECK (team ~ '^[0-9A-Za-z_.-]{0,31}$'),   -- the station that goes there
    verification text NOT NULL DEFAULT 'rules' CHECK (verification IN ('rules', 'none', 'coincidence', 'human')),
    contacts     jsonb NOT NULL DEFAULT '[]'   -- [{"name", "role", "phone", "app"}], the first to be called first
                 CHECK (jsonb_typeof(contacts) = 'array' AND octet_length(contacts::text) <= 20000),
    revision     bigint NOT NULL DEFAULT 0
);

CREATE TABLE tocsin.transmitter (
    key              text PRIMARY KEY CHECK (key ~ '^[a-z0-9]+:[0-9A-Z._+*-]{1,16}(@[a-z0-9][a-z0-9_.-]{0,31})?$'),
    facility         text REFERENCES tocsin.facility ON DELETE SET NULL DEFERRABLE INITIALLY DEFERRED,
    -- '' = the engine's default; a duration or a preset such as DP4
    supervision      text NOT NULL DEFAULT '' CHECK (length(supervision) <= 64),
    network          text NOT NULL DEFAULT '' CHECK (network ~ '^[0-9A-Za-z_.-]{0,31}$'),   -- whose, of its first path
    -- these five as in [[transmitter]] of the configuration; '' = its default
    window_past      text NOT NULL DEFAULT '' CHECK (length(window_past) <= 64),
    window_future    text NOT NULL DEFAULT '' CHECK (length(window_future) <= 64),
    check_clear_stamps boolean NOT NULL DEFAULT false,
    encrypted_only   boolean NOT NULL DEFAULT false,
    stale            text NOT NULL DEFAULT 'late' CHECK (stale IN ('late', 'reject')),
    note             text NOT NULL DEFAULT '' CHECK (octet_length(note) <= 400),
    revision         bigint NOT NULL DEFAULT 0
);
CREATE INDEX transmitter_facility ON tocsin.transmitter (facility);

CREATE TABLE tocsin.point (
    transmitter text NOT NULL REFERENCES tocsin.transmitter ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED,
    point       text NOT NULL CHECK (octet_length(point) BETWEEN 1 AND 64),   -- as in its signals
    condition   text NOT NULL DEFAULT '',      -- what it detects: smoke, heat, manual_call_point, ...; '' = as it says
    zone        text NOT NULL DEFAULT '' CHECK (octet_length(zone) <= 31),    -- what counts as one zone; '' = as it says
    place       text NOT NULL DEFAULT '' CHECK (octet_length(place) <= 200),   -- where in the building, for people
    revision    bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (transmitter, point)
);

-- Who changed what and why; written in the transaction of the change itself, and never changed.
CREATE TABLE tocsin.registry_audit (
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at     timestamptz NOT NULL DEFAULT now(),
    action text NOT NULL,                      -- put, delete, set_key, remove_key, import
    kind   text NOT NULL,                      -- as registry_gone.kind
    key    text NOT NULL DEFAULT '',           -- empty: of many; how many stands in detail
    point  text NOT NULL DEFAULT '',
    by     text NOT NULL,
    why    text NOT NULL,
    token  text NOT NULL DEFAULT '',           -- whose token it came with; empty: none was needed, or by a file
    detail jsonb NOT NULL DEFAULT '{}'         -- what was before; of an import: added, changed, removed
);
CREATE INDEX registry_audit_key ON tocsin.registry_audit (kind, key, number);

-- What was deleted, so that who follows hears of it.
CREATE TABLE tocsin.registry_gone (
    revision bigint NOT NULL,
    kind     text NOT NULL,                    -- facility, transmitter, point, area
    key      text NOT NULL,
    point    text NOT NULL DEFAULT ''
);
CREATE INDEX registry_gone_revision ON tocsin.registry_gone (revision);
CREATE INDEX facility_commune ON tocsin.facility (commune, id);
CREATE INDEX facility_province ON tocsin.facility (province, id);
CREATE INDEX facility_revision ON tocsin.facility (revision);
CREATE INDEX transmitter_revision ON tocsin.transmitter (revision);
CREATE INDEX point_revision ON tocsin.point (revision);

-- The revision of this transaction: its first call takes the lock and the number.
CREATE FUNCTION tocsin.registry_revision() RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE mine text := current_setting('tocsin.revision', true);
BEGIN
    IF mine IS NULL OR mine = '' THEN
        UPDATE tocsin.registry SET revision = revision + 1 RETURNING revision INTO mine;
        PERFORM set_config('tocsin.revision', mine, true);
        PERFORM pg_notify('tocsin_registry', mine);
    END IF;
    RETURN mine;
END $$;

CREATE FUNCTION tocsin.registry_written() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.revision := tocsin.registry_revision();
    RETURN NEW;
END $$;

CREATE FUNCTION tocsin.registry_deleted() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO tocsin.registry_gone (revision, kind, key, point) SELECT tocsin.registry_revision(), TG_TABLE_NAME,
        coalesce(row ->> 'key', row ->> 'id', row ->> 'transmitter', row ->> 'code'), coalesce(row ->> 'point', '')
    FROM to_jsonb(OLD) AS row;
    RETURN NULL;
END $$;

-- After a TRUNCATE nobody can say what was deleted: a new identity makes it be read as a whole.
CREATE FUNCTION tocsin.registry_emptied() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM tocsin.registry_revision();
    UPDATE tocsin.registry SET identity = gen_random_uuid();
    RETURN NULL;
END $$;

DO $$
DECLARE kind text;
BEGIN
    FOREACH kind IN ARRAY ARRAY['area', 'facility', 'transmitter', 'point'] LOOP
        EXECUTE format('CREATE TRIGGER %1$s_written BEFORE INSERT OR UPDATE ON tocsin.%1$s FOR EACH ROW '
                       'EXECUTE FUNCTION tocsin.registry_written()', kind);
        EXECUTE format('CREATE TRIGGER %1$s_deleted AFTER DELETE ON tocsin.%1$s FOR EACH ROW '
                       'EXECUTE FUNCTION tocsin.registry_deleted()', kind);
        EXECUTE format('CREATE TRIGGER %1$s_emptied AFTER TRUNCATE ON tocsin.%1$s FOR EACH STATEMENT '
                       'EXECUTE FUNCTION tocsin.registry_emptied()', kind);
    END LOOP;
END $$;

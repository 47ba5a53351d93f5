-- The log: facts in order, only ever appended to. Opaque ids and numbers alone stand here.
CREATE TABLE log (
    seq     INTEGER PRIMARY KEY AUTOINCREMENT,
    at      INTEGER NOT NULL,                -- milliseconds since 1970, UTC
    kind    TEXT NOT NULL,
    subject TEXT NOT NULL,                   -- s12 source, b7 builder, e99 entry (seq of its EntrySeen), 2026-W47 week
    detail  TEXT NOT NULL                    -- JSON, or empty
) STRICT;
CREATE TRIGGER log_keeps_its_lines BEFORE UPDATE ON log BEGIN SELECT RAISE(ABORT, 'the log is only appended to'); END;
CREATE TRIGGER log_loses_nothing BEFORE DELETE ON log BEGIN SELECT RAISE(ABORT, 'the log is only appended to'); END;
CREATE INDEX log_rare ON log (kind, seq)
    WHERE kind NOT IN ('EntrySeen', 'EntryChanged', 'EntryLeft', 'Sampled');

CREATE INDEX log_changes ON log (subject, seq) WHERE kind = 'EntryChanged';

-- The texts of the log's lines, which can be erased without touching the log.
CREATE TABLE payload (
    seq  INTEGER PRIMARY KEY REFERENCES log (seq),
    body TEXT NOT NULL
) STRICT;

-- The roster: people's data, erasable.
CREATE TABLE builders (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    slug       TEXT NOT NULL UNIQUE,
    name       TEXT NOT NULL,
    body       TEXT NOT NULL                 -- the whole builder as JSON
) STRICT;
CREATE INDEX builders_stopped ON builders (id) WHERE body ->> '$.switches.stop_collecting';
CREATE TABLE sources (
    id      INTEGER PRIMARY KEY AUTOINCREMENT,
    kind    TEXT NOT NULL,
    locator TEXT NOT NULL,
    url     TEXT NOT NULL,
    paused  INTEGER NOT NULL DEFAULT 0,
    left    INTEGER NOT NULL DEFAULT 0,
    UNIQUE (kind, locator)
) STRICT;
CREATE TABLE owners (
    source  INTEGER NOT NULL REFERENCES sources (id),
    builder INTEGER NOT NULL REFERENCES builders (id),
    author  TEXT,
    filters TEXT NOT NULL DEFAULT '',        -- which entries count, JSON; empty where all do
    PRIMARY KEY (source, builder)
) STRICT, WITHOUT ROWID;
CREATE INDEX owners_of_builder ON owners (builder);

-- The account behind a source, as its platform told it: credits go by the id, pages show the newest name. Each change is
-- a RosterChanged fact.
CREATE TABLE accounts (
    source INTEGER PRIMARY KEY REFERENCES sources (id),
    id     TEXT NOT NULL,
    name   TEXT NOT NULL
) STRICT;
-- Keyed hashes of what named people who were erased: an import refuses them, a shared source does not bring them back.
CREATE TABLE erased (
    hash TEXT PRIMARY KEY,
    at   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- What is remembered of a source between polls.
CREATE TABLE source_states (
    source INTEGER PRIMARY KEY REFERENCES sources (id),
    status TEXT NOT NULL,
    body   TEXT NOT NULL                     -- the state as JSON, without its times
) STRICT;
CREATE TABLE source_times (                  -- what every poll moves: kept apart, so that a quiet one writes little
    source          INTEGER PRIMARY KEY REFERENCES sources (id),
    next_poll_at    INTEGER,
    not_before      INTEGER,
    last_poll_at    INTEGER,
    last_success_at INTEGER,
    interval_s      INTEGER NOT NULL
) STRICT;
-- Polls that brought something or went wrong; one that found nothing new only moves the times.
CREATE TABLE polls (
    source     INTEGER NOT NULL REFERENCES sources (id),
    at         INTEGER NOT NULL,
    outcome    TEXT NOT NULL,
    status     INTEGER,
    elapsed_ms INTEGER NOT NULL,
    bytes      INTEGER NOT NULL,
    body       TEXT NOT NULL,
    PRIMARY KEY (source, at)
) STRICT, WITHOUT ROWID;
CREATE INDEX polls_by_time ON polls (at);

-- The documents that changed something, zstd: a keyframe whole, what follows it as differences from it. A keyframe and
-- what leans on it are a segment, and are dropped together.
CREATE TABLE evidence (
    id       INTEGER PRIMARY KEY,            -- with row ids: its rows are too long to live in an index
    source   INTEGER NOT NULL REFERENCES sources (id),
    at       INTEGER NOT NULL,               -- of the poll; all documents of one poll have the same
    asked    TEXT NOT NULL,                  -- the address that was asked
    page     INTEGER NOT NULL,
    about    TEXT,                           -- the platform key of the one entry it tells of
    keyframe INTEGER,                        -- the document that this one is the difference to
    hash     TEXT NOT NULL,                  -- SHA-256 of the document, hex
    media    TEXT,                           -- content type
    url      TEXT NOT NULL,                  -- the address that answered
    size     INTEGER NOT NULL,
    body     BLOB NOT NULL,
    UNIQUE (source, at, asked)
) STRICT;
CREATE INDEX evidence_keyframes ON evidence (source, asked, at) WHERE keyframe IS NULL;
CREATE INDEX evidence_segments ON evidence (keyframe) WHERE keyframe IS NOT NULL;

-- How far the older pages of a source were read.
CREATE TABLE backfills (
    source  INTEGER PRIMARY KEY REFERENCES sources (id),
    url     TEXT NOT NULL,                   -- of the page to go on with
    page    INTEGER NOT NULL,
    at      INTEGER NOT NULL,
    done_at INTEGER
) STRICT;

-- Where each entry stands in the log. Kept by every poll, computable from the log alone.
CREATE TABLE entries (
    id            INTEGER PRIMARY KEY,       -- seq of its EntrySeen
    source        INTEGER NOT NULL REFERENCES sources (id),
    key           TEXT NOT NULL,
    fingerprint   TEXT NOT NULL,
    last          INTEGER NOT NULL,          -- seq of the newest EntrySeen or EntryChanged
    dated         INTEGER,                   -- seq of the EntryChanged that corrects the dates of its EntrySeen
    first_seen_at INTEGER NOT NULL,
    changed_at    INTEGER,
    left_at       INTEGER,
    beyond        INTEGER NOT NULL DEFAULT 0, -- found on an older page: that polls do not show it says nothing
    address       TEXT,                      -- key of the address of its newest telling
    shared        INTEGER NOT NULL DEFAULT 0, -- others of the same document had that address too
    UNIQUE (source, key)
) STRICT;
-- Addresses that an entry had before its newest telling.
CREATE TABLE former_addresses (
    source INTEGER NOT NULL,
    entry  INTEGER NOT NULL,
    key    TEXT NOT NULL,
    PRIMARY KEY (source, entry, key)
) STRICT, WITHOUT ROWID;
-- By which names the entries of a source call their makers: whom a change of the roster may concern.
CREATE TABLE bylines (
    name   TEXT NOT NULL,
    source INTEGER NOT NULL REFERENCES sources (id),
    PRIMARY KEY (name, source)
) STRICT, WITHOUT ROWID;
CREATE TABLE samples (
    entry    INTEGER NOT NULL,
    age      INTEGER NOT NULL,               -- hours of the grid
    at       INTEGER NOT NULL,
    counts   TEXT NOT NULL,
    PRIMARY KEY (entry, age)
) STRICT, WITHOUT ROWID;

-- Derived: computed from the facts under one version of the rules, never edited.
CREATE TABLE entry_keys (
    key   TEXT NOT NULL,
    entry INTEGER NOT NULL,
    PRIMARY KEY (key, entry)
) STRICT, WITHOUT ROWID;
CREATE INDEX entry_keys_of_entry ON entry_keys (entry);
CREATE TABLE activities (                    -- with row ids: its rows are too long to live in an index
    id            TEXT NOT NULL PRIMARY KEY,
    kind          TEXT NOT NULL,
    title         TEXT NOT NULL,
    url           TEXT,
    published_at  INTEGER,
    effective_at  INTEGER NOT NULL,
    first_seen_at INTEGER NOT NULL,
    backfill      INTEGER NOT NULL,
    body          TEXT NOT NULL              -- the rest of the activity, as JSON
) STRICT;
CREATE INDEX activities_by_time ON activities (effective_at, id);
CREATE INDEX activities_by_finding ON activities (first_seen_at, effective_at, id);
CREATE INDEX activities_ahead ON activities (published_at) WHERE kind IN ('talk', 'event');
CREATE TABLE sightings (
    entry    INTEGER PRIMARY KEY,
    activity TEXT NOT NULL
) STRICT;
CREATE INDEX sightings_of_activity ON sightings (activity);
CREATE TABLE credits (
    activity TEXT NOT NULL,
    builder  INTEGER NOT NULL,
    role     TEXT NOT NULL,
    basis    TEXT NOT NULL,
    effective_at INTEGER NOT NULL,
    host     TEXT NOT NULL,                  -- where it stands, if it may be compared with pieces on other hosts
    kind     TEXT NOT NULL,                  -- of the activity
    PRIMARY KEY (activity, builder)
) STRICT, WITHOUT ROWID;
CREATE INDEX credits_of_builder ON credits (builder, effective_at, host, kind);
CREATE TABLE activity_keys (
    key      TEXT NOT NULL,
    activity TEXT NOT NULL,
    PRIMARY KEY (key, activity)
) STRICT, WITHOUT ROWID;
CREATE INDEX activity_keys_of_activity ON activity_keys (activity);
CREATE TABLE aliases (
    alias    TEXT PRIMARY KEY,               -- an activity id that another key of the same activity would have given
    activity TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX aliases_of_activity ON aliases (activity);
CREATE TABLE works (
    id         TEXT PRIMARY KEY,
    primary_id TEXT NOT NULL,
    members    INTEGER NOT NULL,             -- how many activities it has
    topic      TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE work_members (
    activity  TEXT PRIMARY KEY,
    work      TEXT NOT NULL,
    rule      TEXT NOT NULL,
    joined_to TEXT
) STRICT, WITHOUT ROWID;
CREATE INDEX work_members_of_work ON work_members (work);
CREATE TABLE responses (                     -- of works that a platform counts: what later ones of a builder are compared with
    builder    INTEGER NOT NULL,
    platform   TEXT NOT NULL,
    kind       TEXT NOT NULL,
    at         INTEGER NOT NULL,             -- when it came out
    work       TEXT NOT NULL,
    confidence INTEGER NOT NULL,             -- of its topic
    substance  TEXT NOT NULL,
    h24        INTEGER,                      -- the response at each age of the grid
    h48        INTEGER,
    h72        INTEGER,
    h168       INTEGER,
    PRIMARY KEY (builder, platform, kind, at, work)
) STRICT, WITHOUT ROWID;
CREATE INDEX responses_of_work ON responses (work);
CREATE TABLE link_checks (
    url    TEXT NOT NULL,
    at     INTEGER NOT NULL,
    status INTEGER,
    PRIMARY KEY (url, at)
) STRICT, WITHOUT ROWID;

-- Digests: where each week stands; texts in the payloads of DraftMade, bytes in editions.
CREATE TABLE digests (
    week         TEXT PRIMARY KEY,
    state        TEXT NOT NULL,
    draft_seq    INTEGER NOT NULL REFERENCES log (seq),
    draft_hash   TEXT NOT NULL,
    made_at      INTEGER NOT NULL,
    approved_at  INTEGER,
    approved_by  TEXT,
    publish_at   INTEGER,
    published_at INTEGER,
    edition      INTEGER NOT NULL DEFAULT 0, -- of what is published; 0 before
    sealed       TEXT                        -- hash of that edition
) STRICT, WITHOUT ROWID;
CREATE TABLE editions (
    week    TEXT NOT NULL,
    edition INTEGER NOT NULL,
    format  TEXT NOT NULL,
    hash    TEXT NOT NULL,                   -- SHA-256 of the bytes, hex
    bytes   BLOB NOT NULL,
    PRIMARY KEY (week, edition, format)
) STRICT, WITHOUT ROWID;
CREATE TRIGGER editions_are_published BEFORE UPDATE ON editions BEGIN SELECT RAISE(ABORT, 'published bytes never change'); END;

-- What editors did with drafts. Each line belongs to a Decision in the log; the desk is what stands after the last edit.
CREATE TABLE edits (
    week     TEXT NOT NULL,
    revision INTEGER NOT NULL,               -- 1, 2, 3 …: an edit is taken on the last one alone
    seq      INTEGER NOT NULL REFERENCES log (seq),
    body     TEXT NOT NULL,
    PRIMARY KEY (week, revision)
) STRICT, WITHOUT ROWID;
CREATE TABLE marks (                         -- ticks, reviews, words to authors: they change no digest
    seq  INTEGER PRIMARY KEY REFERENCES log (seq),
    week TEXT NOT NULL,
    body TEXT NOT NULL
) STRICT;
CREATE INDEX marks_of_week ON marks (week, seq);
CREATE TABLE pools (                         -- the works that could have a place in a draft: JSON, zstd
    draft INTEGER PRIMARY KEY REFERENCES log (seq),
    body  BLOB NOT NULL
) STRICT;
CREATE TABLE desks (
    week      TEXT PRIMARY KEY,
    revision  INTEGER NOT NULL,
    edit_hash TEXT,
    desk      TEXT NOT NULL,                 -- what pages show; of outcomes, the late shelf alone
    gist      TEXT NOT NULL,                 -- what later weeks and figures ask of it
    body      TEXT                           -- the digest as edited; none while it is as computed
) STRICT;
CREATE TABLE verdicts (                      -- what published digests said of each activity
    activity TEXT NOT NULL,
    week     TEXT NOT NULL,
    code     TEXT NOT NULL,
    PRIMARY KEY (activity, week)
) STRICT, WITHOUT ROWID;
CREATE TABLE featured_addresses (            -- what published digests linked to
    key  TEXT NOT NULL,
    week TEXT NOT NULL,
    PRIMARY KEY (key, week)
) STRICT, WITHOUT ROWID;
CREATE TABLE corrections (                   -- of published digests; each is an edition of its own
    seq  INTEGER PRIMARY KEY REFERENCES log (seq),
    week TEXT NOT NULL,
    at   INTEGER NOT NULL,
    text TEXT NOT NULL
) STRICT;
CREATE INDEX corrections_by_time ON corrections (at);

-- Deliveries: one message to one place. Every step is a fact of the log too; addresses and messages stand here and in the
-- payloads alone.
CREATE TABLE delivery_plans (
    week TEXT PRIMARY KEY,                   -- what goes where was planned, once
    at   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE deliveries (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    week       TEXT NOT NULL,
    channel    TEXT NOT NULL,                -- its name in the settings
    kind       TEXT NOT NULL,
    part       INTEGER NOT NULL,             -- 1 …
    parts      INTEGER NOT NULL,
    state      TEXT NOT NULL,                -- planned, trying, offered, sent, doubt, failed
    attempts   INTEGER NOT NULL DEFAULT 0,
    repeats    INTEGER NOT NULL DEFAULT 0,   -- sent again although it may have arrived
    hash       TEXT NOT NULL,                -- SHA-256 of the message, hex
    mark       TEXT NOT NULL,                -- Message-ID, or the id that a webhook is sent with
    target     TEXT NOT NULL,
    planned_at INTEGER NOT NULL,
    next_at    INTEGER NOT NULL,
    not_before INTEGER,                      -- until then the place asked for peace
    ended_at   INTEGER,
    note       TEXT NOT NULL DEFAULT '',
    body       BLOB NOT NULL,
    fallback   BLOB,
    UNIQUE (week, channel, part)
) STRICT;
CREATE INDEX deliveries_open ON deliveries (state) WHERE state IN ('planned', 'trying', 'offered', 'doubt');

-- The ledger of posts about featured works, made by hand.
CREATE TABLE amplified (
    seq     INTEGER PRIMARY KEY REFERENCES log (seq),
    week    TEXT NOT NULL,
    work    TEXT NOT NULL,
    channel TEXT NOT NULL,
    url     TEXT NOT NULL,
    person  TEXT NOT NULL,
    at      INTEGER NOT NULL,
    UNIQUE (week, work, channel, url)
) STRICT;
CREATE TABLE amplified_builders (
    seq     INTEGER NOT NULL REFERENCES amplified (seq),
    builder INTEGER NOT NULL,
    PRIMARY KEY (seq, builder)
) STRICT, WITHOUT ROWID;
CREATE INDEX amplified_of_builder ON amplified_builders (builder);

-- Timed tasks: every slot runs exactly once, or is recorded as missed.
CREATE TABLE slots (
    job         TEXT NOT NULL,
    slot_at     INTEGER NOT NULL,
    state       TEXT NOT NULL,               -- claimed, done, failed, missed
    worker      TEXT NOT NULL,
    lease_until INTEGER NOT NULL,
    started_at  INTEGER NOT NULL,
    finished_at INTEGER,
    note        TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (job, slot_at)
) STRICT, WITHOUT ROWID;

-- Who may sign in, and who is signed in: erasable. What they did stays in `audit`, editorial decisions in the log.
CREATE TABLE users (
    key        TEXT PRIMARY KEY,             -- the name as it is compared: folded
    name       TEXT NOT NULL,
    roles      TEXT NOT NULL,                -- staff, operator, or both with a blank between
    password   TEXT,                         -- argon2id, as a PHC string; none for whom a proxy signs in
    created_at INTEGER NOT NULL,
    changed_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE builder_links (
    hash       TEXT PRIMARY KEY,             -- SHA-256 of the secret part of the address, hex
    builder    INTEGER NOT NULL REFERENCES builders (id),
    made_by    TEXT NOT NULL,
    made_at    INTEGER NOT NULL,
    used_at    INTEGER,
    revoked_at INTEGER
) STRICT, WITHOUT ROWID;
CREATE TABLE sessions (
    hash      TEXT PRIMARY KEY,              -- SHA-256 of what the cookie holds, hex
    account   TEXT REFERENCES users (key),
    link      TEXT REFERENCES builder_links (hash),
    opened_at INTEGER NOT NULL,
    used_at   INTEGER NOT NULL,
    agent     TEXT NOT NULL                  -- what the browser calls itself
) STRICT, WITHOUT ROWID;
CREATE INDEX sessions_of_account ON sessions (account);
CREATE INDEX sessions_of_link ON sessions (link);
CREATE TABLE audit (
    id    INTEGER PRIMARY KEY AUTOINCREMENT,
    at    INTEGER NOT NULL,
    who   TEXT NOT NULL,
    what  TEXT NOT NULL,
    about TEXT NOT NULL
) STRICT;
CREATE TRIGGER audit_keeps_its_lines BEFORE UPDATE ON audit BEGIN SELECT RAISE(ABORT, 'the audit log is only appended to'); END;

CREATE TABLE meta (
    key   TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO meta VALUES ('settled_seq', '0');

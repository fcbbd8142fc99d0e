"""The tables of the catalog: what each holds, and what its indices are for.

Other tables point at a revision, a record or a base by its number, so that a million revisions stay small and
their rows are appended in order; only the two look-ups by hash (`revision`, `training_key`) land anywhere.
"""

from __future__ import annotations

SCHEMA_VERSION = 2

SCHEMA: tuple[str, ...] = (
    """
    CREATE TABLE bases (
        id INTEGER PRIMARY KEY,
        name TEXT NOT NULL,               -- a label
        fingerprint TEXT NOT NULL,        -- SHA-256 of the base's files
        UNIQUE (fingerprint, name)
    )""",
    """
    CREATE TABLE shapes (
        id INTEGER PRIMARY KEY,
        rank INTEGER NOT NULL,
        targets TEXT NOT NULL,            -- sorted, comma between; '' when unknown
        layout TEXT NOT NULL,             -- SHA-256 of module paths and widths; '' when unknown
        layers INTEGER NOT NULL,          -- linears with factors; 0 when unknown
        parameters INTEGER NOT NULL,      -- 0 when unknown
        dtype TEXT NOT NULL,              -- F32, F16 or BF16; '' when unknown
        UNIQUE (rank, targets, layout, layers, parameters, dtype)
    )""",
    # Files that hold many revisions each
    """
    CREATE TABLE packs (
        id INTEGER PRIMARY KEY,
        file TEXT NOT NULL UNIQUE,        -- below the store's folder
        sha256 TEXT NOT NULL,
        size INTEGER NOT NULL,
        created_at TEXT NOT NULL
    )""",
    """
    CREATE TABLE revisions (
        id INTEGER PRIMARY KEY,
        revision TEXT NOT NULL UNIQUE,
        base INTEGER NOT NULL REFERENCES bases (id),
        shape INTEGER NOT NULL REFERENCES shapes (id),
        pack INTEGER REFERENCES packs (id),   -- NULL: a folder of its own
        kind TEXT NOT NULL,
        seed INTEGER NOT NULL,
        data_hash TEXT NOT NULL,
        training_key TEXT NOT NULL,
        parent TEXT,
        created_at TEXT NOT NULL,
        size INTEGER NOT NULL,            -- bytes of all files, or of its part of the pack
        manifest_sha256 TEXT NOT NULL,    -- of the bytes of manifest.json
        state TEXT NOT NULL DEFAULT 'registered'
    )""",
    "CREATE INDEX revisions_by_training ON revisions (substr(training_key, 1, 16))",
    "CREATE INDEX revisions_by_pack ON revisions (pack) WHERE pack IS NOT NULL",
    "CREATE INDEX revisions_by_state ON revisions (state) WHERE state <> 'registered'",
    # Policy records: whom a name stands for, and which revision it selects
    """
    CREATE TABLE records (
        id INTEGER PRIMARY KEY,
        name TEXT NOT NULL UNIQUE,
        kind TEXT NOT NULL,               -- person or role
        person TEXT NOT NULL,             -- the person's id in the corpus, '' for none
        base INTEGER NOT NULL REFERENCES bases (id),
        shape INTEGER NOT NULL REFERENCES shapes (id),
        head INTEGER NOT NULL REFERENCES revisions (id),
        sequence INTEGER NOT NULL,        -- of the head's entry in the history
        parent INTEGER REFERENCES records (id),            -- branched from this record ...
        parent_revision INTEGER REFERENCES revisions (id), -- ... at this revision
        served INTEGER REFERENCES revisions (id),          -- where requests to the name go; NULL: nowhere
        retired_at TEXT,                  -- NULL while it is in use
        created_at TEXT NOT NULL
    )""",
    # Without these two, each revision that is deleted would make SQLite look through all records
    "CREATE INDEX records_by_head ON records (head)",
    "CREATE INDEX records_by_parent_revision ON records (parent_revision) WHERE parent_revision IS NOT NULL",
    "CREATE INDEX records_by_served ON records (served) WHERE served IS NOT NULL",
    "CREATE INDEX records_by_base ON records (base, name)",
    "CREATE INDEX records_by_person ON records (person, name) WHERE person <> ''",
    "CREATE INDEX records_by_parent ON records (parent) WHERE parent IS NOT NULL",
    # What each record has stood for, and why it changed
    """
    CREATE TABLE history (
        record INTEGER NOT NULL REFERENCES records (id),
        sequence INTEGER NOT NULL,        -- 1, 2, 3, ...
        revision INTEGER NOT NULL REFERENCES revisions (id),
        event TEXT NOT NULL,              -- publish, rollback or branch
        at TEXT NOT NULL,
        PRIMARY KEY (record, sequence)
    ) WITHOUT ROWID""",
    "CREATE INDEX history_by_revision ON history (revision)",
    """
    CREATE TABLE tags (
        tag TEXT PRIMARY KEY,
        revision INTEGER NOT NULL REFERENCES revisions (id),
        at TEXT NOT NULL
    ) WITHOUT ROWID""",
    "CREATE INDEX tags_by_revision ON tags (revision)",
    # Serving states: the log behind revisions.state
    """
    CREATE TABLE transitions (
        id INTEGER PRIMARY KEY,
        revision INTEGER NOT NULL REFERENCES revisions (id) ON DELETE CASCADE,
        source TEXT NOT NULL,
        target TEXT NOT NULL,
        reason TEXT NOT NULL,
        record INTEGER REFERENCES records (id) ON DELETE SET NULL,  -- whose retirement caused it
        at TEXT NOT NULL
    )""",
    "CREATE INDEX transitions_by_revision ON transitions (revision)",
    "CREATE INDEX transitions_by_record ON transitions (record) WHERE record IS NOT NULL",
    # Rollouts and evaluations; base and targets are those of the revision
    """
    CREATE TABLE evidence (
        id INTEGER PRIMARY KEY,
        revision INTEGER NOT NULL REFERENCES revisions (id),
        kind TEXT NOT NULL,               -- rollout or evaluation
        renderer TEXT NOT NULL,
        scorer TEXT NOT NULL,
        serving_path TEXT NOT NULL,
        run TEXT NOT NULL,
        condition TEXT NOT NULL,
        seed INTEGER,
        at TEXT NOT NULL
    )""",
    "CREATE INDEX evidence_by_revision ON evidence (revision)",
    "CREATE TRIGGER evidence_is_never_changed BEFORE UPDATE ON evidence "
    "BEGIN SELECT raise(ABORT, 'evidence is append-only'); END",
    "CREATE TRIGGER evidence_is_never_deleted BEFORE DELETE ON evidence "
    "BEGIN SELECT raise(ABORT, 'evidence is append-only'); END",
    "CREATE TABLE metrics (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE)",
    """
    CREATE TABLE scores (
        metric INTEGER NOT NULL REFERENCES metrics (id),
        value REAL NOT NULL,
        revision INTEGER NOT NULL REFERENCES revisions (id) ON DELETE CASCADE,
        evidence INTEGER NOT NULL,        -- 0: of the revision's own manifest
        PRIMARY KEY (metric, value, revision, evidence)
    ) WITHOUT ROWID""",
    "CREATE INDEX scores_by_revision ON scores (revision)",
    # Training state apart from revisions, one row for every record that ever had a session
    """
    CREATE TABLE sessions (
        name TEXT PRIMARY KEY,            -- of the policy record
        token INTEGER NOT NULL,           -- fencing: grows by one with every writer
        generation INTEGER NOT NULL,      -- how many saves there were
        file TEXT,                        -- of the last save; NULL when nothing is saved
        size INTEGER NOT NULL,
        sha256 TEXT NOT NULL,
        parent TEXT,                      -- revision that the state continues
        saved_at TEXT NOT NULL            -- '' for never
    ) WITHOUT ROWID""",
    # What garbage collection has unnamed; the files go when the grace period is over
    """
    CREATE TABLE condemned (
        file TEXT PRIMARY KEY,            -- a revision's folder or a pack, below the store's folder
        condemned_at TEXT NOT NULL
    ) WITHOUT ROWID""",
)
"""The statements that make an empty catalog of the present version."""

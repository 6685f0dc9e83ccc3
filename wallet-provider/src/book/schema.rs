//! The tables.

/// Makes the tables that are not there.
pub(super) const SCHEMA: &str = "
    PRAGMA journal_mode = WAL;
    PRAGMA synchronous = FULL;
    CREATE TABLE IF NOT EXISTS users (
        user TEXT NOT NULL,
        currency TEXT NOT NULL,
        balance INTEGER NOT NULL,
        PRIMARY KEY (user, currency)
    ) STRICT;
    -- A tombstone has no body. `place` is the order in which operations were made.
    CREATE TABLE IF NOT EXISTS operations (
        place INTEGER PRIMARY KEY AUTOINCREMENT,
        id TEXT NOT NULL UNIQUE,
        kind INTEGER NOT NULL,
        state INTEGER NOT NULL,
        user TEXT NOT NULL,
        currency TEXT NOT NULL,
        minor_units INTEGER NOT NULL,
        captured INTEGER NOT NULL,
        body BLOB,
        decline BLOB,
        reserve_id TEXT NOT NULL,
        created_at INTEGER NOT NULL
    ) STRICT;
    CREATE INDEX IF NOT EXISTS operations_of_user ON operations (user, currency, state);
    CREATE INDEX IF NOT EXISTS operations_of_reserve ON operations (reserve_id);
";

-- Who is signed in. SQLite, in a file of its own beside the warehouse. Times are seconds since 1970, UTC.
-- grain: digest
CREATE TABLE IF NOT EXISTS sessions (
    digest BLOB PRIMARY KEY,  -- SHA-256 of the cookie's value, which stands nowhere.
    name TEXT NOT NULL,  -- Account.
    fingerprint BLOB NOT NULL,  -- Of the account as it was when it signed in: password, role and teams.
    began_at REAL NOT NULL,
    seen_at REAL NOT NULL,  -- When its person last did something, to the minute.
    address TEXT NOT NULL  -- From where it signed in.
) WITHOUT ROWID;

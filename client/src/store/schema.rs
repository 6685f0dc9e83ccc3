//! The schema, by version. A released version is never edited; the next one is appended.

use rusqlite::{Connection, TransactionBehavior};

use super::StoreError;

const VERSIONS: [&str; 7] =
    [V1, ACCOUNTS, CONTENTS, REPAIR, FORMER_ACCOUNTS, OPENED_ENVELOPES, COUNTED_MESSAGES];

const V1: &str = "
CREATE TABLE own_device (
    only INTEGER PRIMARY KEY CHECK (only = 1),
    keys BLOB NOT NULL,
    root BLOB,
    registered INTEGER NOT NULL
) STRICT;

-- Every account that this device has verified, its own among them.
CREATE TABLE account (
    user BLOB PRIMARY KEY,
    state BLOB NOT NULL,
    verified_fingerprint BLOB,
    changed_from BLOB
) STRICT;

CREATE TABLE session (
    device BLOB PRIMARY KEY,
    record BLOB NOT NULL
) STRICT;

CREATE TABLE prekey (
    role INTEGER NOT NULL,
    id INTEGER NOT NULL,
    private BLOB NOT NULL,
    create_seconds INTEGER NOT NULL,
    replace_seconds INTEGER,
    published INTEGER NOT NULL,
    PRIMARY KEY (role, id)
) STRICT;

CREATE TABLE prekey_counter (
    role INTEGER PRIMARY KEY,
    next_id INTEGER NOT NULL
) STRICT;

CREATE TABLE replay_marker (
    marker BLOB PRIMARY KEY,
    expire_seconds INTEGER NOT NULL
) STRICT;

CREATE TABLE chat (
    chat BLOB PRIMARY KEY,
    peer BLOB NOT NULL,
    host_tenant BLOB NOT NULL,
    lamport INTEGER NOT NULL
) STRICT;

CREATE TABLE message (
    sender BLOB NOT NULL,
    message BLOB NOT NULL,
    chat BLOB NOT NULL REFERENCES chat (chat),
    lamport INTEGER NOT NULL,
    body TEXT NOT NULL,
    write_micros INTEGER NOT NULL,
    save_micros INTEGER NOT NULL,
    outgoing INTEGER NOT NULL,
    state INTEGER NOT NULL,
    from_removed_device INTEGER NOT NULL,
    PRIMARY KEY (sender, message)
) STRICT;

CREATE INDEX message_by_place ON message (chat, lamport, sender);

CREATE TABLE outbox (
    message BLOB PRIMARY KEY,
    chat BLOB NOT NULL,
    content BLOB NOT NULL,
    position INTEGER NOT NULL
) STRICT;

CREATE TABLE undecryptable (
    envelope TEXT PRIMARY KEY,
    claimed_sender BLOB,
    reason TEXT NOT NULL,
    save_micros INTEGER NOT NULL
) STRICT;
";

/// Devices of one's own, recovery and reset.
const ACCOUNTS: &str = "
-- When the account stopped listing the device, in unix seconds; NULL while it does.
ALTER TABLE session ADD COLUMN stale_seconds INTEGER;

-- What the approver of this device said about users whose account this device has not seen yet.
CREATE TABLE contact (
    user BLOB PRIMARY KEY,
    fingerprint BLOB NOT NULL,
    verified INTEGER NOT NULL,
    changed_from BLOB
) STRICT;

CREATE TABLE device_name (
    device BLOB PRIMARY KEY,
    name TEXT NOT NULL,
    set_micros INTEGER NOT NULL
) STRICT;

-- A reset of the account that the service has announced.
CREATE TABLE account_reset (
    only INTEGER PRIMARY KEY CHECK (only = 1),
    request_micros INTEGER NOT NULL,
    effective_micros INTEGER NOT NULL,
    expire_micros INTEGER NOT NULL
) STRICT;
";

/// Contents of every kind, not texts alone.
const CONTENTS: &str = "
-- Without a chat for what goes to own devices alone.
CREATE TABLE outbox_anew (
    message BLOB PRIMARY KEY,
    chat BLOB,
    content BLOB NOT NULL,
    position INTEGER NOT NULL
) STRICT;
INSERT INTO outbox_anew SELECT message, chat, content, position FROM outbox;
DROP TABLE outbox;
ALTER TABLE outbox_anew RENAME TO outbox;

-- Contents other than texts that have been opened: one offered again is recognised.
CREATE TABLE opened (
    sender BLOB NOT NULL,
    message BLOB NOT NULL,
    save_micros INTEGER NOT NULL,
    PRIMARY KEY (sender, message)
) STRICT;
CREATE INDEX opened_by_age ON opened (save_micros);

ALTER TABLE message ADD COLUMN reply_to_sender BLOB;
ALTER TABLE message ADD COLUMN reply_to_message BLOB;
ALTER TABLE message ADD COLUMN disappear_seconds INTEGER NOT NULL DEFAULT 0;
-- Since when its time to disappear counts; NULL until it does.
ALTER TABLE message ADD COLUMN count_from_micros INTEGER;
-- Set when it has disappeared; the row stays for as long as the message could be offered again.
ALTER TABLE message ADD COLUMN expire_micros INTEGER;
CREATE INDEX message_to_expire ON message (count_from_micros + disappear_seconds * 1000000)
    WHERE disappear_seconds > 0 AND count_from_micros IS NOT NULL AND expire_micros IS NULL;
UPDATE message SET state = 2 WHERE outgoing AND state = 4;

-- What users have said about messages, whether the message has come or not.
CREATE TABLE annotation (
    chat BLOB NOT NULL,
    sender BLOB NOT NULL,
    message BLOB NOT NULL,
    kind INTEGER NOT NULL,
    user BLOB NOT NULL,
    lamport INTEGER NOT NULL,
    device BLOB NOT NULL,
    body TEXT NOT NULL,
    micros INTEGER NOT NULL,
    save_micros INTEGER NOT NULL,
    dangling INTEGER NOT NULL,
    PRIMARY KEY (chat, sender, message, kind, user)
) STRICT;
CREATE INDEX annotation_dangling ON annotation (chat, user, save_micros) WHERE dangling;

-- Messages whose sender has not been told yet that they are here.
CREATE TABLE receipt_due (
    sender BLOB NOT NULL,
    message BLOB NOT NULL,
    chat BLOB NOT NULL,
    PRIMARY KEY (sender, message)
) STRICT;

ALTER TABLE chat ADD COLUMN timer_seconds INTEGER NOT NULL DEFAULT 0;
ALTER TABLE chat ADD COLUMN timer_lamport INTEGER NOT NULL DEFAULT 0;
ALTER TABLE chat ADD COLUMN timer_device BLOB NOT NULL DEFAULT x'';
ALTER TABLE chat ADD COLUMN mute_until_micros INTEGER;
ALTER TABLE chat ADD COLUMN settings_micros INTEGER NOT NULL DEFAULT 0;

CREATE TABLE account_settings (
    only INTEGER PRIMARY KEY CHECK (only = 1),
    send_read_receipts INTEGER NOT NULL,
    set_micros INTEGER NOT NULL
) STRICT;

-- What a report about a message needs: the envelope as delivered, and what opens it.
CREATE TABLE evidence (
    sender BLOB NOT NULL,
    message BLOB NOT NULL,
    is_edit INTEGER NOT NULL,
    chat BLOB NOT NULL,
    envelope BLOB NOT NULL,
    disclosure BLOB NOT NULL,
    save_micros INTEGER NOT NULL,
    PRIMARY KEY (chat, sender, message, is_edit)
) STRICT;
CREATE INDEX evidence_by_age ON evidence (save_micros);
";

/// What a lost session needs to be repaired.
const REPAIR: &str = "
-- What was sent, for as long as it may be asked for again.
CREATE TABLE sent_content (
    message BLOB PRIMARY KEY,
    -- The message that it carries, by the device that wrote it: another one's in a forward.
    writer BLOB NOT NULL,
    written BLOB NOT NULL,
    -- Without a chat for what goes to own devices alone.
    chat BLOB,
    content BLOB NOT NULL,
    keep_seconds INTEGER NOT NULL
) STRICT;
CREATE INDEX sent_content_by_age ON sent_content (keep_seconds);
CREATE INDEX sent_content_by_written ON sent_content (writer, written);

CREATE TABLE sent_envelope (
    position INTEGER PRIMARY KEY AUTOINCREMENT,
    device BLOB NOT NULL,
    hash BLOB NOT NULL,
    message BLOB NOT NULL REFERENCES sent_content (message) ON DELETE CASCADE,
    answered INTEGER NOT NULL,
    UNIQUE (device, hash)
) STRICT;
CREATE INDEX sent_envelope_by_message ON sent_envelope (message);

CREATE TABLE resend (
    message BLOB NOT NULL REFERENCES sent_content (message) ON DELETE CASCADE,
    device BLOB NOT NULL,
    count INTEGER NOT NULL,
    PRIMARY KEY (message, device)
) STRICT;

-- When a session with a device was last left for a retry request.
CREATE TABLE session_left (
    device BLOB PRIMARY KEY,
    leave_seconds INTEGER NOT NULL
) STRICT;

-- What was forwarded to own devices that were left out.
CREATE TABLE forwarded (
    writer BLOB NOT NULL,
    written BLOB NOT NULL,
    device BLOB NOT NULL,
    forward_seconds INTEGER NOT NULL,
    PRIMARY KEY (writer, written, device)
) STRICT;

-- Envelopes that were asked for again.
CREATE TABLE retry_request (
    hash BLOB PRIMARY KEY,
    device BLOB NOT NULL,
    ask_seconds INTEGER NOT NULL
) STRICT;
CREATE INDEX retry_request_by_device ON retry_request (device, ask_seconds);

-- Control messages that the service has not accepted yet: a retry request as it is, or a content
-- that was sent before and is sealed anew.
CREATE TABLE control (
    position INTEGER PRIMARY KEY AUTOINCREMENT,
    message BLOB NOT NULL,
    device BLOB NOT NULL,
    chat BLOB,
    due_seconds INTEGER NOT NULL,
    request BLOB,
    content BLOB REFERENCES sent_content (message) ON DELETE CASCADE,
    leaving BLOB
) STRICT;
CREATE INDEX control_by_due ON control (due_seconds);
CREATE INDEX control_by_content ON control (content);

ALTER TABLE undecryptable ADD COLUMN message BLOB;
ALTER TABLE undecryptable ADD COLUMN hash BLOB;
ALTER TABLE undecryptable ADD COLUMN repair INTEGER NOT NULL DEFAULT 0;
CREATE INDEX undecryptable_by_message ON undecryptable (claimed_sender, message);
CREATE INDEX undecryptable_by_hash ON undecryptable (hash);

-- The first id that no backup knows, after one was put back, until the service has no older keys.
ALTER TABLE prekey_counter ADD COLUMN renew_from INTEGER;
";

/// Identities that others have taken the place of.
const FORMER_ACCOUNTS: &str = "
CREATE TABLE former_account (
    user BLOB NOT NULL,
    fingerprint BLOB NOT NULL,
    state BLOB NOT NULL,
    PRIMARY KEY (user, fingerprint)
) STRICT;
";

/// Envelopes under whatever name they are offered again.
const OPENED_ENVELOPES: &str = "
CREATE TABLE opened_envelope (
    hash BLOB PRIMARY KEY,
    open_seconds INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX opened_envelope_by_age ON opened_envelope (open_seconds);
";

/// What messages cost that are paid for one by one.
const COUNTED_MESSAGES: &str = "
-- The encoded request that a content was last sent with.
ALTER TABLE outbox ADD COLUMN sealed BLOB;

-- The class that the envelope came with; all were messages before.
ALTER TABLE undecryptable ADD COLUMN is_message INTEGER NOT NULL DEFAULT TRUE;
";

/// Brings the database to the newest version, each step in a transaction of its own.
pub(super) fn migrate(connection: &mut Connection) -> Result<(), StoreError> {
    loop {
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let version: i64 = transaction.query_row("PRAGMA user_version", [], |row| row.get(0))?;
        let index = usize::try_from(version).map_err(|_| StoreError::Value("user_version"))?;
        if index > VERSIONS.len() {
            return Err(StoreError::TooNew(version));
        }
        let Some(step) = VERSIONS.get(index) else { return Ok(()) };
        transaction.execute_batch(step)?;
        transaction.pragma_update(None, "user_version", version + 1)?;
        transaction.commit()?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn migrating_twice_changes_nothing_and_a_later_version_is_refused() {
        let mut connection = Connection::open_in_memory().unwrap();
        migrate(&mut connection).unwrap();
        migrate(&mut connection).unwrap();
        connection.pragma_update(None, "user_version", 99).unwrap();
        assert!(matches!(migrate(&mut connection), Err(StoreError::TooNew(99))));
    }
}

-- Subscriptions of one platform, those numbered from {first} on and before {end}: each with a chat, a
-- payer whose wallet is full, and a period of 30 days that was paid and has ended. Due at the end of
-- time until they are made due. Numbers become ids by their kind.

CREATE FUNCTION pg_temp.id(kind text, number bigint) RETURNS uuid LANGUAGE sql IMMUTABLE
AS $$ SELECT ('bec1' || kind || '00-0000-7000-8000-' || lpad(to_hex(number), 12, '0'))::uuid $$;

-- The id of a payer's wallet in euros, as proof/src/account.rs makes it.
CREATE FUNCTION pg_temp.wallet(tenant uuid, owner uuid) RETURNS uuid LANGUAGE sql IMMUTABLE AS $$
SELECT encode(set_byte(set_byte(d, 6, get_byte(d, 6) & 15 | 128), 8, get_byte(d, 8) & 63 | 128), 'hex')::uuid
FROM substring(sha256('plasma/ledger-account/v1'::bytea || uuid_send(tenant) || int2send(1::smallint)
    || uuid_send(owner) || 'EUR'::bytea) FOR 16) AS d
$$;

CREATE TEMPORARY TABLE due AS
SELECT
    '{tenant}'::uuid AS tenant,
    number,
    pg_temp.id('01', number) AS payer,
    pg_temp.id('02', number % {recipients}) AS recipient,
    pg_temp.id('07', number) AS chat,
    pg_temp.wallet('{tenant}', pg_temp.id('01', number)) AS wallet,
    {now} - 30 * 86400000000 AS start_at,
    {now} AS end_at
FROM generate_series({first}, {end} - 1) AS number;

INSERT INTO chats
    (host_tenant_id, chat_id, low_tenant_id, low_user_id, high_tenant_id, high_user_id, created_at)
SELECT tenant, chat, tenant, payer, tenant, recipient, start_at FROM due;

INSERT INTO chat_members
    (tenant_id, user_id, chat_id, host_tenant_id, peer_tenant_id, peer_user_id, is_initiator,
     created_at, opened_at)
SELECT tenant, payer, chat, tenant, tenant, recipient, true, start_at, start_at FROM due
UNION ALL
SELECT tenant, recipient, chat, tenant, tenant, payer, false, start_at, start_at FROM due;

INSERT INTO ledger_accounts (tenant_id, id, purpose, owner_id, currency, created_at)
SELECT tenant, wallet, 1, payer, 'EUR', start_at FROM due;

INSERT INTO ledger_balances (tenant_id, account_id, posted, held, credit_limit, version)
SELECT tenant, wallet, 1000000000, 0, 0, 0 FROM due;

-- Passes of source 2 are paid; states of 2 are active.
INSERT INTO passes
    (tenant_id, id, chat_id, ordinal, payer_user_id, recipient_tenant_id, recipient_user_id, source,
     charge_id, currency, minor_units, subscription_id, start_at, expire_at, created_at)
SELECT tenant, pg_temp.id('06', number), chat, 1, payer, tenant, recipient, 2,
    pg_temp.id('05', number), 'EUR', {price}, pg_temp.id('08', number), start_at, end_at, start_at
FROM due;

INSERT INTO subscriptions
    (tenant_id, id, chat_id, payer_tenant_id, payer_user_id, recipient_user_id, price_id, currency,
     zone, state, anchor_at, next_period, period_end_at, periods_paid, cancel_at_period_end, due_at,
     leased_until, created_at)
SELECT tenant, pg_temp.id('08', number), chat, tenant, payer, recipient, '{price_id}', 'EUR', 'UTC', 2,
    start_at, 1, end_at, 1, false, 9000000000000000000, 0, start_at
FROM due;

INSERT INTO subscription_periods
    (tenant_id, subscription_id, start_at, end_at, price_id, pass_id, created_at)
SELECT tenant, pg_temp.id('08', number), start_at, end_at, '{price_id}', pg_temp.id('06', number), start_at
FROM due;

-- Sellers that exist in billing's tables alone, each with payers whose wallets are full, recipients,
-- a price, and purchases that were made long ago. Numbers become ids by their kind; the payers of all
-- sellers are numbered through, and so are the recipients: the remainder by {sellers} is the seller.

CREATE FUNCTION pg_temp.id(kind text, number bigint) RETURNS uuid LANGUAGE sql IMMUTABLE
AS $$ SELECT ('bec0' || kind || '00-0000-7000-8000-' || lpad(to_hex(number), 12, '0'))::uuid $$;

CREATE TEMPORARY TABLE old AS
SELECT
    number,
    pg_temp.id('0e', number % {sellers}) AS tenant,
    number % {sellers} AS seller,
    number % {accounts} AS payer,
    (number / {accounts}) % {recipients} * {sellers} + number % {sellers} AS recipient,
    (number / {accounts}) % {recipients} * {accounts} + number % {accounts} AS chat,
    1 + number / ({accounts} * {recipients}) AS ordinal,
    number / {accounts} + 1 AS wallet_version
FROM generate_series(0, {history} - 1) AS number;

-- Purposes: 1 wallet, 3 a recipient's earnings, 4 the platform's revenue, 5 the operator's share.
INSERT INTO ledger_accounts (tenant_id, id, purpose, owner_id, currency, created_at)
SELECT pg_temp.id('0e', p % {sellers}), pg_temp.id('0a', p), 1, pg_temp.id('01', p), 'EUR', 1
FROM generate_series(0, {accounts} - 1) AS p
UNION ALL
SELECT pg_temp.id('0e', r % {sellers}), pg_temp.id('0b', r), 3, pg_temp.id('02', r), 'EUR', 1
FROM generate_series(0, {recipients} * {sellers} - 1) AS r
UNION ALL
SELECT pg_temp.id('0e', s), pg_temp.id('0c', purpose), purpose,
    '00000000-0000-0000-0000-000000000000'::uuid, 'EUR', 1
FROM generate_series(0, {sellers} - 1) AS s, generate_series(4, 5) AS purpose;

INSERT INTO ledger_transactions (tenant_id, id, kind, external_id, reference, created_at)
SELECT tenant, pg_temp.id('03', number), 3, 'old/' || number, 'old', 1 + number
FROM old;

INSERT INTO ledger_postings
    (tenant_id, transaction_id, line, account_id, currency, minor_units, balance_after,
     account_version, created_at)
SELECT tenant, pg_temp.id('03', number), line, account, 'EUR', amount,
    CASE WHEN line = 1 THEN 1000000000000 - {price} * wallet_version END,
    CASE WHEN line = 1 THEN wallet_version END,
    1 + number
FROM old, LATERAL (
    VALUES
        (1, pg_temp.id('0a', payer), -{price}),
        (2, pg_temp.id('0b', recipient), {price} * 72 / 100),
        (3, pg_temp.id('0c', 4), {price} - {price} * 72 / 100 - {price} / 10),
        (4, pg_temp.id('0c', 5), {price} / 10)
) AS lines (line, account, amount);

INSERT INTO ledger_balances (tenant_id, account_id, posted, held, credit_limit, version)
SELECT tenant, pg_temp.id('0a', payer), 1000000000000 - {price} * count(*), 0, 0, count(*)
FROM old GROUP BY tenant, payer;

-- A price of one scope is for everybody: nil stands for who is not named.
INSERT INTO price_versions
    (tenant_id, id, scope, recipient_user_id, payer_group_id, payer_tenant_id, payer_user_id,
     version, mode, currency, minor_units, duration_micros, recipient_basis_points, effective_at,
     created_at)
SELECT pg_temp.id('0e', s), pg_temp.id('04', s), 1, nil, nil, nil, nil, 1, 3, 'EUR', {price},
    1000000, 8000, 1, 1
FROM generate_series(0, {sellers} - 1) AS s,
    (SELECT '00000000-0000-0000-0000-000000000000'::uuid AS nil) AS nobody;

INSERT INTO charges
    (tenant_id, id, chat_id, ordinal, price_id, payer_tenant_id, payer_user_id, recipient_user_id,
     currency, minor_units, operator_minor_units, recipient_minor_units, platform_minor_units,
     created_at)
SELECT tenant, pg_temp.id('05', number), pg_temp.id('07', chat), ordinal, pg_temp.id('04', seller),
    tenant, pg_temp.id('01', payer), pg_temp.id('02', recipient), 'EUR', {price}, {price} / 10,
    {price} * 72 / 100, {price} - {price} * 72 / 100 - {price} / 10, 1 + number
FROM old;

INSERT INTO passes
    (tenant_id, id, chat_id, ordinal, payer_user_id, recipient_tenant_id, recipient_user_id, source,
     charge_id, currency, minor_units, start_at, expire_at, created_at)
SELECT tenant, pg_temp.id('06', number), pg_temp.id('07', chat), ordinal, pg_temp.id('01', payer),
    tenant, pg_temp.id('02', recipient), 2, pg_temp.id('05', number), 'EUR', {price}, 1 + number,
    1000001 + number, 1 + number
FROM old;

INSERT INTO chats
    (host_tenant_id, chat_id, low_tenant_id, low_user_id, high_tenant_id, high_user_id, created_at)
SELECT tenant, pg_temp.id('07', chat), tenant, pg_temp.id('01', payer), tenant,
    pg_temp.id('02', recipient), 1
FROM old GROUP BY tenant, chat, payer, recipient;

-- Each chat twice, as its initiator and as its recipient see it.
INSERT INTO chat_members
    (tenant_id, user_id, chat_id, host_tenant_id, peer_tenant_id, peer_user_id, is_initiator,
     created_at, opened_at)
SELECT tenant, own, pg_temp.id('07', chat), tenant, tenant, peer, is_initiator, 1, 1
FROM old, LATERAL (
    VALUES
        (pg_temp.id('01', payer), pg_temp.id('02', recipient), true),
        (pg_temp.id('02', recipient), pg_temp.id('01', payer), false)
) AS members (own, peer, is_initiator)
GROUP BY tenant, chat, own, peer, is_initiator;

-- A tenant that exists in billing's tables alone, with payers whose wallets are full, recipients,
-- a price, and purchases that were made long ago. Numbers become ids by their kind.

CREATE FUNCTION pg_temp.id(kind text, number bigint) RETURNS uuid LANGUAGE sql IMMUTABLE
AS $$ SELECT ('bec0' || kind || '00-0000-7000-8000-' || lpad(to_hex(number), 12, '0'))::uuid $$;

CREATE TEMPORARY TABLE old AS
SELECT
    number,
    number % {payers} AS payer,
    (number / {payers}) % {recipients} AS recipient,
    number / {payers} + 1 AS wallet_version
FROM generate_series(0, {history} - 1) AS number;

-- Purposes: 1 wallet, 3 a recipient's earnings, 4 the platform's revenue, 5 the operator's share.
INSERT INTO ledger_accounts (tenant_id, id, purpose, owner_id, currency, created_at)
SELECT '{tenant}'::uuid, pg_temp.id('0a', p), 1, pg_temp.id('01', p), 'EUR', 1
FROM generate_series(0, {payers} - 1) AS p
UNION ALL
SELECT '{tenant}'::uuid, pg_temp.id('0b', r), 3, pg_temp.id('02', r), 'EUR', 1
FROM generate_series(0, {recipients} - 1) AS r
UNION ALL
SELECT '{tenant}'::uuid, pg_temp.id('0c', purpose), purpose, '00000000-0000-0000-0000-000000000000'::uuid, 'EUR', 1
FROM generate_series(4, 5) AS purpose;

INSERT INTO ledger_transactions (tenant_id, id, kind, external_id, reference, created_at)
SELECT '{tenant}'::uuid, pg_temp.id('03', number), 3, 'old/' || number, 'old', 1 + number
FROM old;

INSERT INTO ledger_postings
    (tenant_id, transaction_id, line, account_id, currency, minor_units, balance_after,
     account_version, created_at)
SELECT '{tenant}'::uuid, pg_temp.id('03', number), line, account, 'EUR', amount,
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
SELECT '{tenant}'::uuid, pg_temp.id('0a', payer), 1000000000000 - {price} * count(*), 0, 0, count(*)
FROM old GROUP BY payer;

INSERT INTO prices
    (tenant_id, id, scope, recipient_user_id, version, mode, currency, minor_units,
     duration_micros, recipient_basis_points, created_at)
VALUES ('{tenant}'::uuid, pg_temp.id('04', 1), 1, '00000000-0000-0000-0000-000000000000'::uuid, 1, 3, 'EUR',
    {price}, 1000000, 8000, 1);

INSERT INTO charges
    (tenant_id, id, chat_id, ordinal, price_id, payer_tenant_id, payer_user_id, recipient_user_id,
     currency, minor_units, operator_minor_units, recipient_minor_units, platform_minor_units,
     created_at)
SELECT '{tenant}'::uuid, pg_temp.id('05', number), pg_temp.id('07', recipient * {payers} + payer),
    1 + number / ({payers} * {recipients}), pg_temp.id('04', 1), '{tenant}'::uuid, pg_temp.id('01', payer),
    pg_temp.id('02', recipient), 'EUR', {price}, {price} / 10, {price} * 72 / 100,
    {price} - {price} * 72 / 100 - {price} / 10, 1 + number
FROM old;

INSERT INTO passes
    (tenant_id, id, chat_id, ordinal, payer_user_id, charge_id, currency, minor_units, expire_at,
     created_at)
SELECT '{tenant}'::uuid, pg_temp.id('06', number), pg_temp.id('07', recipient * {payers} + payer),
    1 + number / ({payers} * {recipients}), pg_temp.id('01', payer), pg_temp.id('05', number), 'EUR',
    {price}, 1000001 + number, 1 + number
FROM old;

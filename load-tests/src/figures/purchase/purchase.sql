-- The statements of PurchaseAccess, as the service sends them: messaging/src/store/chats.rs,
-- billing/src/purchase/ and billing/src/store/, kit/src/idempotency.rs and kit/src/changes.rs.
-- statements.rs holds them to the server's log. Ids are made of numbers, as in fill.sql, so that they
-- grow with time as the service's do; `{payer}` and the like are ids.
\set k :k + 1
\set each :accounts / :callers
\set account (:k % :each) * :callers + :client_id
\set seller :account % :sellers
\set place (:k / :each) % :recipients
\set recipient :place * :sellers + :seller
\set chat :place * :accounts + :account
\set n :first + :k * :callers + :client_id
\set time 1800000000000000 + :n
SELECT tenant_id, user_id, chat_id, host_tenant_id, peer_tenant_id, peer_user_id, is_initiator, created_at, opened_at, blocked_at, peer_blocked_at, closed_at FROM chat_members WHERE tenant_id = {tenant} AND user_id = {payer} AND chat_id = {chat};
SELECT tenant_id, id, chat_id, ordinal, payer_user_id, recipient_tenant_id, recipient_user_id, source, charge_id, currency, minor_units, subscription_id, messages, messages_spent, start_at, expire_at FROM passes WHERE chat_id = {chat} ORDER BY ordinal DESC LIMIT 1;
BEGIN;
INSERT INTO idempotency_keys (tenant_id, caller, rpc, request_id, request_hash, outcome, created_at) VALUES ({tenant}, 'user_' || lpad(:account::text, 26, '0'), 'PurchaseAccess', lpad(:n::text, 32, '0'), decode(repeat('5a', 32), 'hex'), ''::bytea, :time::bigint) ON CONFLICT DO NOTHING;
SELECT tenant_id, id, chat_id, ordinal, payer_user_id, recipient_tenant_id, recipient_user_id, source, charge_id, currency, minor_units, subscription_id, messages, messages_spent, start_at, expire_at FROM passes WHERE chat_id = {chat} ORDER BY ordinal DESC LIMIT 1 \gset latest_
{price_in_force};
INSERT INTO passes (tenant_id, id, chat_id, ordinal, payer_user_id, recipient_tenant_id, recipient_user_id, source, charge_id, currency, minor_units, subscription_id, messages, messages_spent, start_at, expire_at, created_at) VALUES ({tenant}, {pass}, {chat}, :latest_ordinal::bigint + 1, {payer}, {tenant}, {recipient}, 2, {charge}, 'EUR', :price::bigint, NULL, NULL, NULL, :time::bigint, :time::bigint + 1000000, :time::bigint) ON CONFLICT DO NOTHING;
UPDATE ledger_balances SET posted = posted - :price::bigint, version = version + 1 WHERE tenant_id = {tenant} AND account_id = {wallet} AND posted - held + credit_limit >= :price::bigint RETURNING posted, version \gset wallet_
INSERT INTO ledger_accounts (tenant_id, id, purpose, owner_id, currency, created_at) VALUES ({tenant}, {wallet}, 1, {payer}, 'EUR', :time::bigint), ({tenant}, {earnings}, 3, {recipient}, 'EUR', :time::bigint), ({tenant}, 'bec00c00-0000-7000-8000-000000000004', 4, '00000000-0000-0000-0000-000000000000', 'EUR', :time::bigint), ({tenant}, 'bec00c00-0000-7000-8000-000000000005', 5, '00000000-0000-0000-0000-000000000000', 'EUR', :time::bigint) ON CONFLICT DO NOTHING;
INSERT INTO ledger_transactions (tenant_id, id, kind, external_id, reference, reverses_id, created_at) VALUES ({tenant}, {transaction}, 3, 'chat_' || lpad(:chat::text, 26, '0') || '/' || :latest_ordinal::bigint + 1, 'charge_' || lpad(:n::text, 26, '0'), NULL, :time::bigint);
INSERT INTO ledger_unfolded (tenant_id, transaction_id, created_at) VALUES ({tenant}, {transaction}, :time::bigint);
INSERT INTO ledger_postings (tenant_id, transaction_id, line, account_id, currency, minor_units, balance_after, account_version, created_at) VALUES ({tenant}, {transaction}, 1, {wallet}, 'EUR', -:price::bigint, :wallet_posted::bigint, :wallet_version::bigint, :time::bigint), ({tenant}, {transaction}, 2, {earnings}, 'EUR', :price::bigint * 72 / 100, NULL, NULL, :time::bigint), ({tenant}, {transaction}, 3, 'bec00c00-0000-7000-8000-000000000004', 'EUR', :price::bigint - :price::bigint * 72 / 100 - :price::bigint / 10, NULL, NULL, :time::bigint), ({tenant}, {transaction}, 4, 'bec00c00-0000-7000-8000-000000000005', 'EUR', :price::bigint / 10, NULL, NULL, :time::bigint);
INSERT INTO charges (tenant_id, id, chat_id, ordinal, price_id, payer_tenant_id, payer_user_id, recipient_user_id, currency, minor_units, operator_minor_units, recipient_minor_units, platform_minor_units, created_at) VALUES ({tenant}, {charge}, {chat}, :latest_ordinal::bigint + 1, {price_id}, {tenant}, {payer}, {recipient}, 'EUR', :price::bigint, :price::bigint / 10, :price::bigint * 72 / 100, :price::bigint - :price::bigint * 72 / 100 - :price::bigint / 10, :time::bigint);
INSERT INTO changes (id, tenant_id, kind, subject_id, created_at) VALUES ({change}, {tenant}, 6, {chat}, :time::bigint);
UPDATE idempotency_keys SET outcome = decode(repeat('5a', :outcome_bytes::int), 'hex') WHERE tenant_id = {tenant} AND caller = 'user_' || lpad(:account::text, 26, '0') AND rpc = 'PurchaseAccess' AND request_id = lpad(:n::text, 32, '0');
COMMIT;

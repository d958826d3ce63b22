-- What pg_dump saves. Every table and every sequence with state of its own stands here.

SELECT pg_extension_config_dump('affiliate.program', '');
SELECT pg_extension_config_dump('affiliate.payout_threshold', '');
SELECT pg_extension_config_dump('affiliate.affiliate', '');
SELECT pg_extension_config_dump('affiliate.affiliate_id_seq', '');
SELECT pg_extension_config_dump('affiliate.code', '');
SELECT pg_extension_config_dump('affiliate.status_change', '');
SELECT pg_extension_config_dump('affiliate.status_change_id_seq', '');
SELECT pg_extension_config_dump('affiliate.epoch', '');
SELECT pg_extension_config_dump('affiliate.referral', '');
SELECT pg_extension_config_dump('affiliate.referral_id_seq', '');
SELECT pg_extension_config_dump('affiliate.click', '');
SELECT pg_extension_config_dump('affiliate.click_id_seq', '');
-- the binding of affiliate.payment is made by CREATE EXTENSION; nothing of it changes but that it may be paused
SELECT pg_extension_config_dump('affiliate.binding', 'WHERE id <> 1');
SELECT pg_extension_config_dump('affiliate.binding_id_seq', '');
SELECT pg_extension_config_dump('affiliate.commission', '');
SELECT pg_extension_config_dump('affiliate.ledger_owner', '');
SELECT pg_extension_config_dump('affiliate.quarantine', '');
SELECT pg_extension_config_dump('affiliate.quarantine_id_seq', '');
SELECT pg_extension_config_dump('affiliate.payment', '');
SELECT pg_extension_config_dump('affiliate.payment_id_seq', '');
SELECT pg_extension_config_dump('affiliate.fold', '');
SELECT pg_extension_config_dump('affiliate.total', '');
SELECT pg_extension_config_dump('affiliate.referred', '');
SELECT pg_extension_config_dump('affiliate.conversion', '');
SELECT pg_extension_config_dump('affiliate.payout', '');
SELECT pg_extension_config_dump('affiliate.payout_id_seq', '');
SELECT pg_extension_config_dump('affiliate.payout_entry', '');
SELECT pg_extension_config_dump('affiliate.payout_mark', '');
SELECT pg_extension_config_dump('affiliate.payout_run', '');
SELECT pg_extension_config_dump('affiliate.refund', '');
SELECT pg_extension_config_dump('affiliate.refund_id_seq', '');
SELECT pg_extension_config_dump('affiliate.refunds_binding', '');
SELECT pg_extension_config_dump('affiliate.refunds_binding_id_seq', '');
SELECT pg_extension_config_dump('affiliate.refund_spelling', '');

-- Figures that do not fit the ledger, because a sequence or the totals did not come along with it.
CREATE DATABASE regress_rebuild_figures;
\c regress_rebuild_figures
SET timezone = 'UTC';
\set VERBOSITY verbose
CREATE EXTENSION affiliate;
SELECT a.code, b.code FROM affiliate_create('alice', code => 'alice') a, affiliate_create('carol', code => 'carol') b;
SELECT count(*) FROM generate_series(1, 5) AS n, affiliate_attribute('c' || n, code => CASE WHEN n = 5 THEN 'carol' ELSE 'alice' END, attributed_at => '2024-01-01');
INSERT INTO affiliate.payment (customer, amount, currency, paid_at) SELECT 'c' || n % 6, 100, CASE WHEN n > 15 THEN 'EUR' ELSE 'USD' END, '2024-02-01' FROM generate_series(1, 20) AS n;
SELECT affiliate_maintain() > 0 AS folded;
INSERT INTO affiliate.payment (customer, amount, paid_at) SELECT 'c' || n % 6, 100, '2024-02-02' FROM generate_series(1, 20) AS n;
SELECT affiliate_maintain() > 0 AS folded;
CALL affiliate_run_payouts(through => '2024-02-29');
INSERT INTO affiliate.payment (customer, amount, paid_at) VALUES ('c1', 10, '2024-02-03');
CREATE TABLE figures AS SELECT * FROM affiliate_stats();
CREATE VIEW violated AS SELECT check_name, violations, sample FROM affiliate_verify() WHERE violations > 0;
SELECT * FROM violated;

-- Nothing is wrong: nothing changes.
SELECT * FROM affiliate_rebuild_figures();
SELECT * FROM affiliate_stats() EXCEPT TABLE figures;
SELECT * FROM violated;
SELECT affiliate_maintain();

-- The epoch is not above the mark: a fold refuses, again and again, and does not creep past it.
SELECT setval('affiliate.epoch', 1);
SELECT affiliate_maintain();
SELECT affiliate_maintain();
SELECT setval('affiliate.epoch', (SELECT mark FROM affiliate.fold)) > 0 AS set;
SELECT affiliate_maintain();
SELECT last_value = (SELECT mark FROM affiliate.fold) AS untouched FROM affiliate.epoch;
-- payments go on; what they earn is in the ledger, not in the figures
INSERT INTO affiliate.payment (id, customer, amount, paid_at) VALUES (100, 'c1', 10, '2024-02-03');
SELECT check_name FROM violated ORDER BY check_name;
SELECT * FROM affiliate_rebuild_figures();
SELECT * FROM violated;
SELECT total_money_spent, total_commission FROM affiliate_stats('alice') WHERE currency = 'USD';
SELECT affiliate_maintain();
-- and a payout run finds what was posted meanwhile
CALL affiliate_run_payouts(through => '2024-02-29');
UPDATE affiliate.program SET payout_threshold = 1;
CALL affiliate_run_payouts(through => '2024-02-29');
SELECT amount, entries FROM affiliate.payout WHERE affiliate_id = 1 AND currency = 'USD' ORDER BY id;
SELECT * FROM violated;

-- No sequence came along, and no totals: what logical replication leaves.
DROP TABLE figures;
CREATE TABLE figures AS SELECT * FROM affiliate_stats();
SELECT count(setval(s.oid, 1, false)) > 10 AS sequences FROM pg_class s WHERE s.relkind = 'S' AND s.relnamespace = 'affiliate'::regnamespace;
DELETE FROM affiliate.total;
DELETE FROM affiliate.conversion;
INSERT INTO affiliate.conversion VALUES (1, 'KWD');
UPDATE affiliate.referred SET users = 77;
SELECT check_name, sample FROM violated ORDER BY check_name;
\set VERBOSITY sqlstate
SELECT affiliate_create('dave', code => 'dave');
INSERT INTO affiliate.payment (customer, amount) VALUES ('c1', 10);
\set VERBOSITY verbose
SELECT entries, referrals, sequences > 4 AS sequences FROM affiliate_rebuild_figures();
SELECT * FROM affiliate_stats() EXCEPT TABLE figures;
SELECT * FROM violated;
SELECT code FROM affiliate_create('dave', code => 'dave');
INSERT INTO affiliate.payment (customer, amount) VALUES ('c1', 10) RETURNING id;
SELECT affiliate_maintain();
SELECT * FROM violated;

-- Rolled back, nothing has happened but to sequences.
DELETE FROM affiliate.total;
BEGIN;
SELECT entries FROM affiliate_rebuild_figures();
ROLLBACK;
SELECT check_name FROM violated ORDER BY check_name;
SELECT entries FROM affiliate_rebuild_figures();
SELECT * FROM violated;

-- Operators may.
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT * FROM affiliate_rebuild_figures();
ROLLBACK;
CREATE ROLE regress_figures;
SELECT affiliate_grant('regress_figures', 'reader');
SET ROLE regress_figures;
SELECT entries FROM affiliate_rebuild_figures();
RESET ROLE;
SELECT affiliate_grant('regress_figures', 'operator');
SET ROLE regress_figures;
SELECT entries FROM affiliate_rebuild_figures();
RESET ROLE;
DROP OWNED BY regress_figures;
DROP ROLE regress_figures;

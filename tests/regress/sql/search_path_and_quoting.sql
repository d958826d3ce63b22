-- Names that need quotes, and any search path: nothing of the host's, or of an intruder's, is taken for what is meant.
CREATE DATABASE regress_search_path_and_quoting;
\c regress_search_path_and_quoting
SET timezone = 'UTC';
SET datestyle = 'ISO';
\set VERBOSITY verbose

-- The extension in a schema whose name needs quotes (of the kinds that PostgreSQL lets extensions into); then it is called by its qualified name.
CREATE SCHEMA "My Ext; x";
CREATE EXTENSION affiliate SCHEMA "My Ext; x";
SELECT code FROM "My Ext; x".affiliate_create('alice', code => 'alice');
SELECT customer FROM "My Ext; x".affiliate_attribute('bob', code => 'alice', attributed_at => '2024-01-01');
SELECT customer FROM "My Ext; x".affiliate_attribute('Ünï-código ☃ ''"\ x', code => 'alice', attributed_at => '2024-01-01');
-- none of it was left in public
SELECT count(*) FROM pg_proc WHERE pronamespace = 'public'::regnamespace;

-- Schema, table, columns, and the columns that a condition reads.
CREATE SCHEMA "Größe; x";
CREATE TABLE "Größe; x"."Zahlungen ""2024""" (
    "Nr." int, "select" text, "Kunde/Name" text, "Betrag, netto" numeric, "Währung" text DEFAULT 'EUR',
    "bezahlt am" timestamptz DEFAULT '2024-02-01', "zurück" numeric, "Status" text DEFAULT 'Bezahlt', "Artikel's" text,
    PRIMARY KEY ("Nr.", "select")
);
SELECT "My Ext; x".affiliate_attach_payments('"Größe; x"."Zahlungen ""2024"""', customer => 'Kunde/Name', amount => 'Betrag, netto', currency => 'Währung',
    paid_at => 'bezahlt am', refunded => 'zurück', product => 'Artikel''s', paid_when => '"Status" = ''Bezahlt''') AS binding;
INSERT INTO "Größe; x"."Zahlungen ""2024""" VALUES
    (1, 'a', 'bob', 10), (1, 'b c', 'bob', 20), (2, 'ü', 'Ünï-código ☃ ''"\ x', 30), (2, '"\', 'bob', 40), (3, '', 'bob', 50), (3, 'x', 'eve', 60), (4, '(,)', 'bob', 70);
UPDATE "Größe; x"."Zahlungen ""2024""" SET "zurück" = 5 WHERE "select" = 'ü';
UPDATE "Größe; x"."Zahlungen ""2024""" SET "Status" = 'offen' WHERE "select" = '"\';
UPDATE "Größe; x"."Zahlungen ""2024""" SET "select" = 'B C' WHERE "select" = 'b c';
DELETE FROM "Größe; x"."Zahlungen ""2024""" WHERE "select" = '(,)';
CREATE VIEW ledger AS
SELECT b.payments, c.payment_key AS key, r.customer, c.seq, c.currency, c.base, c.amount
FROM affiliate.commission c JOIN affiliate.binding b ON b.id = c.binding_id JOIN affiliate.referral r ON r.id = c.referral_id;
SELECT key, customer, seq, currency, base, amount FROM ledger ORDER BY key COLLATE "C", seq;
SELECT table_name, payments FROM affiliate.binding WHERE id = 2;
SELECT "My Ext; x".affiliate_record_refund('"Größe; x"."Zahlungen ""2024"""', '(3,"")', 'dispute "1"', 25, kind => 'dispute');
SELECT "My Ext; x".affiliate_record_refund('"Größe; x"."Zahlungen ""2024"""', ' (1,"B C") ', 'dispute "2"', 10, kind => 'dispute');
SELECT e ->> 'table' AS "table", e ->> 'payment_key' AS key, e ->> 'customer' AS customer, e -> 'commission' ->> 'target' AS target
FROM "My Ext; x".affiliate_explain('"Größe; x"."Zahlungen ""2024"""', '(2,ü)') e;
SELECT problem FROM affiliate.binding_health WHERE problem IS NOT NULL;
-- found and repaired under these names
SET session_replication_role = replica;
INSERT INTO "Größe; x"."Zahlungen ""2024""" VALUES (5, 'ß', 'bob', 10);
DELETE FROM "Größe; x"."Zahlungen ""2024""" WHERE "select" = 'a';
RESET session_replication_role;
SELECT check_name, violations, sample FROM "My Ext; x".affiliate_verify() WHERE violations > 0;
SELECT * FROM "My Ext; x".affiliate_reconcile();
SELECT * FROM "My Ext; x".affiliate_backfill('"Größe; x"."Zahlungen ""2024"""');
-- refused, it says the name as it must be written
TRUNCATE "Größe; x"."Zahlungen ""2024""";
SELECT "My Ext; x".affiliate_attach_payments('"Größe; x"."Zahlungen ""2024"""', customer => 'kunde/name', amount => 'Betrag, netto');
-- a table of refunds with such names
CREATE TABLE "Käufe" ("Schlüssel" text PRIMARY KEY, "Kunde" text, "Summe" numeric);
CREATE TABLE "Größe; x"."Rück ""er""" ("Nr." int PRIMARY KEY, "für Kauf" text, "Summe €" numeric, "Währung" text);
SELECT "My Ext; x".affiliate_attach_payments('"Käufe"', customer => 'Kunde', amount => 'Summe') AS binding;
SELECT "My Ext; x".affiliate_attach_refunds('"Größe; x"."Rück ""er"""', payments => '"Käufe"', payment_key => 'für Kauf', refund_key => 'Nr.', amount => 'Summe €', currency => 'Währung') AS binding;
INSERT INTO "Käufe" VALUES ('Ä "1"', 'bob', 100);
INSERT INTO "Größe; x"."Rück ""er""" VALUES (1, 'Ä "1"', 30, 'USD');
SELECT key, seq, currency, base, amount FROM ledger WHERE payments = '"Käufe"'::regclass ORDER BY seq;

-- No search path at all, and one of schemas that don't exist.
SET search_path = '';
INSERT INTO "Größe; x"."Zahlungen ""2024""" VALUES (6, 'a', 'bob', 10);
UPDATE "Größe; x"."Zahlungen ""2024""" SET "Betrag, netto" = 20 WHERE "Nr." = 6;
SELECT total_users_referred, total_commission FROM "My Ext; x".affiliate_stats('alice');
SELECT check_name, violations, sample FROM "My Ext; x".affiliate_verify() WHERE violations > 0;
SET search_path = nowhere, "$user";
DELETE FROM "Größe; x"."Zahlungen ""2024""" WHERE "Nr." = 6;
SELECT key, seq, base, amount FROM public.ledger WHERE key = '(6,a)' ORDER BY seq;

-- An intruder's schema before pg_catalog, with everything that ours might call by a bare name; temporary tables, too.
CREATE SCHEMA evil;
CREATE FUNCTION evil.now() RETURNS timestamptz LANGUAGE sql AS $$SELECT 'infinity'::timestamptz$$;
CREATE FUNCTION evil.broken(a text, b text) RETURNS boolean LANGUAGE plpgsql AS $$BEGIN RAISE EXCEPTION 'evil'; END$$;
CREATE FUNCTION evil.broken(a int, b int) RETURNS boolean LANGUAGE plpgsql AS $$BEGIN RAISE EXCEPTION 'evil'; END$$;
CREATE FUNCTION evil.broken(a numeric, b numeric) RETURNS numeric LANGUAGE plpgsql AS $$BEGIN RAISE EXCEPTION 'evil'; END$$;
CREATE OPERATOR evil.= (LEFTARG = text, RIGHTARG = text, FUNCTION = evil.broken);
CREATE OPERATOR evil.<> (LEFTARG = text, RIGHTARG = text, FUNCTION = evil.broken);
CREATE OPERATOR evil.= (LEFTARG = int, RIGHTARG = int, FUNCTION = evil.broken);
CREATE OPERATOR evil.- (LEFTARG = numeric, RIGHTARG = numeric, FUNCTION = evil.broken);
CREATE OPERATOR evil.* (LEFTARG = numeric, RIGHTARG = numeric, FUNCTION = evil.broken);
CREATE FUNCTION evil.md5(text) RETURNS text LANGUAGE plpgsql AS $$BEGIN RAISE EXCEPTION 'evil'; END$$;
CREATE FUNCTION evil.lower(text) RETURNS text LANGUAGE plpgsql AS $$BEGIN RAISE EXCEPTION 'evil'; END$$;
CREATE FUNCTION evil.format(text, VARIADIC "any") RETURNS text LANGUAGE internal AS 'text_format';
CREATE FUNCTION evil.to_jsonb(anyelement) RETURNS jsonb LANGUAGE plpgsql AS $$BEGIN RAISE EXCEPTION 'evil'; END$$;
CREATE AGGREGATE evil.sum(numeric) (SFUNC = numeric_add, STYPE = numeric, INITCOND = '1000000');
CREATE TABLE evil.commission (LIKE affiliate.commission);
CREATE TABLE evil.referral (LIKE affiliate.referral);
CREATE TABLE evil.pg_class (oid oid, relname text);
CREATE TEMPORARY TABLE commission (LIKE affiliate.commission);
CREATE TEMPORARY TABLE referral (LIKE affiliate.referral);
CREATE TEMPORARY TABLE quarantine (LIKE affiliate.quarantine);
CREATE TEMPORARY TABLE pg_class (oid oid, relname text);
CREATE TEMPORARY VIEW pg_attribute AS SELECT 1 AS attrelid;
SET search_path = evil, pg_temp, "My Ext; x", public, pg_catalog;
SELECT affiliate_create('anna', code => 'anna') IS NOT NULL AS created;
SELECT affiliate_attribute('carol', code => 'ANNA', attributed_at => '2024-01-01') IS NOT NULL AS attributed;
SELECT affiliate_add_code('anna', new_code => 'Summer');
CREATE TABLE public.plain (id int PRIMARY KEY, customer text, amount numeric, status text, paid_at timestamptz DEFAULT '2024-02-01');
SELECT affiliate_attach_payments('public.plain', customer => 'customer', amount => 'amount', paid_at => 'paid_at', paid_when => $$status = 'paid' AND amount * 2 - 1 <> 1000$$) AS binding;
INSERT INTO plain VALUES (1, 'carol', 10, 'paid'), (2, 'carol', 20, 'open'), (3, 'carol', -1, 'paid'), (4, 'bob', 40, 'paid');
UPDATE plain SET amount = 15 WHERE id OPERATOR(pg_catalog.=) 1;
UPDATE plain SET amount = 30 WHERE id OPERATOR(pg_catalog.=) 3;
DELETE FROM plain WHERE id OPERATOR(pg_catalog.=) 4;
UPDATE plain SET status = 'paid' WHERE id OPERATOR(pg_catalog.=) 2;
SELECT affiliate_record_refund('public.plain', 2, 'refund-1', 5);
SELECT affiliate_maintain() IS NOT NULL AS folded;
SELECT currency, total_users_referred, total_conversions, total_money_spent, total_commission FROM affiliate_stats('summer');
SELECT check_name, violations, sample FROM affiliate_verify() WHERE violations > 0;
SELECT * FROM affiliate_reconcile();
CALL affiliate_run_payouts(through => '2024-02-29');
SELECT e #>> '{commission,target}' AS target FROM affiliate_explain('public.plain', 2) e;
SELECT affiliate_detach('public.plain');
SELECT count(*) FROM commission;
SELECT count(*) FROM evil.commission;
RESET search_path;
SELECT payments, key, customer, seq, base, amount FROM ledger WHERE payments = 'plain'::regclass ORDER BY key, seq;

-- Settings of the session that might change what is written or read.
SET standard_conforming_strings = off;
SET escape_string_warning = off;
SET quote_all_identifiers = on;
SET transform_null_equals = on;
SET extra_float_digits = -15;
SET array_nulls = off;
SET backslash_quote = off;
SET lc_numeric = 'C';
SET default_table_access_method = 'heap';
SET check_function_bodies = off;
INSERT INTO "Größe; x"."Zahlungen ""2024""" VALUES (7, 'x', 'bob', 10);
UPDATE "Größe; x"."Zahlungen ""2024""" SET "Betrag, netto" = 20 WHERE "Nr." = 7;
SELECT * FROM "My Ext; x".affiliate_reconcile();
SELECT key, seq, base, amount FROM ledger WHERE key = '(7,x)' ORDER BY seq;
RESET ALL;

SELECT check_name, violations, sample FROM "My Ext; x".affiliate_verify() WHERE violations > 0;
SELECT * FROM "My Ext; x".affiliate_reconcile();
SELECT code, currency, total_conversions, total_money_spent, total_commission FROM "My Ext; x".affiliate_stats() ORDER BY code, currency;

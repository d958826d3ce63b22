-- The comparison reads the ledger in the order of its keys for as long as rows come in it. What it
-- finds does not depend on their order: payments without entries, wrong sums, entries without a
-- payment, at both ends and in between.
CREATE DATABASE regress_compare_in_any_order;
\c regress_compare_in_any_order
\set VERBOSITY verbose
CREATE EXTENSION affiliate;
SELECT code FROM affiliate_create('owner', code => 'in-order');
SELECT count(affiliate_attribute('c' || n, 'in-order', attributed_at => '2020-01-01')) FROM generate_series(1, 9) n;

-- 900 payments, of whose customers one of ten was referred by nobody. No trigger saw that every
-- 13th came, that every 7th went, or what became of every 11th.
CREATE PROCEDURE make_payments(name text, type text, place text) LANGUAGE plpgsql AS $$
DECLARE
    payments text := format('SELECT n::text::%s, ''c'' || n %% 10, 10 FROM generate_series(1, 900) n', type);
BEGIN
    EXECUTE format('CREATE TABLE %I (id %s PRIMARY KEY, customer text, amount numeric)', name, type);
    PERFORM affiliate_attach_payments(name::regclass, customer => 'customer', amount => 'amount',
        currency_code => 'USD');
    EXECUTE format('INSERT INTO %I %s WHERE n %% 13 <> 0 ORDER BY %s', name, payments, place);
    -- payments of two entries, and some that come to nothing and are gone
    EXECUTE format('UPDATE %I SET amount = 12 WHERE id::text LIKE ''%%5''', name);
    EXECUTE format('DELETE FROM %I WHERE id::text LIKE ''%%99''', name);
    EXECUTE format('ALTER TABLE %I DISABLE TRIGGER USER', name);
    EXECUTE format('INSERT INTO %I %s WHERE n %% 13 = 0 ORDER BY %s', name, payments, place);
    EXECUTE format('DELETE FROM %I WHERE id::text::int %% 7 = 0', name);
    EXECUTE format('UPDATE %I SET amount = 20 WHERE id::text::int %% 11 = 0', name);
    EXECUTE format('ALTER TABLE %I ENABLE TRIGGER USER', name);
END $$;
CALL make_payments('ascending', 'bigint', 'n');
CALL make_payments('descending', 'bigint', '-n');
CALL make_payments('scattered', 'bigint', 'md5(n::text)');
-- the order of the alphabet, which is not that of the ledger
CALL make_payments('alphabetical', 'text', 'n::text COLLATE "C"');

SELECT payments, unposted, wrong_sum, without_payment FROM affiliate.unposted
WHERE payments <> 'affiliate.payment'::regclass ORDER BY payments::text;

-- The same, joined in one statement.
SELECT count(*) FILTER (WHERE c.payment_key IS NULL AND p.customer <> 'c0') AS unposted,
    count(*) FILTER (WHERE c.amount <> p.amount * 0.3) AS wrong_sum,
    count(*) FILTER (WHERE p.id IS NULL AND c.amount <> 0) AS without_payment
FROM ascending p FULL JOIN (
    SELECT c.payment_key, sum(c.amount) AS amount FROM affiliate.commission c
        JOIN affiliate.binding b ON b.id = c.binding_id AND b.payments = 'ascending'::regclass
    GROUP BY c.payment_key) c ON c.payment_key = p.id::text;

SELECT posted, reversed, quarantined FROM affiliate_reconcile(force => true);
SELECT sum(unposted + wrong_sum + without_payment) FROM affiliate.unposted;
SELECT check_name, violations FROM affiliate_verify() WHERE violations <> 0;

-- What has no payment is found behind the last row, and where there is no row at all.
ALTER TABLE ascending DISABLE TRIGGER USER;
DELETE FROM ascending WHERE id > 890;
ALTER TABLE descending DISABLE TRIGGER USER;
DELETE FROM descending;
SELECT payments, unposted, wrong_sum, without_payment FROM affiliate.unposted
WHERE without_payment > 0 ORDER BY payments::text;
SELECT count(*) FILTER (WHERE c.payment_key::int > 890), count(*) FROM (
    SELECT c.payment_key FROM affiliate.commission c
        JOIN affiliate.binding b ON b.id = c.binding_id AND b.payments = 'descending'::regclass
    GROUP BY c.payment_key HAVING sum(c.amount) <> 0) c;

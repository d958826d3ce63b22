-- What a payout run need not read again: per affiliate, every entry up to the mark is paid.
CREATE DATABASE regress_payout_marks;
\c regress_payout_marks
SET timezone = 'UTC';
SET datestyle = 'ISO';
CREATE EXTENSION affiliate;
SELECT count(affiliate_create(o, code => o)) FROM unnest(ARRAY['alice', 'anton', 'agnes', 'arno']) o;
SELECT count(affiliate_attribute(who, code => ref, attributed_at => '2024-01-01'))
FROM (VALUES ('a', 'alice'), ('b', 'anton'), ('c', 'agnes')) v (who, ref);
-- Epochs by number depend on how often was folded: this counts those with entries of the affiliate
-- up to the mark, and those after it.
CREATE VIEW marks AS
SELECT a.code, k.epoch IS NOT NULL AS has_mark, count(DISTINCT c.epoch) FILTER (WHERE c.epoch <= k.epoch) AS passed,
    count(DISTINCT c.epoch) FILTER (WHERE c.epoch > coalesce(k.epoch, 0)) AS to_read
FROM affiliate.affiliate a LEFT JOIN affiliate.payout_mark k ON k.affiliate_id = a.id
    LEFT JOIN affiliate.commission c ON c.affiliate_id = a.id
GROUP BY a.code, k.epoch;
-- What no mark may ever be: past an open entry, or past the fold. No row.
CREATE VIEW wrong_marks AS
SELECT k.affiliate_id, k.epoch, c.payment_key, c.seq
FROM affiliate.payout_mark k LEFT JOIN affiliate.commission c ON c.affiliate_id = k.affiliate_id AND c.epoch <= k.epoch
    AND NOT EXISTS (SELECT FROM affiliate.payout_entry l WHERE l.binding_id = c.binding_id
        AND l.payment_key = c.payment_key AND l.seq = c.seq AND l.live)
WHERE c.affiliate_id IS NOT NULL OR k.epoch > (SELECT coalesce(max(f.mark), 0) FROM affiliate.fold f);
CREATE VIEW payouts AS
SELECT a.code, o.currency, o.amount, o.entries, o.status, o.id
FROM affiliate.payout o JOIN affiliate.affiliate a ON a.id = o.affiliate_id;

-- Without a fold nothing is closed, and there is no mark.
INSERT INTO affiliate.payment (id, customer, amount, paid_at) VALUES
    (1, 'a', 200, '2024-01-10'), (2, 'b', 200, '2024-01-10'), (3, 'c', 100, '2024-01-10');
CALL affiliate_run_payouts(through => '2024-01-31');
SELECT code, amount, entries FROM payouts ORDER BY id;
SELECT * FROM marks ORDER BY code;

-- The next run after a fold moves the marks, also where it has nothing to pay. What is below the
-- threshold stays to be read, and who has no entries needs no mark.
SELECT affiliate_maintain();
CALL affiliate_run_payouts(through => '2024-01-31');
SELECT * FROM marks ORDER BY code;
-- Nothing new, nothing written.
CREATE TABLE before AS SELECT affiliate_id, xmin::text AS written_by FROM affiliate.payout_mark;
SELECT affiliate_maintain();
CALL affiliate_run_payouts(through => '2024-01-31');
SELECT count(*) FROM (SELECT affiliate_id, xmin::text FROM affiliate.payout_mark EXCEPT TABLE before) written;

-- What is paid before it is folded is after the mark until a run that comes after the fold.
INSERT INTO affiliate.payment (id, customer, amount, paid_at) VALUES (5, 'b', 200, '2024-01-11');
SELECT affiliate_maintain();
INSERT INTO affiliate.payment (id, customer, amount, paid_at) VALUES (6, 'b', 200, '2024-01-11');
CALL affiliate_run_payouts(through => '2024-01-31');
SELECT amount, entries FROM payouts WHERE code = 'anton' ORDER BY id;
SELECT * FROM marks WHERE code = 'anton';
SELECT affiliate_maintain();
CALL affiliate_run_payouts(through => '2024-01-31');
SELECT * FROM marks WHERE code = 'anton';

-- Under the threshold, then over it: what was carried forward is paid with the rest.
INSERT INTO affiliate.payment (id, customer, amount, paid_at) VALUES (4, 'c', 100, '2024-02-10');
SELECT affiliate_maintain();
SELECT * FROM marks WHERE code = 'agnes';
CALL affiliate_run_payouts(through => '2024-02-29');
SELECT code, amount, entries FROM payouts WHERE code = 'agnes';
SELECT * FROM marks WHERE code = 'agnes';

-- A mark stops before an open entry, whatever is paid after it: one that is held, or that a run
-- with an earlier day leaves out.
SELECT hold_days FROM affiliate_set_program('default', hold_days => 30);
INSERT INTO affiliate.payment (id, customer, amount, paid_at) VALUES (10, 'a', 200, '2024-03-31');
SELECT affiliate_maintain();
INSERT INTO affiliate.payment (id, customer, amount, paid_at) VALUES (11, 'a', 300, '2024-03-01');
SELECT affiliate_maintain();
CALL affiliate_run_payouts(through => '2024-04-29');
SELECT amount, entries FROM payouts WHERE code = 'alice' ORDER BY id;
SELECT * FROM marks WHERE code = 'alice';
CALL affiliate_run_payouts(through => '2024-01-31');
SELECT * FROM marks WHERE code = 'alice';
CALL affiliate_run_payouts(through => '2024-04-30');
SELECT amount, entries FROM payouts WHERE code = 'alice' ORDER BY id;
SELECT * FROM marks WHERE code = 'alice';
SELECT hold_days FROM affiliate_set_program('default', hold_days => 0);

-- So does a small sum in another currency.
INSERT INTO affiliate.payment (id, customer, amount, currency, paid_at) VALUES
    (20, 'a', 10, 'EUR', '2024-05-01'), (21, 'a', 200, 'USD', '2024-05-01');
SELECT affiliate_maintain();
INSERT INTO affiliate.payment (id, customer, amount, paid_at) VALUES (22, 'a', 300, '2024-05-02');
SELECT affiliate_maintain();
CALL affiliate_run_payouts(through => '2024-05-31');
SELECT currency, amount, entries FROM payouts WHERE code = 'alice' AND id > 5 ORDER BY id;
SELECT * FROM marks WHERE code = 'alice';
INSERT INTO affiliate.payment (id, customer, amount, currency, paid_at) VALUES (23, 'a', 200, 'EUR', '2024-06-01');
SELECT affiliate_maintain();
CALL affiliate_run_payouts(through => '2024-06-30');
SELECT currency, amount, entries FROM payouts WHERE code = 'alice' AND id > 5 ORDER BY id;
SELECT * FROM marks WHERE code = 'alice';

-- And a debt.
UPDATE affiliate.payment SET refunded = 100 WHERE id = 22;
SELECT affiliate_maintain();
CALL affiliate_run_payouts(through => '2024-06-30');
SELECT * FROM marks WHERE code = 'alice';
INSERT INTO affiliate.payment (id, customer, amount, paid_at) VALUES (24, 'a', 400, '2024-06-02');
SELECT affiliate_maintain();
CALL affiliate_run_payouts(through => '2024-06-30');
SELECT currency, amount, entries FROM payouts WHERE code = 'alice' ORDER BY id DESC LIMIT 1;
SELECT * FROM marks WHERE code = 'alice';

-- A suspended affiliate is not read.
SELECT status FROM affiliate_set_status('anton', 'suspended');
INSERT INTO affiliate.payment (id, customer, amount, paid_at) VALUES (30, 'b', 300, '2024-07-01');
SELECT affiliate_maintain();
CALL affiliate_run_payouts(through => '2024-07-31');
SELECT * FROM marks WHERE code = 'anton';
SELECT status FROM affiliate_set_status('anton', 'active');
CALL affiliate_run_payouts(through => '2024-07-31');
SELECT amount, entries FROM payouts WHERE code = 'anton' ORDER BY id;
SELECT * FROM marks WHERE code = 'anton';
SELECT * FROM wrong_marks;

-- What failed, was canceled or returned puts the mark back, and the next run pays it again.
CREATE FUNCTION reopened(as_status text) RETURNS TABLE (has_mark boolean, passed bigint, to_read bigint) LANGUAGE plpgsql AS $$
BEGIN
    IF as_status = 'returned' THEN
        PERFORM affiliate_set_payout_status(max(id), 'paid') FROM payouts WHERE code = 'agnes';
    END IF;
    PERFORM affiliate_set_payout_status(max(id), as_status) FROM payouts WHERE code = 'agnes';
    RETURN QUERY SELECT m.has_mark, m.passed, m.to_read FROM marks m WHERE code = 'agnes';
END
$$;
SELECT * FROM reopened('failed');
SELECT * FROM wrong_marks;
CALL affiliate_run_payouts(through => '2024-07-31');
SELECT * FROM marks WHERE code = 'agnes';
SELECT * FROM reopened('canceled');
CALL affiliate_run_payouts(through => '2024-07-31');
SELECT * FROM reopened('returned');
CALL affiliate_run_payouts(through => '2024-07-31');
SELECT amount, entries, status FROM payouts WHERE code = 'agnes' ORDER BY id;
SELECT * FROM marks WHERE code = 'agnes';
-- back to the first entry of the payout, not to the first of all
INSERT INTO affiliate.payment (id, customer, amount, paid_at) VALUES (40, 'c', 500, '2024-08-01');
SELECT affiliate_maintain();
CALL affiliate_run_payouts(through => '2024-08-31');
SELECT * FROM reopened('failed');
CALL affiliate_run_payouts(through => '2024-08-31');
-- and never forward: the later payout is re-opened after the one before it
SELECT count(affiliate_set_payout_status(id, 'failed')) FROM payouts WHERE code = 'agnes' AND entries = 2 AND status = 'pending';
SELECT * FROM marks WHERE code = 'agnes';
SELECT * FROM reopened('failed');
SELECT * FROM wrong_marks;
CALL affiliate_run_payouts(through => '2024-08-31');
SELECT amount, entries, status FROM payouts WHERE code = 'agnes' ORDER BY id;
SELECT * FROM marks WHERE code = 'agnes';
-- a change that is rolled back puts nothing back
BEGIN;
SELECT * FROM reopened('failed');
ROLLBACK;
SELECT * FROM marks WHERE code = 'agnes';
SELECT * FROM wrong_marks;

-- The last run of each program.
SELECT name FROM affiliate_set_program('other');
CALL affiliate_run_payouts(through => '2024-08-31', program => 'other');
SELECT program, through, started_at <= ended_at AS ended FROM affiliate.payout_run ORDER BY program;
-- one that is cut off has not ended
SELECT affiliate.payout_batch('default', '2024-09-30', 0) > 0 AS has_begun;
SELECT program, through, started_at <= ended_at AS ended FROM affiliate.payout_run ORDER BY program;
CALL affiliate_run_payouts(through => '2024-09-30');
SELECT program, through, started_at <= ended_at AS ended FROM affiliate.payout_run ORDER BY program;

SELECT check_name, violations, sample FROM affiliate_verify() WHERE violations > 0;

-- What happens after the restore, in the original as well.
INSERT INTO affiliate.payment (customer, amount) VALUES ('u-5', 20), ('u-1', 5);
INSERT INTO "Shop".orders (customer, total, currency, paid_at) VALUES (1, 20, 'USD', now());
INSERT INTO "Shop"."Rechnung" ("Käufer", cents, "bezahlt am") VALUES ('käufer 1', 2000, current_date);
INSERT INTO charge VALUES ('next', 1, '客1', 2000, extract(epoch FROM now()));
SELECT affiliate_create('zoe', code => 'zoe');
SELECT affiliate_add_code('zoe', new_code => 'zoe-2');
SELECT affiliate_attribute('new user', code => 'zoe');
INSERT INTO affiliate.payment (customer, amount) VALUES ('new user', 1000);
INSERT INTO affiliate.payment (customer, amount) VALUES ('u-1', '-5');
CREATE TABLE later (id bigint PRIMARY KEY, customer text, amount numeric);
SELECT affiliate_attach_payments('later', customer => 'customer', amount => 'amount');
INSERT INTO later VALUES (1, 'new user', 10);
SELECT affiliate_set_status('bob', 'suspended');
SELECT affiliate_set_payout_status(min(p.payout_id), 'returned')
    FROM affiliate_payouts('alice') AS p WHERE p.status = 'paid';
SELECT affiliate_maintain();

-- New terms, later payments, folded and not, and rows in quarantine.
SELECT affiliate_set_program('default', rate => 0.2, hold_days => 10, payout_threshold => 20);
SELECT affiliate_set_status('carol', 'suspended', reason => 'checks');
SELECT affiliate_set_status('dave', 'closed', reason => 'left');
INSERT INTO affiliate.payment (customer, amount, paid_at)
    SELECT 'u-' || n % 45, 10 + n, now() - interval '50 days' FROM generate_series(1, 90) AS n;
SELECT affiliate_maintain();
INSERT INTO affiliate.payment (customer, amount)
    SELECT 'u-' || n % 45, 10 + n FROM generate_series(1, 90) AS n;
INSERT INTO "Shop".orders (customer, total, currency, paid_at)
    SELECT n % 7, 10 + n, 'USD', now() - interval '45 days' FROM generate_series(1, 30) AS n;
INSERT INTO affiliate.payment (customer, amount, currency)
    VALUES ('u-1', 'NaN', 'USD'), ('u-1', NULL, 'USD'), ('u-2', 5, 'dollars');
SELECT affiliate_attribute('u-50', code => 'bob');

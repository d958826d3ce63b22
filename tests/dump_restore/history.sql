-- Affiliates with several codes and in all states, referrals, and payments under changing terms.
SELECT affiliate_create('alice', code => 'alice');
SELECT affiliate_add_code('alice', new_code => 'Alice-Spring', label => 'spring');
SELECT affiliate_create('bob', code => 'bob');
SELECT affiliate_create('carol', code => 'carol');
SELECT affiliate_create('dave', code => 'dave');
SELECT affiliate_create('erika', code => 'erika', program => 'euro');
SELECT affiliate_create('jun', code => 'jun', program => 'yen');

SELECT affiliate_attribute(n, code => 'Alice-Spring', attributed_at => now() - interval '400 days')
    FROM generate_series(1, 5) AS n;
SELECT affiliate_attribute('u-' || n, code => (ARRAY['alice', 'bob', 'carol', 'dave'])[n % 4 + 1],
    attributed_at => now() - interval '400 days') FROM generate_series(1, 40) AS n;
SELECT affiliate_attribute('käufer ' || n, code => 'erika', program => 'euro',
    attributed_at => now() - interval '400 days') FROM generate_series(1, 5) AS n;
SELECT affiliate_attribute('客' || n, code => 'jun', program => 'yen',
    attributed_at => now() - interval '400 days') FROM generate_series(1, 5) AS n;
SELECT affiliate_deactivate_code('Alice-Spring');

INSERT INTO affiliate.payment (customer, amount, currency, paid_at)
    SELECT 'u-' || n % 45, CASE n % 4 WHEN 3 THEN 1999 + n ELSE 19.99 + n END, (ARRAY['USD', 'EUR', 'KWD', 'JPY'])[n % 4 + 1],
        now() - interval '70 days' - n * interval '1 day' FROM generate_series(1, 200) AS n;
INSERT INTO "Shop".orders (customer, total, currency, paid_at)
    SELECT n % 7, 100 + n, 'usd', now() - interval '65 days' FROM generate_series(1, 100) AS n;
INSERT INTO "Shop"."Rechnung" ("Käufer", cents, "bezahlt am")
    SELECT 'käufer ' || n % 7, 12345 + n, current_date - 60 FROM generate_series(1, 50) AS n;
INSERT INTO charge SELECT 'acme, "ltd"', n, '客' || n % 7, 999 * n,
    extract(epoch FROM now() - interval '64 days') FROM generate_series(1, 50) AS n;
INSERT INTO former VALUES (1, 'u-1', 100), (2, 'u-2', 200);
SELECT affiliate_detach('former');
DROP TABLE former;
SELECT affiliate_maintain();

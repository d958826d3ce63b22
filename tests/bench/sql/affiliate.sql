-- The extension, told the same referrals through its API.
CREATE EXTENSION affiliate;
SELECT count(affiliate_create(n, code => 'affiliate-' || n)) FROM generate_series(1, 1000) n;
SELECT count(affiliate_attribute(customer_id, 'affiliate-' || affiliate_id, attributed_at => attributed_at))
FROM referrals;
SELECT affiliate_maintain();
SELECT affiliate_attach_payments('payments', customer => 'customer_id', amount => 'amount',
    currency => 'currency', paid_at => 'paid_at');

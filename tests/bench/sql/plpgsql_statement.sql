CREATE FUNCTION post_commissions() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO commissions (payment_id, affiliate_id, customer_id, matures_on, currency, rate, base, amount)
    SELECT p.id, r.affiliate_id, p.customer_id, p.paid_at::date, p.currency, 0.30, p.amount, round(p.amount * 0.30, 2)
    FROM new_rows p JOIN referrals r ON r.customer_id = p.customer_id AND r.attributed_at <= p.paid_at;
    RETURN NULL;
END $$;
CREATE TRIGGER post_commissions AFTER INSERT ON payments REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION post_commissions();

CREATE FUNCTION post_commission() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO commissions (payment_id, affiliate_id, customer_id, matures_on, currency, rate, base, amount)
    SELECT NEW.id, r.affiliate_id, NEW.customer_id, NEW.paid_at::date, NEW.currency, 0.30, NEW.amount,
        round(NEW.amount * 0.30, 2)
    FROM referrals r WHERE r.customer_id = NEW.customer_id AND r.attributed_at <= NEW.paid_at;
    RETURN NULL;
END $$;
CREATE TRIGGER post_commission AFTER INSERT ON payments FOR EACH ROW EXECUTE FUNCTION post_commission();

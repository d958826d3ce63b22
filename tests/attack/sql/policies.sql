-- Row security.

-- attack: for everybody
CALL lie('is_visible(text)', 'boolean', 'true');
ALTER TABLE payments ENABLE ROW LEVEL SECURITY;
CREATE POLICY spy ON payments USING (is_visible(customer)) WITH CHECK (is_visible(customer));
ALTER TABLE refunds ENABLE ROW LEVEL SECURITY;
CREATE POLICY spy ON refunds USING (is_visible(currency)) WITH CHECK (is_visible(currency));

-- attack: forced
CALL lie('is_visible(text)', 'boolean', 'true');
ALTER TABLE payments ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY spy ON payments USING (is_visible(customer)) WITH CHECK (is_visible(customer));
ALTER TABLE refunds ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY spy ON refunds USING (is_visible(currency)) WITH CHECK (is_visible(currency));

-- attack: restrictive and by command
CALL lie('is_visible(text)', 'boolean', 'true');
ALTER TABLE payments ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY everything ON payments USING (true);
CREATE POLICY reading ON payments AS RESTRICTIVE FOR SELECT USING (is_visible(customer));
CREATE POLICY changing ON payments AS RESTRICTIVE FOR UPDATE USING (is_visible(customer));
CREATE POLICY adding ON payments AS RESTRICTIVE FOR INSERT WITH CHECK (is_visible(customer));
CREATE POLICY removing ON payments AS RESTRICTIVE FOR DELETE USING (is_visible(customer));

-- attack: with a query
CALL lie('is_visible(text)', 'boolean', 'true');
CREATE VIEW visible AS SELECT 1 AS one WHERE is_visible('x');
GRANT SELECT ON visible TO PUBLIC;
ALTER TABLE payments ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY spy ON payments USING (EXISTS (SELECT FROM visible) OR is_visible(customer));

-- attack: that hides everything but from superusers
CALL lie('is_visible(text)', 'boolean', 'false');
ALTER TABLE payments ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY spy ON payments FOR SELECT USING (is_visible(customer));
CREATE POLICY adding ON payments FOR INSERT WITH CHECK (true);

-- attack: of a session that turns it off
-- session: SET row_security = off
CALL lie('is_visible(text)', 'boolean', 'true');
ALTER TABLE payments ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY spy ON payments USING (is_visible(customer));

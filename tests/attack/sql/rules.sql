-- Rules rewrite whatever names the table.

-- attack: also on insert
CREATE TABLE seen (at timestamptz);
GRANT INSERT ON seen TO PUBLIC;
CALL lie('on_insert()', 'timestamptz', 'now()');
CREATE RULE spy AS ON INSERT TO payments DO ALSO INSERT INTO seen VALUES (on_insert());
CREATE RULE spy AS ON INSERT TO refunds DO ALSO INSERT INTO seen VALUES (on_insert());

-- attack: also on update and delete
CREATE TABLE seen (at timestamptz);
GRANT INSERT ON seen TO PUBLIC;
CALL lie('on_update()', 'timestamptz', 'now()');
CALL lie('on_delete()', 'timestamptz', 'now()');
CREATE RULE spy_update AS ON UPDATE TO payments DO ALSO INSERT INTO seen VALUES (on_update());
CREATE RULE spy_delete AS ON DELETE TO payments DO ALSO INSERT INTO seen VALUES (on_delete());
CREATE RULE spy_delete AS ON DELETE TO refunds DO ALSO INSERT INTO seen VALUES (on_delete());

-- attack: with a condition
CALL lie('is_spied(text)', 'boolean', 'false');
CREATE RULE spy AS ON INSERT TO payments WHERE is_spied(new.customer) DO INSTEAD NOTHING;
CREATE RULE spy_update AS ON UPDATE TO payments WHERE is_spied(new.customer) DO INSTEAD NOTHING;

-- attack: instead of inserts
CREATE TABLE aside (LIKE payments INCLUDING DEFAULTS);
GRANT INSERT ON aside TO cashier;
CALL lie('elsewhere(text)', 'text', '$1');
CREATE RULE aside AS ON INSERT TO payments DO INSTEAD
    INSERT INTO aside VALUES (new.id, elsewhere(new.customer), new.amount, new.currency, new.paid_at, new.status);

-- attack: into another table that is attached
CREATE RULE forge AS ON INSERT TO payments DO ALSO INSERT INTO alice.payments VALUES (new.id + 1000, new.customer, 1000000);

-- attack: as a view of the same name, by a rule
-- only: after
-- until: 15
CALL lie('of_view()', 'bigint', '17');
DELETE FROM payments;
DROP TRIGGER IF EXISTS zzz_affiliate_insert ON payments;
DROP TRIGGER IF EXISTS zzz_affiliate_update ON payments;
DROP TRIGGER IF EXISTS zzz_affiliate_delete ON payments;
DROP TRIGGER IF EXISTS zzz_affiliate_truncate ON payments;
ALTER TABLE payments DROP CONSTRAINT payments_pkey;
ALTER TABLE payments ALTER id DROP NOT NULL;
VACUUM payments;
CREATE RULE "_RETURN" AS ON SELECT TO payments DO INSTEAD
    SELECT of_view() AS id, 'user-1'::text AS customer, 1000::numeric AS amount, 'USD'::text AS currency,
        now() AS paid_at, 'paid'::text AS status, true AS flag, 'x'::text AS note;

-- attack: refunds as a view of the same name, by a rule
-- only: after
-- until: 15
CALL lie('of_view()', 'bigint', '1');
DELETE FROM refunds;
DROP TRIGGER IF EXISTS zzz_affiliate_insert ON refunds;
DROP TRIGGER IF EXISTS zzz_affiliate_update ON refunds;
DROP TRIGGER IF EXISTS zzz_affiliate_delete ON refunds;
DROP TRIGGER IF EXISTS zzz_affiliate_truncate ON refunds;
ALTER TABLE refunds DROP CONSTRAINT refunds_pkey;
ALTER TABLE refunds ALTER id DROP NOT NULL;
VACUUM refunds;
CREATE RULE "_RETURN" AS ON SELECT TO refunds DO INSTEAD
    SELECT of_view() AS id, 17::bigint AS payment_id, 1::numeric AS amount, 'USD'::text AS currency;

-- What every attack finds: the extension, one role for each kind of access, and alice's table,
-- whose ledger nobody but her cashier may change.
CREATE EXTENSION affiliate;
SELECT affiliate_grant('web', 'app'), affiliate_grant('finance', 'reader'), affiliate_grant('treasurer', 'operator');
SELECT affiliate_set_program('default', payout_threshold => 1);
SELECT affiliate_create('partner', code => 'partner-code');
SELECT affiliate_attribute(c, code => 'partner-code', attributed_at => '2000-01-01')
FROM unnest(ARRAY['user-1', 'user-2', 'alice-1']) AS c;

CREATE SCHEMA alice AUTHORIZATION alice;
GRANT USAGE ON SCHEMA alice TO PUBLIC;
SET ROLE alice;
CREATE TABLE alice.payments (id bigint PRIMARY KEY, customer text, amount numeric, secret text);
RESET ROLE;
SELECT affiliate_attach_payments('alice.payments', customer => 'customer', amount => 'amount');
INSERT INTO alice.payments VALUES (1, 'alice-1', 100, 'hers'), (2, 'alice-1', 10, 'hers'), (3, 'user-1', 10, 'hers');

-- One that is attached, and one that is treated the same and never attached.
CREATE SCHEMA attached AUTHORIZATION mallory;
CREATE SCHEMA control AUTHORIZATION mallory;

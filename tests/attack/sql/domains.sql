-- Domains whose checks are functions of the owner's: any input and any cast runs them.

-- attack: as key
CREATE DOMAIN checked AS bigint;
ALTER TABLE payments ALTER id TYPE checked;
-- strike:
CALL lie('is_checked(bigint)', 'boolean', 'true');
ALTER DOMAIN checked ADD CHECK (is_checked(value)) NOT VALID;

-- attack: as key of text
-- payments: CREATE TABLE payments (id text PRIMARY KEY, customer text, amount numeric, currency text, paid_at timestamptz DEFAULT now(), status text, flag boolean DEFAULT true, note text)
CREATE DOMAIN checked AS text;
ALTER TABLE payments ALTER id TYPE checked;
ALTER TABLE refunds ALTER payment_id TYPE checked;
CALL lie('is_checked(text)', 'boolean', 'true');
ALTER DOMAIN checked ADD CHECK (is_checked(value)) NOT VALID;

-- attack: as part of a key of two columns
-- refunds: none
-- payments: CREATE TABLE payments (id bigint, shop text DEFAULT 'x', customer text, amount numeric, currency text, paid_at timestamptz DEFAULT now(), status text, flag boolean DEFAULT true, note text, PRIMARY KEY (id, shop))
-- call: SELECT public.affiliate_explain('attached.payments', '(17,x)'::pg_catalog.text)
-- call: SELECT public.affiliate_record_refund('attached.payments', '(17,x)'::pg_catalog.text, 'c{n}', 1)
CREATE DOMAIN checked AS text;
ALTER TABLE payments ALTER shop TYPE checked;
CALL lie('is_checked(text)', 'boolean', 'true');
ALTER DOMAIN checked ADD CHECK (is_checked(value)) NOT VALID;

-- attack: as customer
CREATE DOMAIN checked AS text;
ALTER TABLE payments ALTER customer TYPE checked;
-- strike:
CALL lie('is_checked(text)', 'boolean', 'true');
ALTER DOMAIN checked ADD CHECK (is_checked(value)) NOT VALID;

-- attack: as amount and currency
CREATE DOMAIN money_amount AS numeric;
CREATE DOMAIN money_currency AS text;
ALTER TABLE payments ALTER amount TYPE money_amount, ALTER currency TYPE money_currency;
-- strike:
CALL lie('is_amount(numeric)', 'boolean', 'true');
CALL lie('is_currency(text)', 'boolean', 'true');
ALTER DOMAIN money_amount ADD CHECK (is_amount(value)) NOT VALID;
ALTER DOMAIN money_currency ADD CHECK (is_currency(value)) NOT VALID;

-- attack: as time of the payment
CREATE DOMAIN moment AS timestamptz;
ALTER TABLE payments ALTER paid_at TYPE moment;
CALL lie('is_moment(timestamptz)', 'boolean', 'true');
ALTER DOMAIN moment ADD CHECK (is_moment(value)) NOT VALID;

-- attack: as status
CREATE DOMAIN checked AS text;
ALTER TABLE payments ALTER status TYPE checked;
CALL lie('is_checked(text)', 'boolean', 'true');
ALTER DOMAIN checked ADD CHECK (is_checked(value)) NOT VALID;

-- attack: over a domain, whose function is replaced
CALL honest('is_checked(bigint)', 'boolean', 'true');
CREATE DOMAIN inner_key AS bigint CHECK (is_checked(value));
CREATE DOMAIN outer_key AS inner_key;
ALTER TABLE payments ALTER id TYPE outer_key;
-- strike:
CALL lie('is_checked(bigint)', 'boolean', 'true');

-- attack: over a row
CREATE TYPE pair AS (a int, b text);
CALL lie('is_pair(pair)', 'boolean', 'true');
CREATE DOMAIN checked_pair AS pair CHECK (is_pair(value));
ALTER TABLE payments ADD pair checked_pair DEFAULT ROW(1, 'x');

-- attack: in the table of refunds
CREATE DOMAIN key_domain AS bigint;
CREATE DOMAIN amount_domain AS numeric;
CREATE DOMAIN currency_domain AS text;
ALTER TABLE refunds ALTER id TYPE key_domain, ALTER payment_id TYPE key_domain,
    ALTER amount TYPE amount_domain, ALTER currency TYPE currency_domain;
-- strike:
CALL lie('is_key(bigint)', 'boolean', 'true');
CALL lie('is_amount(numeric)', 'boolean', 'true');
CALL lie('is_currency(text)', 'boolean', 'true');
ALTER DOMAIN key_domain ADD CHECK (is_key(value)) NOT VALID;
ALTER DOMAIN amount_domain ADD CHECK (is_amount(value)) NOT VALID;
ALTER DOMAIN currency_domain ADD CHECK (is_currency(value)) NOT VALID;

-- attack: an added column of one
CALL lie('is_checked(text)', 'boolean', 'true');
CREATE DOMAIN checked AS text DEFAULT 'x' CHECK (is_checked(value));
ALTER TABLE payments ADD extra checked;
ALTER TABLE refunds ADD extra checked;

-- What `paid_when` reads is the owner's to change.

-- attack: a domain in the place of text
CREATE DOMAIN checked AS text;
CALL lie('is_checked(text)', 'boolean', 'true');
ALTER DOMAIN checked ADD CHECK (is_checked(value)) NOT VALID;
ALTER TABLE payments ALTER status TYPE checked;

-- attack: a row with a cast to text
CREATE TYPE pair AS (a text);
CALL lie('pair_text(pair)', 'text', '''paid''');
CREATE CAST (pair AS text) WITH FUNCTION pair_text(pair) AS IMPLICIT;
ALTER TABLE payments ALTER status TYPE pair USING ROW(status)::pair;

-- attack: a row with a cast to boolean
-- attach: paid_when => 'flag'
CREATE TYPE pair AS (a boolean);
CALL lie('pair_boolean(pair)', 'boolean', 'true');
CREATE CAST (pair AS boolean) WITH FUNCTION pair_boolean(pair) AS IMPLICIT;
ALTER TABLE payments ALTER flag DROP DEFAULT, ALTER flag TYPE pair USING ROW(flag)::pair;

-- attack: a range with a cast to text
CREATE TYPE number_range AS RANGE (subtype = int4);
CALL lie('range_text(number_range)', 'text', '''paid''');
CREATE CAST (number_range AS text) WITH FUNCTION range_text(number_range) AS IMPLICIT;
ALTER TABLE payments ALTER status TYPE number_range USING 'empty';

-- attack: a list, with an enum whose cast to text is implicit
-- attach: currency => 'currency', paid_when => $c$status IN ('paid', 'settled') OR status LIKE 'pai%'$c$
CALL make_enum('kind');
CALL lie('to_text(kind)', 'text', '''paid''');
CREATE CAST (kind AS text) WITH FUNCTION to_text(kind) AS IMPLICIT;
ALTER TABLE payments ALTER status TYPE kind USING status::kind;

-- attack: functions over a column
-- attach: currency => 'currency', paid_when => $c$lower(status) = 'paid' AND coalesce(length(note), 0) > 0 AND status || 'x' <> 'x'$c$
CALL make_enum('kind');
CALL lie('to_text(kind)', 'text', '''paid''');
CREATE CAST (kind AS text) WITH FUNCTION to_text(kind) AS IMPLICIT;
ALTER TABLE payments ALTER status TYPE kind USING status::kind, ALTER note DROP DEFAULT, ALTER note TYPE kind USING note::kind,
    ALTER note SET DEFAULT 'note';

-- attack: comparisons of whole rows and arrays
-- attach: currency => 'currency', paid_when => $c$(status, note) = ('paid', 'note') OR ARRAY[status] = ARRAY['paid']$c$
CALL make_enum('kind');
CALL lie('to_text(kind)', 'text', '''paid''');
CREATE CAST (kind AS text) WITH FUNCTION to_text(kind) AS IMPLICIT;
CALL lie('equal(kind, kind)', 'boolean', 'true');
CREATE OPERATOR = (LEFTARG = kind, RIGHTARG = kind, FUNCTION = equal);
ALTER TABLE payments ALTER status TYPE kind USING status::kind;

-- attack: json that returns a domain
-- from: 17
-- only: before
-- payments: CREATE TABLE payments (id bigint PRIMARY KEY, customer text, amount numeric, currency text, paid_at timestamptz DEFAULT now(), status text, flag boolean DEFAULT true, note jsonb DEFAULT '{"type": "charge"}')
-- attach: currency => 'currency', paid_when => $c$JSON_VALUE(note, '$.type' RETURNING attached.checked) = 'charge'$c$
CREATE DOMAIN checked AS text;
-- strike:
CALL lie('is_checked(text)', 'boolean', 'true');
ALTER DOMAIN checked ADD CHECK (is_checked(value)) NOT VALID;

-- attack: json path over a column that becomes the owner's
-- payments: CREATE TABLE payments (id bigint PRIMARY KEY, customer text, amount numeric, currency text, paid_at timestamptz DEFAULT now(), status text, flag boolean DEFAULT true, note jsonb DEFAULT '{"type": "charge"}')
-- attach: currency => 'currency', paid_when => $c$note ->> 'type' = 'charge'$c$
CALL make_enum('kind');
CALL lie('to_jsonb(kind)', 'jsonb', '''{"type": "charge"}''');
CREATE CAST (kind AS jsonb) WITH FUNCTION to_jsonb(kind) AS IMPLICIT;
CALL lie('get(kind, text)', 'text', '''charge''');
CREATE OPERATOR ->> (LEFTARG = kind, RIGHTARG = text, FUNCTION = get);
ALTER TABLE payments ALTER note DROP DEFAULT, ALTER note TYPE kind USING 'note', ALTER note SET DEFAULT 'note';

-- attack: functions of the owner's own
-- only: before
-- attach: currency => 'currency', paid_when => 'attached.is_paid(status)'
CALL lie('is_paid(text)', 'boolean', 'true');

-- attack: a cast to a domain
-- only: before
-- attach: currency => 'currency', paid_when => $c$status::attached.checked = 'paid'$c$
CALL lie('is_checked(text)', 'boolean', 'true');
CREATE DOMAIN checked AS text CHECK (is_checked(value));

-- attack: functions shadowing the server's where the condition is read
-- attach: currency => 'currency', paid_when => $c$lower(status) = 'paid'$c$
-- session: SET search_path = {s}, public, pg_catalog
CALL lie('lower(text)', 'text', '''paid''');
CALL lie('eq(text, text)', 'boolean', 'true');
CREATE OPERATOR = (LEFTARG = text, RIGHTARG = text, FUNCTION = eq);

-- Casts from types of the owner's: he may make them at any time, and every `::` asks for them.

-- attack: enum to json, implicit
CALL make_enum('kind');
CALL lie('kind_json(kind)', 'json', '''{}''');
CREATE CAST (kind AS json) WITH FUNCTION kind_json(kind) AS IMPLICIT;
ALTER TABLE payments ADD kind kind DEFAULT '1';

-- attack: enum to json, assignment
CALL make_enum('kind');
CALL lie('kind_json(kind)', 'json', '''{}''');
CREATE CAST (kind AS json) WITH FUNCTION kind_json(kind) AS ASSIGNMENT;
ALTER TABLE payments ADD kind kind DEFAULT '1';

-- attack: enum to json, explicit
CALL make_enum('kind');
CALL lie('kind_json(kind)', 'json', '''{}''');
CREATE CAST (kind AS json) WITH FUNCTION kind_json(kind);
ALTER TABLE payments ADD kind kind DEFAULT '1';

-- attack: enum to jsonb
CALL make_enum('kind');
CALL lie('kind_jsonb(kind)', 'jsonb', '''{}''');
CREATE CAST (kind AS jsonb) WITH FUNCTION kind_jsonb(kind) AS IMPLICIT;
ALTER TABLE payments ADD kind kind DEFAULT '1';

-- attack: composite to json
CREATE TYPE pair AS (a int, b text);
CALL lie('pair_json(pair)', 'json', '''{}''');
CREATE CAST (pair AS json) WITH FUNCTION pair_json(pair) AS IMPLICIT;
ALTER TABLE payments ADD pair pair DEFAULT ROW(1, 'x')::pair;

-- attack: cast to json of a column that is there already
CALL make_enum('kind');
ALTER TABLE payments ADD kind kind DEFAULT '1';
-- strike:
CALL lie('kind_json(kind)', 'json', '''{}''');
CREATE CAST (kind AS json) WITH FUNCTION kind_json(kind) AS IMPLICIT;

-- attack: the table's own row type to json and text
CALL lie('row_json(payments)', 'json', '''{}''');
CREATE CAST (payments AS json) WITH FUNCTION row_json(payments) AS IMPLICIT;
CALL lie('row_jsonb(payments)', 'jsonb', '''{}''');
CREATE CAST (payments AS jsonb) WITH FUNCTION row_jsonb(payments) AS IMPLICIT;
CALL lie('row_text(payments)', 'text', '''row''');
CREATE CAST (payments AS text) WITH FUNCTION row_text(payments) AS IMPLICIT;

-- attack: the refunds' row type to json, text and number
CALL lie('row_json(refunds)', 'json', '''{}''');
CREATE CAST (refunds AS json) WITH FUNCTION row_json(refunds) AS IMPLICIT;
CALL lie('row_text(refunds)', 'text', '''row''');
CREATE CAST (refunds AS text) WITH FUNCTION row_text(refunds) AS IMPLICIT;
CALL lie('row_number(refunds)', 'numeric', '1');
CREATE CAST (refunds AS numeric) WITH FUNCTION row_number(refunds) AS IMPLICIT;

-- attack: status to an enum with a cast to text
CALL make_enum('kind');
CALL lie('to_text(kind)', 'text', '''paid''');
CREATE CAST (kind AS text) WITH FUNCTION to_text(kind) AS IMPLICIT;
ALTER TABLE payments ALTER status TYPE kind USING status::kind;

-- attack: status to an enum whose cast to text comes later
CALL make_enum('kind');
ALTER TABLE payments ALTER status TYPE kind USING status::kind;
-- strike:
CALL lie('to_text(kind)', 'text', '''paid''');
CREATE CAST (kind AS text) WITH FUNCTION to_text(kind) AS IMPLICIT;

-- attack: flag to an enum with a cast to boolean
-- attach: paid_when => 'flag'
CALL make_enum('kind');
CALL lie('to_boolean(kind)', 'boolean', 'true');
CREATE CAST (kind AS boolean) WITH FUNCTION to_boolean(kind) AS IMPLICIT;
ALTER TABLE payments ALTER flag DROP DEFAULT, ALTER flag TYPE kind USING flag::text::kind, ALTER flag SET DEFAULT 'true';

-- attack: flag to an enum with a cast to boolean for assignment
-- attach: paid_when => 'flag'
CALL make_enum('kind');
CALL lie('to_boolean(kind)', 'boolean', 'true');
CREATE CAST (kind AS boolean) WITH FUNCTION to_boolean(kind) AS ASSIGNMENT;
ALTER TABLE payments ALTER flag DROP DEFAULT, ALTER flag TYPE kind USING flag::text::kind, ALTER flag SET DEFAULT 'true';

-- attack: cast back from text through input and output
CREATE DOMAIN checked AS text;
CALL lie('is_checked(text)', 'boolean', 'true');
ALTER DOMAIN checked ADD CHECK (is_checked(value));
CREATE TYPE pair AS (a checked);
CREATE CAST (pair AS text) WITH INOUT AS IMPLICIT;
CREATE CAST (text AS pair) WITH INOUT AS IMPLICIT;
ALTER TABLE payments ALTER customer TYPE pair USING ROW(customer)::pair;

-- Types of the owner's making in every column that is read.

-- attack: enum as key
CALL make_enum('kind');
ALTER TABLE refunds ALTER payment_id TYPE kind USING payment_id::text::kind;
ALTER TABLE payments ALTER id TYPE kind USING id::text::kind;
CALL lie('of_text(text)', 'kind', '''17''');
CREATE CAST (text AS kind) WITH FUNCTION of_text(text) AS IMPLICIT;
CALL lie('to_text(kind)', 'text', '''17''');
CREATE CAST (kind AS text) WITH FUNCTION to_text(kind) AS IMPLICIT;

-- attack: enum as customer
CALL make_enum('kind');
CALL lie('to_text(kind)', 'text', '''user-1''');
CREATE CAST (kind AS text) WITH FUNCTION to_text(kind) AS IMPLICIT;
ALTER TABLE payments ALTER customer TYPE kind USING customer::kind;

-- attack: composite column with a hostile field
CREATE DOMAIN checked AS int;
CALL lie('is_checked(int)', 'boolean', 'true');
ALTER DOMAIN checked ADD CHECK (is_checked(value));
CREATE TYPE pair AS (a checked, b text);
CALL lie('pair_json(pair)', 'json', '''{}''');
CREATE CAST (pair AS json) WITH FUNCTION pair_json(pair) AS IMPLICIT;
CALL lie('pair_text(pair)', 'text', '''(1,x)''');
CREATE CAST (pair AS text) WITH FUNCTION pair_text(pair) AS IMPLICIT;
ALTER TABLE payments ADD pair pair DEFAULT ROW(1, 'x')::pair;

-- attack: composite as customer
CREATE TYPE pair AS (a text);
CALL lie('pair_text(pair)', 'text', '''user-1''');
CREATE CAST (pair AS text) WITH FUNCTION pair_text(pair) AS IMPLICIT;
CALL lie('pair_of_text(text)', 'pair', 'ROW(''user-1'')');
CREATE CAST (text AS pair) WITH FUNCTION pair_of_text(text) AS IMPLICIT;
ALTER TABLE payments ALTER customer TYPE pair USING ROW(customer)::pair;

-- attack: range with a hostile difference and a hostile element
CALL make_enum('kind');
CALL whisper('difference(kind, kind)', 'float8', '1');
CREATE TYPE kind_range AS RANGE (subtype = kind, subtype_diff = difference);
CALL lie('range_text(kind_range)', 'text', '''[1,2)''');
CREATE CAST (kind_range AS text) WITH FUNCTION range_text(kind_range) AS IMPLICIT;
CALL lie('range_json(kind_range)', 'jsonb', '''{}''');
CREATE CAST (kind_range AS jsonb) WITH FUNCTION range_json(kind_range) AS ASSIGNMENT;
ALTER TABLE payments ADD period kind_range DEFAULT '[1,2)';
CREATE INDEX ON payments USING gist (period);

-- attack: range as customer
CREATE TYPE number_range AS RANGE (subtype = int4);
CALL lie('range_text(number_range)', 'text', '''user-1''');
CREATE CAST (number_range AS text) WITH FUNCTION range_text(number_range) AS IMPLICIT;
ALTER TABLE payments ALTER customer TYPE number_range USING 'empty';

-- attack: array of a hostile element
CALL make_enum('kind');
CALL lie('kind_json(kind)', 'json', '''{}''');
CREATE CAST (kind AS json) WITH FUNCTION kind_json(kind) AS IMPLICIT;
CREATE DOMAIN checked AS text;
CALL lie('is_checked(text)', 'boolean', 'true');
ALTER DOMAIN checked ADD CHECK (is_checked(value));
ALTER TABLE payments ADD kinds kind[] DEFAULT '{1,2}', ADD checks checked[] DEFAULT '{a,b}';

-- attack: enum as amount
CALL make_enum('kind');
CALL lie('to_numeric(kind)', 'numeric', '1000000');
CREATE CAST (kind AS numeric) WITH FUNCTION to_numeric(kind) AS IMPLICIT;
ALTER TABLE payments ALTER amount TYPE kind USING trunc(amount)::text::kind;

-- attack: enum as time of the payment
CALL make_enum('kind');
CALL lie('to_time(kind)', 'timestamptz', 'now()');
CREATE CAST (kind AS timestamptz) WITH FUNCTION to_time(kind) AS IMPLICIT;
ALTER TABLE payments ALTER paid_at DROP DEFAULT;
ALTER TABLE payments ALTER paid_at TYPE kind USING '1';

-- attack: enum as currency
CALL make_enum('kind');
CALL lie('to_text(kind)', 'text', '''USD''');
CREATE CAST (kind AS text) WITH FUNCTION to_text(kind) AS IMPLICIT;
CALL lie('to_varchar(kind)', 'varchar', '''USD''');
CREATE CAST (kind AS varchar) WITH FUNCTION to_varchar(kind) AS IMPLICIT;
ALTER TABLE payments ALTER currency TYPE kind USING currency::kind;

-- attack: types in the table of refunds
CALL make_enum('kind');
CALL lie('to_text(kind)', 'text', '''1''');
CREATE CAST (kind AS text) WITH FUNCTION to_text(kind) AS IMPLICIT;
CALL lie('to_numeric(kind)', 'numeric', '1');
CREATE CAST (kind AS numeric) WITH FUNCTION to_numeric(kind) AS IMPLICIT;
CALL lie('to_bigint(kind)', 'bigint', '17');
CREATE CAST (kind AS bigint) WITH FUNCTION to_bigint(kind) AS IMPLICIT;
CALL lie('to_json(kind)', 'json', '''{}''');
CREATE CAST (kind AS json) WITH FUNCTION to_json(kind) AS IMPLICIT;
ALTER TABLE refunds ALTER amount TYPE kind USING trunc(amount)::text::kind,
    ALTER payment_id TYPE kind USING payment_id::text::kind,
    ALTER id TYPE kind USING id::text::kind,
    ALTER currency TYPE kind USING currency::kind;

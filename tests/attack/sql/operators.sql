-- Operators, and operator classes that a superuser has made for the owner's types.

-- attack: equality of the key's type
CALL make_enum('kind');
CALL lie('equal(kind, kind)', 'boolean', 'true');
CREATE OPERATOR = (LEFTARG = kind, RIGHTARG = kind, FUNCTION = equal, HASHES, MERGES);
CALL lie('equal_text(kind, text)', 'boolean', 'true');
CREATE OPERATOR = (LEFTARG = kind, RIGHTARG = text, FUNCTION = equal_text);
ALTER TABLE payments ALTER id TYPE kind USING id::text::kind, ALTER customer TYPE kind USING customer::kind,
    ALTER status TYPE kind USING status::kind;

-- attack: operator class of the key's type, replaced later
-- superuser: CREATE TYPE {s}.kind AS ENUM ('1'); ALTER TYPE {s}.kind OWNER TO mallory
-- superuser: CREATE FUNCTION {s}.lt({s}.kind, {s}.kind) RETURNS boolean LANGUAGE internal IMMUTABLE STRICT AS 'enum_lt'; CREATE OPERATOR {s}.< (LEFTARG = {s}.kind, RIGHTARG = {s}.kind, FUNCTION = {s}.lt)
-- superuser: CREATE FUNCTION {s}.le({s}.kind, {s}.kind) RETURNS boolean LANGUAGE internal IMMUTABLE STRICT AS 'enum_le'; CREATE OPERATOR {s}.<= (LEFTARG = {s}.kind, RIGHTARG = {s}.kind, FUNCTION = {s}.le)
-- superuser: CREATE FUNCTION {s}.eq({s}.kind, {s}.kind) RETURNS boolean LANGUAGE internal IMMUTABLE STRICT AS 'enum_eq'; CREATE OPERATOR {s}.= (LEFTARG = {s}.kind, RIGHTARG = {s}.kind, FUNCTION = {s}.eq)
-- superuser: CREATE FUNCTION {s}.ge({s}.kind, {s}.kind) RETURNS boolean LANGUAGE internal IMMUTABLE STRICT AS 'enum_ge'; CREATE OPERATOR {s}.>= (LEFTARG = {s}.kind, RIGHTARG = {s}.kind, FUNCTION = {s}.ge)
-- superuser: CREATE FUNCTION {s}.gt({s}.kind, {s}.kind) RETURNS boolean LANGUAGE internal IMMUTABLE STRICT AS 'enum_gt'; CREATE OPERATOR {s}.> (LEFTARG = {s}.kind, RIGHTARG = {s}.kind, FUNCTION = {s}.gt)
-- superuser: CREATE FUNCTION {s}.cmp({s}.kind, {s}.kind) RETURNS int LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN pg_catalog.enum_cmp($1, $2); END'
-- superuser: CREATE OPERATOR CLASS {s}.kind_ops DEFAULT FOR TYPE {s}.kind USING btree AS OPERATOR 1 {s}.<, OPERATOR 2 {s}.<=, OPERATOR 3 {s}.=, OPERATOR 4 {s}.>=, OPERATOR 5 {s}.>, FUNCTION 1 {s}.cmp({s}.kind, {s}.kind)
-- superuser: ALTER FUNCTION {s}.cmp({s}.kind, {s}.kind) OWNER TO mallory; ALTER FUNCTION {s}.eq({s}.kind, {s}.kind) OWNER TO mallory
DO $$
BEGIN
    FOR i IN 2..399 LOOP
        EXECUTE format('ALTER TYPE kind ADD VALUE %L', i);
    END LOOP;
END
$$;
ALTER TABLE payments ALTER id TYPE kind USING id::text::kind;
ALTER TABLE refunds ALTER payment_id TYPE kind USING payment_id::text::kind;
CREATE INDEX ON payments (customer, id);
-- strike:
CALL whisper('cmp(kind, kind)', 'int', 'pg_catalog.enum_cmp($1, $2)');
CALL whisper('eq(kind, kind)', 'boolean', 'pg_catalog.enum_eq($1, $2)');

-- attack: operator class of an index on the customer
-- superuser: CREATE FUNCTION {s}.cmp(text, text) RETURNS int LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN pg_catalog.bttextcmp($1, $2); END'
-- superuser: CREATE OPERATOR CLASS {s}.text_ops FOR TYPE text USING btree AS OPERATOR 1 pg_catalog.<, OPERATOR 2 pg_catalog.<=, OPERATOR 3 pg_catalog.=, OPERATOR 4 pg_catalog.>=, OPERATOR 5 pg_catalog.>, FUNCTION 1 {s}.cmp(text, text)
-- superuser: ALTER FUNCTION {s}.cmp(text, text) OWNER TO mallory
CREATE INDEX ON payments (customer text_ops);
CREATE INDEX ON refunds (currency text_ops);
CALL whisper('cmp(text, text)', 'int', 'pg_catalog.bttextcmp($1, $2)');

-- attack: operator class for hashing
-- superuser: CREATE FUNCTION {s}.hash(text) RETURNS int LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN pg_catalog.hashtext($1); END'
-- superuser: CREATE OPERATOR CLASS {s}.text_hash FOR TYPE text USING hash AS OPERATOR 1 pg_catalog.=, FUNCTION 1 {s}.hash(text)
-- superuser: ALTER FUNCTION {s}.hash(text) OWNER TO mallory
CREATE INDEX ON payments USING hash (customer text_hash);
CALL whisper('hash(text)', 'int', 'pg_catalog.hashtext($1)');

-- attack: operators of status
CALL make_enum('kind');
CALL lie('equal_text(kind, text)', 'boolean', 'true');
CREATE OPERATOR = (LEFTARG = kind, RIGHTARG = text, FUNCTION = equal_text);
CALL lie('equal_unknown(kind, varchar)', 'boolean', 'true');
CREATE OPERATOR = (LEFTARG = kind, RIGHTARG = varchar, FUNCTION = equal_unknown);
CALL lie('equal(kind, kind)', 'boolean', 'true');
CREATE OPERATOR = (LEFTARG = kind, RIGHTARG = kind, FUNCTION = equal);
ALTER TABLE payments ALTER status TYPE kind USING status::kind;

-- attack: exclusion constraint with an operator of the owner's
CALL lie('overlaps(text, text)', 'boolean', 'false');
CREATE OPERATOR && (LEFTARG = text, RIGHTARG = text, FUNCTION = overlaps, COMMUTATOR = &&);
CALL lie('is_there(text)', 'boolean', 'true');
ALTER TABLE payments ADD EXCLUDE USING btree (id WITH =) WHERE (is_there(customer));

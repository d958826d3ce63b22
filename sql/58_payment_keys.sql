-- The order of payment keys. Under the order of text 10 comes before 9, so that keys of growing
-- numbers would be inserted all over the index, into pages that are split and stay half empty.
CREATE FUNCTION affiliate.payment_key_cmp(a text, b text) RETURNS integer
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'payment_key_cmp';
COMMENT ON FUNCTION affiliate.payment_key_cmp(text, text)
    IS 'The order of payment keys: the shorter one first, of equal length by their bytes; negative, 0 or positive';

CREATE FUNCTION affiliate.payment_key_lt(a text, b text) RETURNS boolean
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'payment_key_lt';
COMMENT ON FUNCTION affiliate.payment_key_lt(text, text) IS 'Whether a payment key is shorter than the other one, or as long and before it';
CREATE FUNCTION affiliate.payment_key_le(a text, b text) RETURNS boolean
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'payment_key_le';
COMMENT ON FUNCTION affiliate.payment_key_le(text, text) IS 'Whether a payment key is shorter than the other one, or as long and not after it';
CREATE FUNCTION affiliate.payment_key_ge(a text, b text) RETURNS boolean
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'payment_key_ge';
COMMENT ON FUNCTION affiliate.payment_key_ge(text, text) IS 'Whether a payment key is longer than the other one, or as long and not before it';
CREATE FUNCTION affiliate.payment_key_gt(a text, b text) RETURNS boolean
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'payment_key_gt';
COMMENT ON FUNCTION affiliate.payment_key_gt(text, text) IS 'Whether a payment key is longer than the other one, or as long and after it';

CREATE OPERATOR affiliate.#< (
    LEFTARG = text, RIGHTARG = text, FUNCTION = affiliate.payment_key_lt,
    COMMUTATOR = OPERATOR(affiliate.#>), NEGATOR = OPERATOR(affiliate.#>=),
    RESTRICT = pg_catalog.scalarltsel, JOIN = pg_catalog.scalarltjoinsel);
COMMENT ON OPERATOR affiliate.#< (text, text) IS 'Whether a payment key is shorter than the other one, or as long and before it';
CREATE OPERATOR affiliate.#<= (
    LEFTARG = text, RIGHTARG = text, FUNCTION = affiliate.payment_key_le,
    COMMUTATOR = OPERATOR(affiliate.#>=), NEGATOR = OPERATOR(affiliate.#>),
    RESTRICT = pg_catalog.scalarlesel, JOIN = pg_catalog.scalarlejoinsel);
COMMENT ON OPERATOR affiliate.#<= (text, text) IS 'Whether a payment key is shorter than the other one, or as long and not after it';
CREATE OPERATOR affiliate.#>= (
    LEFTARG = text, RIGHTARG = text, FUNCTION = affiliate.payment_key_ge,
    COMMUTATOR = OPERATOR(affiliate.#<=), NEGATOR = OPERATOR(affiliate.#<),
    RESTRICT = pg_catalog.scalargesel, JOIN = pg_catalog.scalargejoinsel);
COMMENT ON OPERATOR affiliate.#>= (text, text) IS 'Whether a payment key is longer than the other one, or as long and not before it';
CREATE OPERATOR affiliate.#> (
    LEFTARG = text, RIGHTARG = text, FUNCTION = affiliate.payment_key_gt,
    COMMUTATOR = OPERATOR(affiliate.#<), NEGATOR = OPERATOR(affiliate.#<=),
    RESTRICT = pg_catalog.scalargtsel, JOIN = pg_catalog.scalargtjoinsel);
COMMENT ON OPERATOR affiliate.#> (text, text) IS 'Whether a payment key is longer than the other one, or as long and after it';

CREATE OPERATOR FAMILY affiliate.payment_key_ops USING btree;
COMMENT ON OPERATOR FAMILY affiliate.payment_key_ops USING btree IS 'Payment keys: shorter ones first, then by their bytes';
CREATE OPERATOR CLASS affiliate.payment_key_ops FOR TYPE text USING btree FAMILY affiliate.payment_key_ops AS
    OPERATOR 1 affiliate.#<, OPERATOR 2 affiliate.#<=, OPERATOR 3 pg_catalog.=,
    OPERATOR 4 affiliate.#>=, OPERATOR 5 affiliate.#>,
    FUNCTION 1 affiliate.payment_key_cmp(text, text);
COMMENT ON OPERATOR CLASS affiliate.payment_key_ops USING btree
    IS 'Keeps growing numbers, as text, at the end of an index; equality is that of text';

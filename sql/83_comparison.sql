-- The comparison of payments with the ledger.

CREATE FUNCTION affiliate.is_sound(
    seq integer, rule "char", rate numeric, base numeric, refunded numeric, base_before numeric,
    posted_before numeric, amount numeric, currency text, paid_on date, matures_on date
) RETURNS boolean
LANGUAGE c IMMUTABLE
AS 'MODULE_PATHNAME', 'is_sound_wrapper';
COMMENT ON FUNCTION affiliate.is_sound(integer, "char", numeric, numeric, numeric, numeric, numeric, numeric, text, date, date)
    IS 'Whether the inputs of an entry come to its amount, and a first one begins from nothing';

CREATE FUNCTION affiliate.has_unique_index(relation regclass, columns text[], condition text) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT EXISTS (SELECT FROM pg_index i
        WHERE i.indrelid = relation AND i.indisunique AND i.indimmediate AND i.indisvalid AND i.indisready
            AND i.indnkeyatts = cardinality(columns) AND i.indexprs IS NULL
            AND affiliate.attribute_names(relation, i.indkey::smallint[]) = columns
            AND pg_get_expr(i.indpred, i.indrelid) IS NOT DISTINCT FROM condition)
$$;
COMMENT ON FUNCTION affiliate.has_unique_index(regclass, text[], text)
    IS 'Whether a valid unique index on these columns, in this order, keeps rows for which the condition holds apart';

-- A view, so that monitoring needs nothing but SELECT, over a function that readers may execute.
CREATE FUNCTION affiliate.compare_payments() RETURNS TABLE (
    binding_id integer, payments regclass, unposted bigint, wrong_sum bigint, without_payment bigint)
LANGUAGE c SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off SET hash_mem_multiplier = 1
AS 'MODULE_PATHNAME', 'compare_payments_wrapper';
COMMENT ON FUNCTION affiliate.compare_payments()
    IS 'Compares every bound table with the ledger and counts the payments that differ';

CREATE VIEW affiliate.unposted AS
SELECT c.binding_id, c.payments, c.unposted, c.wrong_sum, c.without_payment FROM affiliate.compare_payments() c;
COMMENT ON VIEW affiliate.unposted IS
    'Each bound table and its payments that differ from the ledger. It compares whole tables: read it once a day, not every minute';
COMMENT ON COLUMN affiliate.unposted.unposted IS 'Eligible payments that have no entries';
COMMENT ON COLUMN affiliate.unposted.wrong_sum IS 'Payments whose posted sum is not the commission of the row as it is';
COMMENT ON COLUMN affiliate.unposted.without_payment IS 'Payments that have entries and no row of a referred customer, unless deletes are kept';

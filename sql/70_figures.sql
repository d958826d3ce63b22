-- Figures in constant time: folded totals, plus what came after the mark. Without jit: compiling
-- these statements takes longer than running them.

CREATE TABLE affiliate.fold (
    singleton boolean PRIMARY KEY DEFAULT true CHECK (singleton),
    mark      integer NOT NULL,
    folded_at timestamptz NOT NULL
);
COMMENT ON TABLE affiliate.fold IS
    'The mark: entries and referrals of epochs up to it are in the totals, later ones are not; no row before the first fold';

CREATE TABLE affiliate.total (
    affiliate_id integer NOT NULL,
    currency     text COLLATE "C" NOT NULL,
    matures_on   date NOT NULL,
    commission   numeric NOT NULL,
    spent        numeric NOT NULL,
    conversions  bigint NOT NULL,
    PRIMARY KEY (affiliate_id, currency, matures_on)
) USING heap WITH (fillfactor = 70);
COMMENT ON TABLE affiliate.total IS 'Folded entries, per affiliate, currency and day of maturity; days that are past everywhere are one row, -infinity';
COMMENT ON COLUMN affiliate.total.commission IS 'Sum of the amounts, in major units';
COMMENT ON COLUMN affiliate.total.spent IS 'Net sum of the payments, in major units';
COMMENT ON COLUMN affiliate.total.conversions IS 'Customers with an entry in the currency; counted on the row -infinity';

CREATE TABLE affiliate.referred (
    affiliate_id integer PRIMARY KEY,
    users        bigint NOT NULL
) USING heap WITH (fillfactor = 70);
COMMENT ON TABLE affiliate.referred IS 'Folded referrals per affiliate';

CREATE TABLE affiliate.conversion (
    referral_id bigint NOT NULL,
    currency    text COLLATE "C" NOT NULL,
    PRIMARY KEY (referral_id, currency)
);
COMMENT ON TABLE affiliate.conversion IS 'Customers, by their referral, whose conversion in a currency is in the totals';

-- Without sequential scans: where much is new, the planner would read the whole ledger for it.
CREATE FUNCTION @extschema@.affiliate_maintain() RETURNS bigint
LANGUAGE c SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off SET enable_seqscan = off
AS 'MODULE_PATHNAME', 'affiliate_maintain_wrapper';
COMMENT ON FUNCTION @extschema@.affiliate_maintain()
    IS 'Folds new entries and referrals into the totals and returns how many rows it folded; figures are right, only slower, when it never runs';
REVOKE ALL ON FUNCTION @extschema@.affiliate_maintain() FROM PUBLIC;

CREATE FUNCTION @extschema@.affiliate_rebuild_figures()
RETURNS TABLE (entries bigint, referrals bigint, sequences bigint)
LANGUAGE c SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
AS 'MODULE_PATHNAME', 'affiliate_rebuild_figures_wrapper';
COMMENT ON FUNCTION @extschema@.affiliate_rebuild_figures()
    IS 'Makes totals, conversions and marks anew from the whole ledger and sets sequences ahead that are behind; counts what it has folded and set';
REVOKE ALL ON FUNCTION @extschema@.affiliate_rebuild_figures() FROM PUBLIC;

CREATE FUNCTION @extschema@.affiliate_stats(code text) RETURNS TABLE (
    code text, link text, currency text, total_users_referred bigint, total_conversions bigint,
    total_money_spent numeric, total_commission numeric, pending_amount numeric,
    total_payout_amount numeric, processing_amount numeric, paid_amount numeric)
LANGUAGE c STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off SET enable_seqscan = off
AS 'MODULE_PATHNAME', 'affiliate_stats_wrapper';
COMMENT ON FUNCTION @extschema@.affiliate_stats(text)
    IS 'The figures of the affiliate of a code, in major units, a row per currency; total_payout_amount is matured and in no payout yet';
REVOKE ALL ON FUNCTION @extschema@.affiliate_stats(text) FROM PUBLIC;

CREATE FUNCTION @extschema@.affiliate_stats() RETURNS TABLE (
    code text, link text, currency text, total_users_referred bigint, total_conversions bigint,
    total_money_spent numeric, total_commission numeric, pending_amount numeric,
    total_payout_amount numeric, processing_amount numeric, paid_amount numeric)
LANGUAGE c STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
AS 'MODULE_PATHNAME', 'affiliate_stats_all_wrapper';
COMMENT ON FUNCTION @extschema@.affiliate_stats() IS 'The figures of every affiliate';
REVOKE ALL ON FUNCTION @extschema@.affiliate_stats() FROM PUBLIC;

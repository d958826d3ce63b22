-- Programs: sets of terms.

CREATE TABLE affiliate.program (
    name             text COLLATE "C" PRIMARY KEY,
    rate             numeric NOT NULL,
    hold_days        integer NOT NULL,
    payout_threshold numeric NOT NULL,
    currency         text COLLATE "C" NOT NULL,
    time_zone        text NOT NULL,
    link_base        text NOT NULL,
    self_referral    text NOT NULL,
    attribution      text NOT NULL,
    attribution_days integer NOT NULL,
    created_at       timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT program_rate CHECK (rate >= 0 AND rate <= 1 AND scale(rate) <= 6),
    CONSTRAINT program_hold_days CHECK (hold_days BETWEEN 0 AND 3650),
    -- NaN and Infinity sort above every finite number
    CONSTRAINT program_payout_threshold CHECK (payout_threshold >= 0 AND payout_threshold < 'Infinity'),
    CONSTRAINT program_self_referral CHECK (self_referral IN ('reject', 'allow')),
    CONSTRAINT program_attribution CHECK (attribution IN ('last_click', 'first_click')),
    CONSTRAINT program_attribution_days CHECK (attribution_days BETWEEN 1 AND 3650)
);
COMMENT ON TABLE affiliate.program IS 'Sets of terms; what a payment has earned keeps the terms of its first entry';
COMMENT ON COLUMN affiliate.program.rate IS 'Share of the net payment, a fraction: 0.30 is 30%; at most 6 decimals';
COMMENT ON COLUMN affiliate.program.hold_days IS 'Days from the payment, in the time zone of the program, until its commission matures';
COMMENT ON COLUMN affiliate.program.payout_threshold IS 'Smallest payout, in major units of the payout''s currency unless affiliate.payout_threshold has a row for it';
COMMENT ON COLUMN affiliate.program.currency IS 'ISO 4217 code used where a payment names no currency';
COMMENT ON COLUMN affiliate.program.time_zone IS 'Zone that decides on which day a payment was made and what day it is today';
COMMENT ON COLUMN affiliate.program.link_base IS 'What stands before the code in a link; exactly one slash between them';
COMMENT ON COLUMN affiliate.program.self_referral IS 'reject: an affiliate''s owner can''t be the affiliate''s customer; allow: it can';
COMMENT ON COLUMN affiliate.program.attribution IS 'Which click of a visitor counts: last_click or first_click within the window';
COMMENT ON COLUMN affiliate.program.attribution_days IS 'For how many days a click counts';

CREATE TABLE affiliate.payout_threshold (
    program  text COLLATE "C" NOT NULL,
    currency text COLLATE "C" NOT NULL,
    minimum  numeric NOT NULL,
    PRIMARY KEY (program, currency),
    CONSTRAINT payout_threshold_minimum CHECK (minimum >= 0 AND minimum < 'Infinity')
);
COMMENT ON TABLE affiliate.payout_threshold IS 'Smallest payouts in currencies for which the number of the program does not fit';

INSERT INTO affiliate.program (name, rate, hold_days, payout_threshold, currency, time_zone, link_base, self_referral, attribution, attribution_days)
VALUES ('default', 0.30, 0, 50, 'USD', 'UTC', 'https://example.com/ref/', 'reject', 'last_click', 30);

-- A dump holds the program "default" as it was; in the database it is restored into,
-- CREATE EXTENSION has made one already, which takes over those terms.
CREATE FUNCTION affiliate.take_over_program() RETURNS trigger
LANGUAGE c SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'take_over_program';
COMMENT ON FUNCTION affiliate.take_over_program() IS 'Gives the program "default" the terms of a restored one';

CREATE TRIGGER take_over_program BEFORE INSERT ON affiliate.program
    FOR EACH ROW WHEN (NEW.name = 'default') EXECUTE FUNCTION affiliate.take_over_program();
-- the initial copy of logical replication brings that program too
ALTER TABLE affiliate.program ENABLE ALWAYS TRIGGER take_over_program;
COMMENT ON TRIGGER take_over_program ON affiliate.program IS 'Gives the program "default" the terms of a restored one';

CREATE FUNCTION @extschema@.affiliate_set_program(
    name text, rate numeric DEFAULT NULL, link_base text DEFAULT NULL,
    payout_threshold numeric DEFAULT NULL, currency text DEFAULT NULL,
    hold_days integer DEFAULT NULL, time_zone text DEFAULT NULL, self_referral text DEFAULT NULL,
    attribution text DEFAULT NULL, attribution_days integer DEFAULT NULL
) RETURNS affiliate.program
LANGUAGE c SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'affiliate_set_program_wrapper';
COMMENT ON FUNCTION @extschema@.affiliate_set_program(text, numeric, text, numeric, text, integer, text, text, text, integer)
    IS 'Creates or changes a program; NULL leaves a term as it is. Terms of payments that have entries stay';
REVOKE ALL ON FUNCTION @extschema@.affiliate_set_program(text, numeric, text, numeric, text, integer, text, text, text, integer) FROM PUBLIC;

CREATE FUNCTION @extschema@.affiliate_set_payout_threshold(program text, currency text, minimum numeric) RETURNS affiliate.payout_threshold
LANGUAGE c SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'affiliate_set_payout_threshold_wrapper';
COMMENT ON FUNCTION @extschema@.affiliate_set_payout_threshold(text, text, numeric)
    IS 'Sets the smallest payout, in major units, of a program in one currency; NULL goes back to the program''s number; returns the row that it set or removed';
REVOKE ALL ON FUNCTION @extschema@.affiliate_set_payout_threshold(text, text, numeric) FROM PUBLIC;

CREATE FUNCTION affiliate.minor_digits(currency text) RETURNS integer
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'minor_digits_wrapper';
COMMENT ON FUNCTION affiliate.minor_digits(text)
    IS 'Decimals of the minor unit of an ISO 4217 currency: 2 for USD, 0 for JPY, 3 for KWD; NULL for an unknown one';

CREATE FUNCTION affiliate.commission_target(rate numeric, base numeric, currency text) RETURNS numeric
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'commission_target_wrapper';
COMMENT ON FUNCTION affiliate.commission_target(numeric, numeric, text)
    IS 'rate x base, rounded half away from zero to the minor unit; NULL where it can''t be computed';

CREATE FUNCTION affiliate.with_minor_digits(amount numeric, currency text) RETURNS numeric
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'with_minor_digits_wrapper';
COMMENT ON FUNCTION affiliate.with_minor_digits(numeric, text)
    IS 'The same amount, written with at least the decimals of its currency''s minor unit';

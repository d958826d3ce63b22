-- Without pg_cron there is nothing that could run payouts on a schedule, and the error says what to do.
-- With it: tests/pg_cron.rs.
CREATE DATABASE regress_payout_schedule;
\c regress_payout_schedule
\set VERBOSITY verbose
CREATE EXTENSION affiliate;
SELECT affiliate_schedule_payouts();
SELECT affiliate_schedule_payouts(schedule => '0 3 1 * *', maintain_schedule => NULL);
SELECT affiliate_unschedule_payouts();
SELECT affiliate_schedule_payouts(schedule => NULL);
SELECT affiliate_schedule_payouts(schedule => '');
SELECT affiliate_schedule_payouts(maintain_schedule => ' ');

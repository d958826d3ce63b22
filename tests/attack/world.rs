//! What no attack may change: who has which rights, and everything of the ledger that is not the
//! attacker's own payments.

use postgres::Client;

use super::session::Session;
use crate::support::check::run;

pub const ROLES: &str = "
    SELECT r.rolname, r.rolsuper, r.rolcreaterole, r.rolcreatedb, r.rolbypassrls, r.rolreplication, r.rolcanlogin
    FROM pg_roles r WHERE r.rolname !~ '^pg_'
    UNION ALL
    SELECT m.roleid::regrole::text, NULL, NULL, NULL, NULL, NULL, NULL FROM pg_auth_members m
    WHERE m.member >= 16384 ORDER BY 1";

/// Nothing here is mallory's: members of the extension and their rights, terms, affiliates, and
/// the bindings and ledger of other people's tables.
const THE_REST: &str = "
    WITH members AS (
        SELECT d.classid, d.objid FROM pg_depend d JOIN pg_extension e ON e.oid = d.refobjid
        WHERE d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e' AND e.extname = 'affiliate')
    SELECT concat('function ', p.oid::regprocedure, ' ', p.proowner::regrole, ' ', a.rights, ' ', md5(p.prosrc), ' ', p.proconfig)
    FROM pg_proc p JOIN members m ON m.classid = 'pg_proc'::regclass AND m.objid = p.oid,
        -- owners of attached partitioned tables have the right to our triggers
        LATERAL (SELECT string_agg(concat(a.grantee::regrole, ' ', a.is_grantable), ', ' ORDER BY a) AS rights
            FROM aclexplode(p.proacl) a
            WHERE NOT (p.proname IN ('post_payments', 'post_refunds') AND a.grantee = 'mallory'::regrole)) a
    UNION ALL
    SELECT concat('relation ', c.oid::regclass, ' ', c.relowner::regrole, ' ', c.relacl)
    FROM pg_class c JOIN members m ON m.classid = 'pg_class'::regclass AND m.objid = c.oid
    UNION ALL
    SELECT concat('trigger ', t.tgname, ' ', t.tgenabled) FROM pg_trigger t
        JOIN members m ON m.classid = 'pg_class'::regclass AND m.objid = t.tgrelid
    UNION ALL
    SELECT concat('program ', p) FROM affiliate.program p
    UNION ALL
    SELECT concat('affiliate ', a) FROM affiliate.affiliate a
    UNION ALL
    SELECT concat('code ', c.code, ' ', c.affiliate_id) FROM affiliate.code c
    UNION ALL
    SELECT concat('referral ', r.customer, ' ', r.affiliate_id) FROM affiliate.referral r WHERE r.customer !~ '^late-'
    UNION ALL
    SELECT concat('binding ', b.id, ' ', b.payments, ' ', b.detached_at) FROM affiliate.binding b
    WHERE b.table_name !~ 'attached'
    UNION ALL
    SELECT concat('entry ', c.payment_key, ' ', c.amount, ' ', c.affiliate_id)
    FROM affiliate.commission c JOIN affiliate.binding b ON b.id = c.binding_id
    WHERE b.table_name !~ 'attached'
    UNION ALL
    SELECT concat('entry of no binding ', c.payment_key) FROM affiliate.commission c
    WHERE NOT EXISTS (SELECT FROM affiliate.binding b WHERE b.id = c.binding_id)
    UNION ALL
    SELECT 'alice''s payments ' || count(*) FROM alice.payments
    ORDER BY 1";

pub fn look(superuser: &mut Session) -> Vec<String> {
    let mut world = superuser.lines(ROLES);
    world.extend(superuser.lines(THE_REST));
    world
}

/// What is in only one of two states.
pub fn differences(before: &[String], after: &[String]) -> Vec<String> {
    let gone = before.iter().filter(|line| !after.contains(line));
    let new = after.iter().filter(|line| !before.contains(line));
    gone.map(|line| format!("gone: {line}"))
        .chain(new.map(|line| format!("new: {line}")))
        .collect()
}

/// Takes away what an attack that succeeded has gained, so that the next one starts without it.
pub fn restore_roles(superuser: &mut Client) {
    run(
        superuser,
        "ALTER ROLE mallory NOSUPERUSER; REVOKE postgres FROM mallory",
    );
}

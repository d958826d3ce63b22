//! Hostile calls of our own functions, and tampering with what is ours.

use super::session::Session;
use super::world;
use crate::support::Cluster;

pub struct Probe {
    pub name: &'static str,
    pub role: &'static str,
    pub sql: &'static str,
    /// SQLSTATEs with which it must fail.
    refused: &'static [&'static str],
}

/// What the probes find besides what every attack does: a table of mallory's that is attached.
const SCENE: &str = "
    GRANT USAGE ON SCHEMA attached TO PUBLIC;
    SET ROLE mallory;
    CREATE TABLE attached.mine (id bigint PRIMARY KEY, customer text, amount numeric);
    CREATE TABLE attached.free (id bigint PRIMARY KEY, customer text, amount numeric);
    CREATE TABLE attached.reference (id bigint PRIMARY KEY, payment text);
    CREATE VIEW attached.view AS SELECT * FROM attached.free;
    RESET ROLE;
    SELECT affiliate_attach_payments('attached.mine', customer => 'customer', amount => 'amount');
    INSERT INTO attached.mine VALUES (1, 'user-1', 100);
    CALL affiliate_run_payouts(through => current_date)";

const NOT_ALLOWED: &[&str] = &["42501"];
const NOT_ATTACHED: &[&str] = &["42704"];
const FINE: &[&str] = &[];

const fn probe(
    name: &'static str,
    role: &'static str,
    sql: &'static str,
    refused: &'static [&'static str],
) -> Probe {
    Probe {
        name,
        role,
        sql,
        refused,
    }
}

pub const PROBES: &[Probe] = &[
    // attaching and detaching
    probe("attaches somebody else's table", "mallory",
        "SELECT affiliate_attach_payments('alice.payments', 'customer', 'amount')", NOT_ALLOWED),
    probe("attaches a table of his own", "mallory",
        "SELECT affiliate_attach_payments('attached.free', 'customer', 'amount')", NOT_ALLOWED),
    probe("detaches somebody else's table", "mallory",
        "SELECT affiliate_detach('alice.payments')", NOT_ALLOWED),
    probe("detaches somebody else's table", "treasurer",
        "SELECT affiliate_detach('alice.payments')", NOT_ALLOWED),
    probe("attaches refunds to somebody else's payments", "web",
        "SELECT affiliate_attach_refunds('attached.free', 'alice.payments', 'id', 'id', 'amount')", NOT_ALLOWED),
    probe("attaches a catalog", "postgres",
        "SELECT affiliate_attach_payments('pg_catalog.pg_class', 'relname', 'relpages')", &["42809", "42501"]),
    probe("attaches a catalog of roles", "postgres",
        "SELECT affiliate_attach_payments('pg_catalog.pg_authid', 'rolname', 'rolconnlimit')", &["42809", "42501"]),
    probe("attaches a view", "postgres",
        "SELECT affiliate_attach_payments('attached.view', 'customer', 'amount', payment_key => 'id')", &["42809"]),
    probe("attaches the ledger", "postgres",
        "SELECT affiliate_attach_payments('affiliate.commission', 'currency', 'amount')", &["42809"]),
    probe("attaches a table of TOAST", "postgres",
        "SELECT affiliate_attach_payments(reltoastrelid::regclass, 'chunk_id', 'chunk_seq') FROM pg_class
         WHERE oid = 'alice.payments'::regclass", &["42809"]),
    probe("attaches an index", "postgres",
        "SELECT affiliate_attach_payments('alice.payments_pkey', 'id', 'id')", &["42809"]),
    probe("attaches a sequence", "postgres",
        "SELECT affiliate_attach_payments('affiliate.epoch', 'last_value', 'last_value')", &["42809"]),
    probe("attaches what does not exist", "postgres",
        "SELECT affiliate_attach_payments(4294967295::oid::regclass, 'a', 'b')", &["42P01"]),

    // reading what is not one's own
    probe("explains a catalog of roles", "finance",
        "SELECT affiliate_explain('pg_catalog.pg_authid', '10'::text)", NOT_ATTACHED),
    probe("explains a table that is not attached", "finance",
        "SELECT affiliate_explain('attached.free', '1'::text)", NOT_ATTACHED),
    probe("explains a view", "finance",
        "SELECT affiliate_explain('attached.view', '1'::text)", NOT_ATTACHED),
    probe("explains the ledger", "finance",
        "SELECT affiliate_explain('affiliate.commission', '1'::text)", NOT_ATTACHED),
    probe("explains with SQL in the key", "finance",
        "SELECT affiliate_explain('alice.payments', '1); DELETE FROM alice.payments; --'::text)", &["22P02"]),
    probe("explains with SQL in the key of text", "finance",
        "SELECT affiliate_explain('affiliate.payment', ''' OR true; DELETE FROM affiliate.commission; --'::text)",
        &["22P02"]),
    probe("reads the rows of an attached table", "finance", "SELECT * FROM alice.payments", NOT_ALLOWED),
    probe("explains", "web", "SELECT affiliate_explain('alice.payments', '1'::text)", NOT_ALLOWED),
    probe("reads the ledger", "web", "SELECT * FROM affiliate.commission", NOT_ALLOWED),
    probe("reads referrals", "web", "SELECT * FROM affiliate.referral", NOT_ALLOWED),
    probe("reads the comparison", "web", "SELECT * FROM affiliate.unposted", NOT_ALLOWED),
    probe("verifies", "web", "SELECT * FROM affiliate_verify()", NOT_ALLOWED),
    probe("reads figures", "mallory", "SELECT * FROM affiliate_stats()", NOT_ALLOWED),
    probe("compares by hand", "mallory", "SELECT * FROM affiliate.compare_payments()", NOT_ALLOWED),

    // forging
    probe("writes the ledger", "finance", "INSERT INTO affiliate.commission SELECT * FROM affiliate.commission", NOT_ALLOWED),
    probe("empties the ledger", "treasurer", "DELETE FROM affiliate.commission", NOT_ALLOWED),
    probe("truncates the ledger", "treasurer", "TRUNCATE affiliate.commission", NOT_ALLOWED),
    probe("copies into the ledger", "treasurer", "COPY affiliate.commission FROM STDIN", NOT_ALLOWED),
    probe("locks the ledger", "treasurer", "BEGIN; LOCK TABLE affiliate.commission IN ACCESS EXCLUSIVE MODE", NOT_ALLOWED),
    probe("changes terms", "treasurer", "UPDATE affiliate.program SET rate = 1", NOT_ALLOWED),
    probe("changes terms by the call", "treasurer", "SELECT affiliate_set_program('default', rate => 1)", NOT_ALLOWED),
    probe("changes a payout", "treasurer", "UPDATE affiliate.payout SET amount = 1000", NOT_ALLOWED),
    probe("takes a sequence on", "treasurer", "SELECT nextval('affiliate.epoch')", NOT_ALLOWED),
    probe("sets a sequence", "treasurer", "SELECT setval('affiliate.commission_id_seq', 1)", &["42501", "42P01"]),
    probe("inserts payments of its own", "web", "INSERT INTO affiliate.payment (customer, amount) VALUES ('user-1', 1000)", NOT_ALLOWED),
    probe("puts our trigger on a table of his own", "mallory",
        "CREATE TRIGGER forge AFTER INSERT ON attached.free REFERENCING NEW TABLE AS new_rows
         FOR EACH STATEMENT EXECUTE FUNCTION affiliate.post_payments()", NOT_ALLOWED),
    probe("puts our row trigger on a table of his own", "mallory",
        "CREATE TRIGGER forge AFTER INSERT ON attached.free FOR EACH ROW EXECUTE FUNCTION affiliate.post_payments()", NOT_ALLOWED),
    probe("puts our trigger of refunds on a table of his own", "mallory",
        "CREATE TRIGGER forge AFTER INSERT ON attached.free FOR EACH ROW EXECUTE FUNCTION affiliate.post_refunds()", NOT_ALLOWED),
    probe("puts the trigger of restores on a table of his own", "mallory",
        "CREATE TRIGGER forge BEFORE INSERT ON attached.free FOR EACH STATEMENT EXECUTE FUNCTION affiliate.make_way_for_restore()",
        NOT_ALLOWED),
    probe("puts the trigger of terms on a table of his own", "mallory",
        "CREATE TRIGGER forge AFTER INSERT ON attached.free FOR EACH STATEMENT EXECUTE FUNCTION affiliate.terms_changed()", NOT_ALLOWED),
    probe("calls the trigger function", "mallory", "SELECT affiliate.post_payments()", &["42501", "0A000"]),
    probe("makes a function of the library's symbol", "mallory",
        "CREATE FUNCTION attached.forge() RETURNS trigger LANGUAGE c AS '$libdir/affiliate', 'post_payments'", NOT_ALLOWED),
    probe("pays ahead of time by the batch", "treasurer",
        "SELECT affiliate.payout_batch('default', current_date + 100, 0)", &["22023"]),
    probe("pays ahead of time by the run", "treasurer",
        "CALL affiliate_run_payouts(through => current_date + 100)", &["22023"]),
    probe("pays by the batch", "mallory", "SELECT affiliate.payout_batch('default', current_date, 0)", NOT_ALLOWED),
    probe("records a refund of a catalog", "web",
        "SELECT affiliate_record_refund('pg_catalog.pg_class', '1'::text, 'r', 1)", NOT_ATTACHED),
    probe("records a refund of the ledger", "web",
        "SELECT affiliate_record_refund('affiliate.commission', '1'::text, 'r', 1)", NOT_ATTACHED),
    probe("records a refund of the view", "web",
        "SELECT affiliate_record_refund('attached.view', '1'::text, 'r', 1)", NOT_ATTACHED),
    probe("records a refund with SQL in the key", "web",
        "SELECT affiliate_record_refund('alice.payments', '1''); DELETE FROM alice.payments; --'::text, 'r', 1)", &["22P02"]),
    probe("takes a won dispute for money", "web",
        "SELECT affiliate_record_refund('alice.payments', '1'::text, 'won', 1000, kind => 'dispute_won')", FINE),
    probe("records a refund below zero", "web",
        "SELECT affiliate_record_refund('alice.payments', '1'::text, 'r', -1000)", &["22003"]),
    probe("records a refund of NaN", "web",
        "SELECT affiliate_record_refund('alice.payments', '1'::text, 'r', 'NaN')", &["22003"]),
    probe("attributes a customer to himself a second time", "web",
        "SELECT affiliate_attribute('user-1', code => (SELECT code FROM affiliate_create(owner => 'web-1', code => 'web-1')))", FINE),

    // tampering with what is ours
    probe("drops the extension", "mallory", "SET affiliate.allow_drop = on; DROP EXTENSION affiliate CASCADE", NOT_ALLOWED),
    probe("drops the extension", "treasurer", "SET affiliate.allow_drop = on; DROP EXTENSION affiliate CASCADE", NOT_ALLOWED),
    probe("drops the schema", "mallory", "SET affiliate.allow_drop = on; DROP SCHEMA affiliate CASCADE", NOT_ALLOWED),
    probe("drops the ledger", "mallory", "DROP TABLE affiliate.commission CASCADE", NOT_ALLOWED),
    probe("disables the protection", "treasurer", "ALTER EVENT TRIGGER affiliate_protect_ledger DISABLE", NOT_ALLOWED),
    probe("drops the protection", "treasurer", "DROP EVENT TRIGGER affiliate_protect_ledger", NOT_ALLOWED),
    probe("takes a table out of the extension", "treasurer",
        "ALTER EXTENSION affiliate DROP TABLE affiliate.commission", NOT_ALLOWED),
    probe("drops the extension without saying so", "postgres", "DROP EXTENSION affiliate CASCADE", &["2BP01"]),
    probe("drops the schema without saying so", "postgres", "DROP SCHEMA affiliate CASCADE", &["2BP01"]),
    probe("makes a table in our schema", "treasurer", "CREATE TABLE affiliate.binding_health2 (a int)", NOT_ALLOWED),
    probe("makes a function in our schema", "treasurer",
        "CREATE FUNCTION affiliate.as_bigint(varchar) RETURNS bigint LANGUAGE sql AS 'SELECT 1'", NOT_ALLOWED),
    probe("puts a rule on the ledger", "treasurer",
        "CREATE RULE forge AS ON INSERT TO affiliate.commission DO ALSO SELECT 1", NOT_ALLOWED),
    probe("puts a trigger on the ledger", "treasurer",
        "CREATE TRIGGER forge BEFORE INSERT ON affiliate.commission FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()",
        NOT_ALLOWED),
    probe("puts an index on the ledger", "treasurer", "CREATE INDEX ON affiliate.commission (seq)", NOT_ALLOWED),
    probe("references the ledger", "mallory",
        "ALTER TABLE attached.reference ADD FOREIGN KEY (payment) REFERENCES affiliate.program", NOT_ALLOWED),
    probe("inherits the ledger", "mallory", "CREATE TABLE attached.child () INHERITS (affiliate.commission)", NOT_ALLOWED),
    probe("grants himself access", "mallory", "SELECT affiliate_grant('mallory', 'operator')", NOT_ALLOWED),
    probe("grants himself access", "treasurer", "SELECT affiliate_grant('treasurer', 'app')", NOT_ALLOWED),
    probe("grants on what he was granted", "treasurer",
        "GRANT EXECUTE ON FUNCTION affiliate_reconcile(bigint, boolean) TO mallory", FINE),
    probe("schedules", "treasurer", "SELECT affiliate_schedule_payouts()", NOT_ALLOWED),
    probe("hides the temporary schema's tables before ours", "web",
        "CREATE TEMP TABLE program (name text, rate numeric); CREATE TEMP TABLE referral (customer text);
         CREATE TEMP TABLE affiliate (id int); CREATE TEMP TABLE commission (amount numeric);
         CREATE TEMP TABLE pg_class (oid oid); CREATE TEMP TABLE pg_proc (oid oid);
         CREATE DOMAIN pg_temp.text AS pg_catalog.text; CREATE DOMAIN pg_temp.numeric AS pg_catalog.numeric;
         SET search_path = pg_temp, public;
         SELECT public.affiliate_attribute('late-1'::pg_catalog.text, code => 'partner-code')", FINE),
];

pub fn prepare(superuser: &mut Session) {
    for statement in SCENE.split(';') {
        superuser.must(statement);
    }
}

pub fn play(
    cluster: &Cluster,
    database: &str,
    superuser: &mut Session,
    probe: &Probe,
) -> Vec<String> {
    let before = world::look(superuser);
    let mut session = Session::open(cluster, database, probe.role, 0);
    let outcome = session.run(probe.sql);
    let mut breaches = world::differences(&before, &world::look(superuser));
    // enrolling is what `app` is for
    breaches.retain(|line| !line.contains("web-1"));
    match (&outcome.error, probe.refused) {
        (None, []) => {}
        (None, _) => breaches.push(format!("it was accepted: {:?}", outcome.rows)),
        (Some((sqlstate, _)), refused) if refused.contains(&sqlstate.as_str()) => {}
        (Some((sqlstate, message)), _) => breaches.push(format!("{sqlstate} {message}")),
    }
    breaches
}

/// Rights of everybody on what is ours. Types of tables have USAGE for everybody, like any type;
/// nobody reaches them without a right on the schema.
pub fn public_rights(superuser: &mut Session) -> Vec<String> {
    const RIGHTS: &str = "
        WITH members AS (
            SELECT d.classid, d.objid FROM pg_depend d JOIN pg_extension e ON e.oid = d.refobjid
            WHERE d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e' AND e.extname = 'affiliate')
        SELECT concat('function ', p.oid::regprocedure, ': ', a.privilege_type)
        FROM pg_proc p JOIN members m ON m.classid = 'pg_proc'::regclass AND m.objid = p.oid,
            aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a WHERE a.grantee = 0
        UNION ALL
        SELECT concat('relation ', c.oid::regclass, ': ', a.privilege_type)
        FROM pg_class c JOIN members m ON m.classid = 'pg_class'::regclass AND m.objid = c.oid,
            aclexplode(c.relacl) a WHERE a.grantee = 0
        UNION ALL
        SELECT concat('schema ', n.nspname, ': ', a.privilege_type)
        FROM pg_namespace n JOIN members m ON m.classid = 'pg_namespace'::regclass AND m.objid = n.oid,
            aclexplode(n.nspacl) a WHERE a.grantee = 0
        UNION ALL
        SELECT concat('function ', p.oid::regprocedure, ' may be executed by ', r.rolname, ' and writes')
        FROM pg_proc p JOIN members m ON m.classid = 'pg_proc'::regclass AND m.objid = p.oid, pg_roles r
        WHERE r.rolname IN ('mallory', 'alice', 'cashier') AND has_function_privilege(r.oid, p.oid, 'EXECUTE')
        UNION ALL
        SELECT concat('relation ', c.oid::regclass, ' may be written by ', r.rolname)
        FROM pg_class c JOIN members m ON m.classid = 'pg_class'::regclass AND m.objid = c.oid, pg_roles r
        WHERE r.rolname IN ('mallory', 'alice', 'cashier', 'web', 'finance', 'treasurer') AND c.relkind IN ('r', 'v', 'p')
            AND has_table_privilege(r.oid, c.oid, 'INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER')";
    superuser.lines(RIGHTS)
}

//! One attack from its beginning to the verdict.
//!
//! Everything that is done to the attached table is done to another one of the same making that
//! is not attached. What PostgreSQL runs of the owner's making when somebody uses a table of his,
//! it runs for both. So a canary of the attached table may run as mallory himself, in a
//! security-restricted operation where the session is another's, or as often and as whom the
//! canary of the other table ran.

use std::collections::BTreeMap;
use std::fmt;

use super::script::{Attack, Moment, statements};
use super::session::{Event, Outcome, Session};
use super::world;
use crate::support::Cluster;

const KIT: &str = include_str!("kit.sql");
const ATTACHED: &str = "attached";
const CONTROL: &str = "control";
const OWNER: &str = "mallory";

const ATTACH: &str = "SELECT public.affiliate_attach_payments('attached.payments',
    customer => 'customer', amount => 'amount', {options})";
const USUAL_OPTIONS: &str =
    "currency => 'currency', paid_at => 'paid_at', paid_when => $c$status = 'paid'$c$";
const ATTACH_REFUNDS: &str =
    "SELECT public.affiliate_attach_refunds('attached.refunds', 'attached.payments',
    payment_key => 'payment_id', refund_key => 'id', amount => 'amount', currency => 'currency')";

/// What happens to payments and refunds in everyday life; `{n}` is the number of the session.
/// There are no names in it that a search path could redirect.
const USE: &[&str] = &[
    "INSERT INTO {s}.payments (id, customer, amount, currency, status) VALUES ('{n}1', 'user-1', '20', 'USD', 'paid')",
    "INSERT INTO {s}.payments (id, customer, amount, currency, status) VALUES ('{n}2', 'nobody', '20', 'USD', 'paid')",
    "INSERT INTO {s}.payments (id, customer, amount, currency, status) VALUES ('{n}3', 'user-1', NULL, 'USD', 'paid')",
    "INSERT INTO {s}.payments (id, customer, amount, currency, status)
        VALUES ('{n}4', 'user-2', '10', 'XXX', 'paid'), ('{n}5', 'user-2', '10', 'USD', 'paid'), ('{n}6', 'late-{n}', '15', 'USD', 'paid')",
    "UPDATE {s}.payments SET amount = '30' WHERE id OPERATOR({eq}) '{n}1'",
    "UPDATE {s}.payments SET id = '{n}7' WHERE id OPERATOR({eq}) '{n}1'",
    "UPDATE {s}.payments SET customer = 'user-2' WHERE id OPERATOR({eq}) '{n}7'",
    "INSERT INTO {s}.refunds (id, payment_id, amount, currency) VALUES ('{n}1', '{n}7', '3', 'USD'), ('{n}2', '{n}7', '2', 'USD')",
    "UPDATE {s}.refunds SET amount = '4' WHERE id OPERATOR({eq}) '{n}1'",
    "DELETE FROM {s}.refunds WHERE id OPERATOR({eq}) '{n}1'",
    "DELETE FROM {s}.payments WHERE id OPERATOR({eq}) '{n}5'",
];
/// A payment that the triggers do not see, to be back-filled.
const UNSEEN: &str = "SET session_replication_role = replica;
    INSERT INTO {s}.payments (id, customer, amount, currency, status) VALUES ('{n}8', 'user-1', '12', 'USD', 'paid');
    RESET session_replication_role";

/// Every call that anybody may be granted; who may not is refused.
const CALLS: &[&str] = &[
    "SELECT * FROM public.affiliate_verify()",
    "SELECT * FROM affiliate.unposted",
    "SELECT * FROM affiliate.binding_health",
    "SELECT * FROM affiliate.operations",
    "SELECT public.affiliate_explain('attached.payments', '{n}7'::pg_catalog.text)",
    "SELECT public.affiliate_explain('attached.payments', '17'::pg_catalog.text)",
    "SELECT public.affiliate_explain('attached.payments', 17::pg_catalog.int8)",
    "SELECT public.affiliate_explain('attached.payments', 'no such key'::pg_catalog.text)",
    "SELECT public.affiliate_record_refund('attached.payments', '17'::pg_catalog.text, 'd{n}', 1, kind => 'dispute')",
    "SELECT public.affiliate_record_refund('attached.payments', 'no such key'::pg_catalog.text, 'e{n}', 1, kind => 'dispute')",
    "SELECT public.affiliate_attribute('late-{n}'::pg_catalog.text, code => 'partner-code', attributed_at => '2000-01-01')",
    "SELECT * FROM public.affiliate_backfill('attached.payments', NULL::pg_catalog.timestamptz, NULL::pg_catalog.timestamptz)",
    "SELECT * FROM public.affiliate_reconcile(NULL::pg_catalog.int8)",
    "SELECT public.affiliate_maintain()",
    "SELECT public.affiliate_pause('attached.payments', reason => 'attack')",
    "SELECT * FROM public.affiliate_resume('attached.payments')",
    "SELECT * FROM public.affiliate_stats()",
    "CALL public.affiliate_run_payouts(through => CURRENT_DATE)",
    "SELECT * FROM public.affiliate_payouts('partner-code')",
];

/// Whoever uses the tables or calls us, with a number for the keys of their payments.
const EVERYBODY: &[(&str, u32)] = &[
    ("cashier", 1),
    ("postgres", 2),
    ("treasurer", 3),
    ("finance", 4),
    ("web", 5),
    (OWNER, 6),
];

/// Who inserts, changes and deletes payments.
const USERS: &str = "cashier postgres mallory";

/// The same people, later.
const LATER: u32 = 10;

/// When mallory strikes, and as what.
#[derive(Clone, Copy)]
pub struct Circumstances {
    moment: Moment,
    /// Mallory has one of the kinds of access.
    access: Option<&'static str>,
    /// The ledger has been handed over to a role that is no superuser.
    is_handed_over: bool,
}

impl Circumstances {
    /// Of the two moments of an attack mallory mostly has access in the second one.
    pub fn of_turn(turn: usize, moment: Moment) -> Self {
        const ACCESS: [&str; 4] = ["app", "operator", "reader", "admin"];
        Self {
            moment,
            access: (turn % 2 == 1).then(|| ACCESS[turn / 2 % ACCESS.len()]),
            is_handed_over: turn % 3 == 1,
        }
    }
}

impl fmt::Display for Circumstances {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} attaching, as owner", self.moment.name())?;
        if let Some(access) = self.access {
            write!(f, " with {access}")?;
        }
        if self.is_handed_over {
            write!(f, ", ledger handed over")?;
        }
        Ok(())
    }
}

struct Play<'a> {
    cluster: &'a Cluster,
    database: &'a str,
    attack: &'a Attack,
    /// Who attaches: the superuser, or mallory where he may.
    attacher: &'static str,
    breaches: Vec<String>,
}

/// Plays an attack in a new database and returns what should not have happened.
pub fn play(
    cluster: &Cluster,
    database: &str,
    attack: &Attack,
    circumstances: Circumstances,
) -> Vec<String> {
    let is_admin = circumstances.access == Some("admin");
    let mut play = Play {
        cluster,
        database,
        attack,
        attacher: if is_admin { OWNER } else { "postgres" },
        breaches: Vec::new(),
    };
    let mut admin = Session::open(cluster, database, "postgres", 0);
    let mut mallory = Session::open(cluster, database, OWNER, 0);
    if let Some(access) = circumstances.access {
        admin.must(&format!("SELECT affiliate_grant('{OWNER}', '{access}')"));
    }
    if circumstances.is_handed_over {
        admin.must("SELECT affiliate_set_owner('keeper')");
    }
    play.make_tables(&mut admin, &mut mallory);
    play.run_script(&mut mallory, &attack.prepare);
    let world = world::look(&mut admin);
    let from = match circumstances.moment {
        Moment::Before => {
            play.strike(&mut admin, &mut mallory);
            // which may be refused
            play.attach();
            0
        }
        Moment::After => {
            if let Some(error) = play.attach() {
                panic!("a table without any harm in it is not attached: {error:?}");
            }
            // sessions that know the table as it was
            let mut sessions = play.sessions(&EVERYBODY[..2], 0);
            play.everyday_life(&mut sessions);
            play.strike(&mut admin, &mut mallory);
            for session in &mut sessions {
                session.number += LATER;
            }
            play.everyday_life(&mut sessions);
            2 * LATER
        }
    };
    drop(mallory);
    let mut sessions = play.sessions(EVERYBODY, from);
    play.everyday_life(&mut sessions);
    play.attach_again();
    drop(sessions);
    play.breaches
        .extend(world::differences(&world, &world::look(&mut admin)));
    play.ask(&mut admin);
    play.breaches
}

impl Play<'_> {
    fn filled(&self, sql: &str, schema: &str) -> String {
        sql.replace("{s}", schema)
            .replace("{host}", &self.cluster.dir().display().to_string())
            .replace("{port}", &self.cluster.port().to_string())
            .replace("{db}", self.database)
    }

    /// The tables of both schemas, before anything is wrong with them.
    fn make_tables(&self, admin: &mut Session, mallory: &mut Session) {
        for schema in [ATTACHED, CONTROL] {
            mallory.must(&format!("SET search_path = {schema}"));
            mallory.must(&self.filled(KIT, schema));
            for sql in &self.attack.superuser {
                admin.must(&self.filled(sql, schema));
            }
            if let Some(payments) = &self.attack.payments {
                mallory.must("DROP TABLE payments");
                mallory.must(&self.filled(payments, schema));
                mallory.must("GRANT SELECT, INSERT, UPDATE, DELETE ON payments TO cashier");
            }
        }
    }

    /// What the attack expects of us in the end.
    fn ask(&mut self, admin: &mut Session) {
        for question in &self.attack.expect {
            let answer = admin.run(&self.filled(question, ATTACHED));
            if answer.rows != [[Some("t".to_owned())]] {
                let said = answer.error.map_or(format!("{:?}", answer.rows), |e| e.1);
                self.breaches.push(format!("{question}: {said}"));
            }
        }
    }

    /// What mallory makes, in both schemas.
    fn run_script(&self, mallory: &mut Session, script: &str) {
        for schema in [ATTACHED, CONTROL] {
            for statement in statements(&self.filled(script, schema)) {
                mallory.must(&format!("SET search_path = {schema}"));
                mallory.must(&statement);
            }
        }
    }

    fn strike(&self, admin: &mut Session, mallory: &mut Session) {
        self.run_script(mallory, &self.attack.strike);
        for schema in [ATTACHED, CONTROL] {
            for sql in &self.attack.then {
                admin.must(&self.filled(sql, schema));
            }
        }
    }

    fn sessions(&self, people: &[(&'static str, u32)], from: u32) -> Vec<Session> {
        people
            .iter()
            .map(|(role, number)| {
                let mut session = Session::open(self.cluster, self.database, role, number + from);
                self.prepare(&mut session);
                session
            })
            .collect()
    }

    /// A session that attaches and detaches.
    fn administrator(&self) -> Session {
        let mut session = Session::open(self.cluster, self.database, self.attacher, 9);
        self.prepare(&mut session);
        session.must("SET attack.mode = 'call'");
        session
    }

    /// Attaches payments and refunds; returns the first error.
    fn attach(&mut self) -> Option<(String, String)> {
        let mut administrator = self.administrator();
        let options = self.attack.attach.as_deref().unwrap_or(USUAL_OPTIONS);
        let attach = ATTACH.replace("{options}", options);
        let error = self.call(&mut administrator, &attach);
        if self.attack.has_no_refunds {
            return error;
        }
        error.or(self.call(&mut administrator, ATTACH_REFUNDS))
    }

    fn attach_again(&mut self) {
        let mut administrator = self.administrator();
        self.call(
            &mut administrator,
            "SELECT public.affiliate_detach('attached.refunds')",
        );
        self.call(
            &mut administrator,
            "SELECT public.affiliate_detach('attached.payments')",
        );
        self.attach();
        self.call(
            &mut administrator,
            "SELECT * FROM public.affiliate_verify()",
        );
    }

    fn everyday_life(&mut self, sessions: &mut [Session]) {
        for session in sessions.iter_mut() {
            let users = self.attack.users.as_deref().unwrap_or(USERS);
            if users.split(' ').any(|role| role == session.role) {
                self.use_tables(session);
            }
        }
        for session in sessions
            .iter_mut()
            .filter(|session| session.role != "cashier")
        {
            session.must("SET attack.mode = 'call'");
            let calls = CALLS.iter().map(|call| (*call).to_owned());
            let calls: Vec<String> = calls.chain(self.attack.calls.iter().cloned()).collect();
            for call in calls {
                let n = session.number;
                self.call(session, &call.replace("{n}", &n.to_string()));
            }
        }
    }

    fn use_tables(&mut self, session: &mut Session) {
        // what PostgreSQL runs as a superuser here may do as it likes
        let mode = if session.role == "postgres" {
            ""
        } else {
            "use"
        };
        session.must(&format!("SET attack.mode = '{mode}'"));
        let unseen = (session.role == "postgres").then_some(UNSEEN);
        for statement in USE.iter().copied().chain(unseen) {
            let n = session.number.to_string();
            let statement = statement.replace("{n}", &n);
            let control = self.run(session, &statement, CONTROL);
            let attached = self.run(session, &statement, ATTACHED);
            self.judge(session, &statement, &attached, &control.events);
        }
    }

    fn run(&self, session: &mut Session, statement: &str, schema: &str) -> Outcome {
        // a bare `=` would be looked up in the search path that is under attack
        let statement = statement.replace("OPERATOR({eq})", "OPERATOR(pg_catalog.=)");
        session.run(&self.filled(&statement, schema))
    }

    /// A call of the extension, which has no business of its own with what is mallory's.
    fn call(&mut self, session: &mut Session, sql: &str) -> Option<(String, String)> {
        let before = session.settings();
        let outcome = session.run(&self.filled(sql, ATTACHED));
        self.judge(session, sql, &outcome, &[]);
        if session.is_broken() {
            return outcome.error;
        }
        let changes = world::differences(&before, &session.settings());
        if !changes.is_empty() {
            for change in changes {
                self.breach(session, sql, &format!("left behind: {change}"));
            }
            session.run("RESET ALL; SET attack.mode = 'call'");
            self.prepare(session);
        }
        outcome.error
    }

    /// What the attack says that sessions begin with.
    fn prepare(&self, session: &mut Session) {
        for sql in &self.attack.session {
            session.must(&self.filled(sql, ATTACHED));
        }
    }

    fn judge(&mut self, session: &Session, sql: &str, outcome: &Outcome, allowed: &[Event]) {
        let count = |events: &[Event]| {
            let mut counts: BTreeMap<(String, String), usize> = BTreeMap::new();
            for event in events {
                *counts
                    .entry((event.label.clone(), event.role.clone()))
                    .or_default() += 1;
            }
            counts
        };
        let allowed = count(allowed);
        for (event, times) in count(&outcome.events) {
            let (label, role) = &event;
            // mallory has his own rights in any case, and his own session as he likes
            let is_his = role == OWNER && (session.role == OWNER || !label.starts_with("escape"));
            let expected = allowed.get(&event).copied().unwrap_or(0);
            if !is_his && times > expected {
                let what = format!("{label} as {role}, {times} times instead of {expected}");
                self.breach(session, sql, &what);
            }
        }
        if let Some((sqlstate, message)) = &outcome.error
            && sqlstate.starts_with("XX")
        {
            self.breach(session, sql, &format!("{sqlstate} {message}"));
        }
    }

    fn breach(&mut self, session: &Session, sql: &str, what: &str) {
        let sql = sql.split_whitespace().collect::<Vec<_>>().join(" ");
        let breach = format!("{what}\n      by {}: {sql}", session.role);
        self.breaches.push(breach);
    }
}

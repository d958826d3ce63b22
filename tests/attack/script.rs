//! The attacks, as SQL files say them.
//!
//! A file is one kind of object. `-- attack: NAME` begins an attack. What follows is run by the
//! owner of the tables with the schema of the tables as search path: up to `-- strike:` before
//! the table is attached, the rest, or everything, before attaching in the one case and when the
//! table has been attached and in use for a while in the other. Further directives:
//!
//! - `-- payments: SQL`: makes the table of payments in place of the usual one
//! - `-- attach: ARGUMENTS`: of `affiliate_attach_payments` besides customer and amount
//! - `-- refunds: none`: no table of refunds is attached
//! - `-- then: SQL`: run by the superuser after the strike, once per schema
//! - `-- superuser: SQL`: run by the superuser beforehand, once per schema
//! - `-- session: SQL`: the first statement of every session that works with the tables
//! - `-- call: SQL`: one more call that everybody tries
//! - `-- users: ROLE…`: who uses the tables, where a superuser who did would lose by that alone
//! - `-- only: before|after`, `-- from: MAJOR`, `-- until: MAJOR`, `-- needs: EXTENSION`
//! - `-- expect: SQL`: true in the end, or the extension did what it should not
//!
//! `{s}` is the schema, `{host}`, `{port}` and `{db}` are where the server is.

/// When mallory strikes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    Before,
    After,
}

impl Moment {
    pub fn name(self) -> &'static str {
        match self {
            Self::Before => "before",
            Self::After => "after",
        }
    }
}

#[derive(Default)]
pub struct Attack {
    pub kind: &'static str,
    pub name: String,
    pub prepare: String,
    pub strike: String,
    pub payments: Option<String>,
    pub attach: Option<String>,
    pub has_no_refunds: bool,
    pub superuser: Vec<String>,
    pub then: Vec<String>,
    pub session: Vec<String>,
    pub calls: Vec<String>,
    pub expect: Vec<String>,
    pub users: Option<String>,
    pub only: Option<Moment>,
    pub from: i32,
    pub until: Option<i32>,
    pub needs: Option<String>,
}

impl Attack {
    pub fn moments(&self) -> Vec<Moment> {
        self.only
            .map_or(vec![Moment::Before, Moment::After], |only| vec![only])
    }
}

/// The attacks of a file.
pub fn read(kind: &'static str, text: &str) -> Vec<Attack> {
    let mut attacks: Vec<Attack> = Vec::new();
    for line in text.lines() {
        let Some((word, rest)) = directive(line) else {
            if let Some(attack) = attacks.last_mut() {
                attack.strike.push_str(line);
                attack.strike.push('\n');
            }
            continue;
        };
        if word == "attack" {
            attacks.push(Attack {
                kind,
                name: rest.to_owned(),
                ..Attack::default()
            });
            continue;
        }
        let attack = attacks
            .last_mut()
            .unwrap_or_else(|| panic!("{kind}: {line} outside of an attack"));
        let rest = rest.to_owned();
        match word {
            "strike" => attack.prepare = std::mem::take(&mut attack.strike),
            "payments" => attack.payments = Some(rest),
            "attach" => attack.attach = Some(rest),
            "refunds" => attack.has_no_refunds = rest == "none",
            "then" => attack.then.push(rest),
            "superuser" => attack.superuser.push(rest),
            "session" => attack.session.push(rest),
            "call" => attack.calls.push(rest),
            "expect" => attack.expect.push(rest),
            "from" => attack.from = rest.parse().expect("a version"),
            "until" => attack.until = Some(rest.parse().expect("a version")),
            "users" => attack.users = Some(rest),
            "needs" => attack.needs = Some(rest),
            "only" => {
                attack.only = Some(match rest.as_str() {
                    "before" => Moment::Before,
                    "after" => Moment::After,
                    _ => panic!("{kind}: {line}"),
                });
            }
            _ => panic!("{kind}: {line}"),
        }
    }
    attacks
}

/// `-- word: rest`; any other comment is one.
fn directive(line: &str) -> Option<(&str, &str)> {
    let (word, rest) = line.strip_prefix("-- ")?.split_once(':')?;
    (!word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase()))
        .then_some((word, rest.trim()))
}

/// The statements of a script: VACUUM and the like can't be sent together with others.
pub fn statements(script: &str) -> Vec<String> {
    let mut statements = Vec::new();
    let mut statement = String::new();
    for line in script.lines().filter(|line| !line.starts_with("--")) {
        statement.push_str(line);
        statement.push('\n');
        let is_open = statement.matches("$$").count() % 2 == 1;
        if line.trim_end().ends_with(';') && !is_open {
            statements.push(std::mem::take(&mut statement));
        }
    }
    if !statement.trim().is_empty() {
        statements.push(statement);
    }
    statements
}

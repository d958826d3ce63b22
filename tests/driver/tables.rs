//! The payments tables of the random test, each of another kind, and how a row of the model is
//! written into them.

use std::cell::Cell;

use super::parts;
use crate::model::{Binding, Currency, Flaw, PaidAt, Program, RefundKind, Row, civil, day_in_zone};
use crate::support::money::decimal;

pub const CURRENCIES: [Currency; 4] = ["USD", "JPY", "KWD", "EUR"];

pub const OWN: usize = 0;
pub const ORDER: usize = 1;
pub const CHARGE: usize = 2;
pub const INVOICE: usize = 3;
pub const SALE: usize = 4;
pub const TICKET: usize = 5;
pub const METER: usize = 6;

/// What a column means.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// The n-th part of the key.
    Key(usize),
    Customer,
    Amount,
    Currency,
    PaidAt,
    Status,
    Refunded,
    /// Not mapped.
    Note,
}

#[derive(Clone)]
pub struct Table {
    pub name: &'static str,
    /// With their types as they are now.
    pub columns: Vec<(&'static str, &'static str, Role)>,
    pub minor_units: bool,
    /// The only currency of a table that has no column for it.
    pub only_currency: Option<Currency>,
    /// Distance from UTC of the zone that a `timestamp` or `date` of the table is in.
    pub offset: i64,
    pub recorded: &'static [RefundKind],
    /// An attached table of refunds, and its columns that name the payment.
    pub credits: Option<(&'static str, &'static [&'static str])>,
    /// Counts what was written, so that keys are spelled now this way and now that.
    written: Cell<usize>,
}

/// The tables by binding number of the model.
pub fn tables() -> Vec<Table> {
    vec![
        Table {
            name: "affiliate.payment",
            columns: vec![
                ("id", "bigint", Role::Key(0)),
                ("customer", "text", Role::Customer),
                ("amount", "numeric", Role::Amount),
                ("currency", "text", Role::Currency),
                ("paid_at", "timestamptz", Role::PaidAt),
                ("refunded", "numeric", Role::Refunded),
            ],
            minor_units: false,
            only_currency: None,
            offset: 0,
            recorded: &[RefundKind::Dispute, RefundKind::DisputeWon],
            credits: None,
            written: Cell::new(0),
        },
        Table {
            name: "shop.\"order\"",
            columns: vec![
                ("id", "bigint", Role::Key(0)),
                ("Käufer", "text", Role::Customer),
                ("amount", "numeric", Role::Amount),
                ("currency", "text", Role::Currency),
                ("paid_at", "timestamptz", Role::PaidAt),
                ("status", "text", Role::Status),
                ("note", "text", Role::Note),
            ],
            minor_units: false,
            only_currency: None,
            offset: 0,
            recorded: &[
                RefundKind::Refund,
                RefundKind::Dispute,
                RefundKind::DisputeWon,
            ],
            credits: None,
            written: Cell::new(0),
        },
        Table {
            name: "shop.charge",
            columns: vec![
                ("note", "text", Role::Note),
                ("customer", "bigint", Role::Customer),
                ("amount", "bigint", Role::Amount),
                ("currency", "text", Role::Currency),
                ("refunded", "bigint", Role::Refunded),
                ("paid_on", "date", Role::PaidAt),
                ("id", "text", Role::Key(0)),
            ],
            minor_units: true,
            only_currency: None,
            offset: -5 * 3600,
            recorded: &[RefundKind::Dispute, RefundKind::DisputeWon],
            credits: None,
            written: Cell::new(0),
        },
        Table {
            name: "shop.invoice",
            columns: vec![
                ("tenant", "text", Role::Key(0)),
                ("number", "integer", Role::Key(1)),
                ("customer", "text", Role::Customer),
                ("amount", "numeric(20,0)", Role::Amount),
                ("created", "bigint", Role::PaidAt),
                ("note", "text", Role::Note),
            ],
            minor_units: false,
            only_currency: Some("JPY"),
            offset: 0,
            recorded: &[],
            credits: Some(("shop.credit_note", &["tenant", "number"])),
            written: Cell::new(0),
        },
        Table {
            name: "shop.sale",
            columns: vec![
                ("region", "text", Role::Key(0)),
                ("id", "bigint", Role::Key(1)),
                ("customer", "text", Role::Customer),
                ("amount", "numeric", Role::Amount),
                ("currency", "text", Role::Currency),
                ("paid_at", "timestamp", Role::PaidAt),
                ("note", "text", Role::Note),
            ],
            minor_units: false,
            only_currency: None,
            offset: 9 * 3600,
            recorded: &[
                RefundKind::Refund,
                RefundKind::Dispute,
                RefundKind::DisputeWon,
            ],
            credits: None,
            written: Cell::new(0),
        },
        Table {
            name: "shop.ticket",
            columns: vec![
                ("customer", "text", Role::Customer),
                ("code", "citext", Role::Key(0)),
                ("amount", "numeric(20,3)", Role::Amount),
                ("currency", "text", Role::Currency),
                ("paid_at", "timestamptz", Role::PaidAt),
                ("note", "text", Role::Note),
            ],
            minor_units: false,
            only_currency: None,
            offset: 0,
            recorded: &[
                RefundKind::Refund,
                RefundKind::Dispute,
                RefundKind::DisputeWon,
            ],
            credits: None,
            written: Cell::new(0),
        },
        Table {
            name: "shop.meter",
            columns: vec![
                ("reading", "numeric", Role::Key(0)),
                ("customer", "text", Role::Customer),
                ("amount", "numeric(20,0)", Role::Amount),
                ("paid_at", "timestamptz", Role::PaidAt),
                ("note", "text", Role::Note),
            ],
            minor_units: false,
            only_currency: Some("JPY"),
            offset: 0,
            recorded: &[],
            credits: Some(("shop.meter_credit", &["meter"])),
            written: Cell::new(0),
        },
    ]
}

/// The programs: different rates, holds and zones.
pub fn programs() -> Vec<Program> {
    let program = |name, rate, hold_days, offset, currency, threshold| Program {
        name,
        rate,
        hold_days,
        offset,
        currency,
        threshold,
        thresholds: [].into(),
    };
    vec![
        program("default", 300_000, 0, 0, "USD", 50),
        program("held", 125_000, 30, -5 * 3600, "USD", 20),
        program("odd", 333_333, 7, 9 * 3600, "KWD", 5),
    ]
}

/// What the model knows of the tables; `since` is that of the partitioned one.
pub fn bindings(since: i64) -> Vec<Binding> {
    let binding = |program, keeps_deleted, since| Binding {
        program,
        keeps_deleted,
        since,
        paused: false,
    };
    vec![
        binding(0, false, None),
        binding(0, false, None),
        binding(1, false, None),
        binding(0, true, None),
        binding(2, false, Some(since)),
        binding(0, false, None),
        binding(0, false, None),
    ]
}

/// Creates and attaches the tables. With `everything`, also what a payments table does after an
/// insert is mapped: conditions, refunds and partitions.
pub fn set_up(since: i64, everything: bool) -> String {
    let mut sql = String::from(
        "SELECT affiliate_set_program('held', rate => 0.125, hold_days => 30,
             time_zone => 'Etc/GMT+5', currency => 'USD', payout_threshold => 20);
         SELECT affiliate_set_program('odd', rate => 0.333333, hold_days => 7,
             time_zone => 'Asia/Tokyo', currency => 'KWD', payout_threshold => 5);
         CREATE SCHEMA shop;
         CREATE TABLE shop.\"order\" (id bigint PRIMARY KEY, \"Käufer\" text, amount numeric,
             currency text, paid_at timestamptz, status text, note text);
         CREATE TABLE shop.charge (gone int, note text, customer bigint, amount bigint,
             currency text, refunded bigint, paid_on date, id text PRIMARY KEY);
         ALTER TABLE shop.charge DROP COLUMN gone;
         CREATE TABLE shop.invoice (tenant text, number integer, customer text,
             amount numeric(20,0), created bigint, note text, PRIMARY KEY (tenant, number));
         CREATE TABLE shop.credit_note (id text PRIMARY KEY, tenant text, number integer,
             amount numeric(20,0));
         CREATE EXTENSION citext;
         CREATE TABLE shop.ticket (customer text, code citext PRIMARY KEY, amount numeric(20,3),
             currency text, paid_at timestamptz, note text);
         CREATE TABLE shop.meter (reading numeric PRIMARY KEY, customer text,
             amount numeric(20,0), paid_at timestamptz, note text);
         CREATE TABLE shop.meter_credit (id text PRIMARY KEY, meter numeric, amount numeric);
         CREATE TABLE shop.sale (region text, id bigint, customer text, amount numeric,
             currency text, paid_at timestamp, note text, PRIMARY KEY (region, id))
             PARTITION BY LIST (region);
         CREATE TABLE shop.sale_north PARTITION OF shop.sale FOR VALUES IN ('north');
         CREATE TABLE shop.sale_rest PARTITION OF shop.sale DEFAULT;
         SELECT affiliate_attach_payments('shop.invoice', customer => 'customer',
             amount => 'amount', currency_code => 'jpy', paid_at => 'created',
             payment_key => 'tenant,number', on_delete => 'keep');",
    );
    if everything {
        sql.push_str(&format!(
            "SELECT affiliate_attach_payments('shop.\"order\"', customer => 'Käufer',
                 amount => 'amount', currency => 'currency', paid_at => 'paid_at',
                 paid_when => $$status = 'succeeded'$$);
             SELECT affiliate_attach_payments('shop.charge', customer => 'customer',
                 amount => 'amount', currency => 'currency', paid_at => 'paid_on',
                 refunded => 'refunded', minor_units => true, program => 'held');
             SELECT affiliate_attach_refunds('shop.credit_note', payments => 'shop.invoice',
                 payment_key => 'tenant,number', refund_key => 'id', amount => 'amount');
             SELECT affiliate_attach_payments('shop.ticket', customer => 'customer',
                 amount => 'amount', currency => 'currency', paid_at => 'paid_at');
             SELECT affiliate_attach_payments('shop.meter', customer => 'customer',
                 amount => 'amount', currency_code => 'JPY', paid_at => 'paid_at');
             SELECT affiliate_attach_refunds('shop.meter_credit', payments => 'shop.meter',
                 payment_key => 'meter', refund_key => 'id', amount => 'amount');
             SELECT affiliate_attach_payments('shop.sale', customer => 'customer',
                 amount => 'amount', currency => 'currency', paid_at => 'paid_at',
                 since => to_timestamp({since}), program => 'odd');"
        ));
    } else {
        sql.push_str(
            "SELECT affiliate_attach_payments('shop.\"order\"', customer => 'Käufer',
                 amount => 'amount', currency => 'currency', paid_at => 'paid_at');
             SELECT affiliate_attach_payments('shop.charge', customer => 'customer',
                 amount => 'amount', currency => 'currency', paid_at => 'paid_on',
                 minor_units => true, program => 'held');",
        );
    }
    sql
}

impl Table {
    pub fn has(&self, role: Role) -> bool {
        self.columns.iter().any(|column| column.2 == role)
    }

    /// Names of all columns, quoted, behind an optional qualifier.
    pub fn names(&self, qualifier: &str) -> String {
        self.list(|column| format!("{qualifier}{}", quoted(column.0)))
    }

    /// `SET a = source.a, …` of all columns but the key.
    pub fn assignments(&self, source: &str) -> String {
        self.filtered(|column| match column.2 {
            Role::Key(_) => None,
            _ => Some(format!("{0} = {source}.{0}", quoted(column.0))),
        })
        .join(", ")
    }

    /// Names of the key's columns.
    pub fn key_names(&self) -> Vec<String> {
        self.filtered(|column| match column.2 {
            Role::Key(_) => Some(quoted(column.0)),
            _ => None,
        })
    }

    /// `a.k1 = b.k1 AND …`
    pub fn same_key(&self, a: &str, b: &str) -> String {
        let pairs: Vec<String> = self
            .key_names()
            .iter()
            .map(|name| format!("{a}.{name} = {b}.{name}"))
            .collect();
        pairs.join(" AND ")
    }

    /// The key's literals, in the order of [`Table::key_names`].
    pub fn key_literals(&self, key: &str) -> String {
        self.filtered(|column| match column.2 {
            Role::Key(part) => Some(literal(Some(&self.spelled(key, part)), column.1)),
            _ => None,
        })
        .join(", ")
    }

    /// The key's literals without types, in another spelling.
    pub fn key_texts(&self, key: &str) -> String {
        self.filtered(|column| match column.2 {
            Role::Key(part) => Some(literal(Some(&self.spelled(key, part)), "text")),
            _ => None,
        })
        .join(", ")
        .replace("::text", "")
    }

    /// A part of a key as somebody writes it: what is equal to it as the column's type has it.
    fn spelled(&self, key: &str, part: usize) -> String {
        let text = key.split(',').nth(part).unwrap_or_default();
        let column = self.columns.iter().find(|c| c.2 == Role::Key(part));
        let type_name = column.map_or("text", |column| column.1);
        let n = self.written.get();
        self.written.set(n.wrapping_add(1));
        // before they become uuids, and with that lower case, they are texts
        if self.name == "shop.charge" && type_name == "text" {
            return text.to_uppercase();
        }
        if !parts::OTHER_SPELLINGS {
            return text.to_owned();
        }
        match (type_name, n % 4) {
            ("bigint" | "integer", 0) => format!("00{text}"),
            ("bigint" | "integer", 1) => format!(" {text} "),
            ("uuid", 0) => text.to_uppercase(),
            ("uuid", 1) => format!("{{{text}}}"),
            ("citext", 0) => text.to_uppercase(),
            ("citext", 1) => text.replace("ticket", "Ticket"),
            ("numeric" | "numeric(24,4)", 0) if text.contains('.') => format!("{text}00"),
            ("numeric" | "numeric(24,4)", 1) if text.contains('.') => {
                format!("0{}", text.trim_end_matches('0'))
            }
            _ => text.to_owned(),
        }
    }

    /// The key as the API takes it: a composite one is written as a row.
    pub fn key_text(&self, key: &str) -> String {
        let parts: Vec<String> = (0..self.key_names().len())
            .map(|part| self.spelled(key, part))
            .collect();
        match &parts[..] {
            [one] => one.clone(),
            _ => format!("({})", parts.join(",")),
        }
    }

    /// The condition that finds payments by their keys.
    pub fn where_keys<'a>(&self, keys: impl Iterator<Item = &'a String>) -> String {
        let rows: Vec<String> = keys
            .map(|key| format!("({})", self.key_literals(key)))
            .collect();
        format!("({}) IN ({})", self.key_names().join(", "), rows.join(", "))
    }

    /// A row as literals with their types.
    pub fn literals(&self, key: &str, row: &Row) -> String {
        self.list(|column| literal(self.raw(column.2, key, row).as_deref(), column.1))
    }

    /// A row as a line of COPY's text format.
    pub fn copy_line(&self, key: &str, row: &Row) -> String {
        let values: Vec<String> = self
            .columns
            .iter()
            .map(|column| {
                self.raw(column.2, key, row)
                    .unwrap_or_else(|| String::from("\\N"))
            })
            .collect();
        format!("{}\n", values.join("\t"))
    }

    /// `SET` for the columns that differ between two rows; empty if none does.
    pub fn changes(&self, key: &str, old: &Row, new: &Row) -> String {
        self.filtered(|column| {
            let value = self.raw(column.2, key, new);
            let is_row = !matches!(column.2, Role::Note | Role::Key(_));
            let changed = is_row && value != self.raw(column.2, key, old);
            changed.then(|| {
                format!(
                    "{} = {}",
                    quoted(column.0),
                    literal(value.as_deref(), column.1)
                )
            })
        })
        .join(", ")
    }

    fn list(&self, each: impl Fn(&(&str, &str, Role)) -> String) -> String {
        self.filtered(|column| Some(each(column))).join(", ")
    }

    fn filtered(&self, each: impl Fn(&(&str, &str, Role)) -> Option<String>) -> Vec<String> {
        self.columns.iter().filter_map(each).collect()
    }

    /// An amount in the unit of the table.
    pub fn money(&self, minor: i128, currency: Currency) -> String {
        if self.minor_units {
            minor.to_string()
        } else {
            decimal(minor, currency)
        }
    }

    /// A value as PostgreSQL would print it; `None` is NULL.
    fn raw(&self, role: Role, key: &str, row: &Row) -> Option<String> {
        match (role, row.flaw) {
            (Role::Amount, Some(Flaw::Amount(text))) => text.map(str::to_owned),
            (Role::Currency, Some(Flaw::Currency(text))) => text.map(str::to_owned),
            (Role::Refunded, Some(Flaw::Refunded(text))) => Some(text.to_owned()),
            (Role::Key(part), _) => Some(self.spelled(key, part)),
            (Role::Customer, _) => row.customer.clone(),
            (Role::Amount, _) => Some(self.money(row.amount, row.currency)),
            // Codes come in any case and with blanks around them.
            (Role::Currency, _) if self.minor_units => {
                Some(format!(" {}", row.currency.to_lowercase()))
            }
            (Role::Currency, _) => Some(row.currency.to_owned()),
            (Role::PaidAt, _) => self.paid_at(row.paid_at),
            (Role::Status, _) => match (row.counted, row.amount % 2) {
                (true, _) => Some(String::from("succeeded")),
                (false, 0) => Some(String::from("failed")),
                // NULL is not true either.
                (false, _) => None,
            },
            // NULL is as good as 0.
            (Role::Refunded, _) if row.refunded == 0 && row.amount % 2 == 0 => None,
            (Role::Refunded, _) => Some(self.money(row.refunded, row.currency)),
            (Role::Note, _) => None,
        }
    }

    fn paid_at(&self, paid_at: PaidAt) -> Option<String> {
        let type_name = self
            .columns
            .iter()
            .find(|column| column.2 == Role::PaidAt)?
            .1;
        match paid_at {
            PaidAt::Posting => None,
            PaidAt::Day(day) => Some(date(day)),
            PaidAt::Moment(moment) if type_name == "bigint" => Some(moment.to_string()),
            PaidAt::Moment(moment) if type_name == "timestamptz" => {
                Some(format!("{}+00", timestamp(moment)))
            }
            // A timestamp without a zone is meant in the program's.
            PaidAt::Moment(moment) => Some(timestamp(moment + self.offset)),
        }
    }
}

pub fn date(day: i64) -> String {
    let (year, month, day) = civil(day);
    format!("{year:04}-{month:02}-{day:02}")
}

fn timestamp(seconds: i64) -> String {
    let rest = seconds.rem_euclid(86_400);
    let (hour, minute, second) = (rest / 3600, rest / 60 % 60, rest % 60);
    format!(
        "{} {hour:02}:{minute:02}:{second:02}",
        date(day_in_zone(seconds, 0))
    )
}

fn quoted(name: &str) -> String {
    format!("\"{name}\"")
}

fn literal(value: Option<&str>, type_name: &str) -> String {
    match value {
        Some(text) => format!("'{}'::{type_name}", text.replace('\'', "''")),
        None => format!("NULL::{type_name}"),
    }
}

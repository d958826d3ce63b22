//! How a row of the model is written into a payments table.

use super::parts;
use super::tables::{Role, Table};
use crate::model::{Currency, Flaw, PaidAt, Row, civil, day_in_zone};
use crate::support::money::decimal;

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
            // A timestamp without a zone is meant in that of the binding, which is the program's.
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

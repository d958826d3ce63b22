//! A bound table in SQL: its rows, and their keys and customers as the texts that the ledger and
//! referrals know them by.

use pgrx::pg_sys;

use super::binding::{Binding, Column, row_alias};
use crate::pg::names::table_name;
use crate::pg::text::{ToText, quote_ident};

pub struct Payments {
    /// The name of a row.
    pub t: String,
    /// `the table t`, for FROM.
    pub from: String,
    key: Vec<(Column, String)>,
    customer: (Column, String),
}

impl Payments {
    /// `None` where key or customer can't be read any more.
    pub fn of(binding: &Binding) -> Option<Self> {
        if !binding.columns.has_key {
            return None;
        }
        let t = row_alias(binding.table);
        let named = |column: Column| {
            let name = column_name(binding.table, column)?;
            Some((column, format!("{t}.{name}")))
        };
        let key = binding.columns.key.iter().map(|column| named(*column));
        Some(Self {
            key: key.collect::<Option<_>>()?,
            customer: named(binding.columns.customer.column()?)?,
            from: format!("{} {t}", table_name(binding.table)),
            t,
        })
    }

    /// A column by its attribute number.
    pub fn column(&self, binding: &Binding, attnum: i16) -> String {
        let name = attribute_name(binding.table, attnum).unwrap_or_default();
        format!("{}.{name}", self.t)
    }

    /// The text of the key.
    pub fn key(&self) -> String {
        let columns: Vec<String> = self.key.iter().map(text).collect();
        if columns.len() == 1 {
            columns.join("")
        } else {
            format!("ROW({})::text COLLATE \"C\"", columns.join(", "))
        }
    }

    /// The condition that a text of the ledger is the key. Where the key is an integer, texts
    /// are made integers: there are fewer entries than payments, and integers are soon compared.
    pub fn is_key(&self, stored: &str) -> String {
        match &self.key[..] {
            [(column, name)] if column.to_text.is_integer() => {
                format!("affiliate.as_bigint({stored}) = {name}")
            }
            _ => format!("{stored} = {}", self.key()),
        }
    }

    /// The customer's text.
    pub fn customer(&self) -> String {
        text(&self.customer)
    }

    /// The column of the customer, if that is an integer.
    pub fn integer_customer(&self) -> Option<&str> {
        let (column, name) = &self.customer;
        column.to_text.is_integer().then_some(name)
    }
}

/// The text of a column, as [`ToText`] makes it, in the collation of our own texts: the host's
/// columns may have others, which do not go together.
fn text((column, name): &(Column, String)) -> String {
    match column.to_text {
        // a cast of some types gives another text than their output
        ToText::Output(_) => format!("format('%s', {name}) COLLATE \"C\""),
        _ => format!("{name}::text COLLATE \"C\""),
    }
}

/// The current name of a column, quoted.
pub fn column_name(table: pg_sys::Oid, column: Column) -> Option<String> {
    attribute_name(table, column.attnum)
}

fn attribute_name(table: pg_sys::Oid, attnum: i16) -> Option<String> {
    let name = unsafe { pg_sys::get_attname(table, attnum, true) };
    (!name.is_null())
        .then(|| quote_ident(&unsafe { std::ffi::CStr::from_ptr(name) }.to_string_lossy()))
}

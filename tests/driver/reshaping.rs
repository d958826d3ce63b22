//! Tables whose columns change their types, the ledger with columns that are somebody's own, and
//! bindings that are paused.

use std::rc::Rc;

use rand::Rng;
use rand::seq::IndexedRandom;

use super::tables::{CHARGE, INVOICE, METER, ORDER, OWN, Role, SALE, TICKET, Table};
use super::{Driver, parts};
use crate::model::payouts::Counts;

/// The types that a column may have: each with how values come to it from any other one.
struct Retype {
    /// The payments table, or that whose refunds are in the table.
    table: usize,
    /// The table of refunds.
    credits: Option<&'static str>,
    column: &'static str,
    types: &'static [(&'static str, &'static str)],
    is_on: bool,
}

const RETYPES: &[Retype] = &[
    retype(
        ORDER,
        None,
        "id",
        &[("bigint", ""), ("numeric(30,0)", ""), ("numeric", "")],
        true,
    ),
    retype(
        INVOICE,
        None,
        "number",
        &[("integer", ""), ("bigint", "")],
        true,
    ),
    retype(
        INVOICE,
        None,
        "tenant",
        &[("text", ""), ("varchar(60)", "")],
        true,
    ),
    retype(
        INVOICE,
        None,
        "amount",
        &[
            ("numeric(20,0)", ""),
            ("numeric(24,4)", ""),
            ("numeric", ""),
        ],
        true,
    ),
    retype(
        INVOICE,
        Some("shop.credit_note"),
        "amount",
        &[("numeric(20,0)", ""), ("bigint", ""), ("numeric(30,6)", "")],
        true,
    ),
    retype(
        INVOICE,
        Some("shop.credit_note"),
        "number",
        &[("integer", ""), ("bigint", "")],
        true,
    ),
    retype(
        TICKET,
        None,
        "amount",
        &[
            ("numeric(20,3)", ""),
            ("numeric(30,8)", ""),
            ("numeric", ""),
        ],
        true,
    ),
    // what follows changes the texts of keys
    retype(
        METER,
        Some("shop.meter_credit"),
        "meter",
        &[("numeric", ""), ("numeric(30,6)", "")],
        parts::OTHER_SPELLINGS,
    ),
    // at first texts in upper case
    retype(
        CHARGE,
        None,
        "id",
        &[("uuid", "id::uuid"), ("varchar(60)", "")],
        parts::OTHER_SPELLINGS,
    ),
    retype(
        METER,
        None,
        "reading",
        &[("numeric", ""), ("numeric(24,4)", "")],
        parts::OTHER_SPELLINGS,
    ),
    retype(
        CHARGE,
        None,
        "amount",
        &[("bigint", ""), ("numeric", ""), ("numeric(24,0)", "")],
        parts::MINOR_UNITS_IN_NUMERIC,
    ),
    retype(
        CHARGE,
        None,
        "refunded",
        &[("bigint", ""), ("numeric", "")],
        parts::MINOR_UNITS_IN_NUMERIC,
    ),
];

const fn retype(
    table: usize,
    credits: Option<&'static str>,
    column: &'static str,
    types: &'static [(&'static str, &'static str)],
    is_on: bool,
) -> Retype {
    Retype {
        table,
        credits,
        column,
        types,
        is_on,
    }
}

impl Driver<'_> {
    /// A column gets another type. Payments are what they were.
    pub(super) fn change_type(&mut self) {
        let retype = RETYPES.choose(&mut self.rng).expect("a column");
        let (mut type_name, mut using) = *retype.types.choose(&mut self.rng).expect("a type");
        let column = retype.column;
        if !retype.is_on {
            return;
        }
        let has_texts = |other: &(&str, &str, Role)| other.0 == column && other.1 == "text";
        if retype.table == CHARGE && self.table(CHARGE).columns.iter().any(has_texts) {
            // as varchar they would go on in upper case
            (type_name, using) = retype.types[0];
        }
        let using = match using {
            "" => String::new(),
            using => format!(" USING {using}"),
        };
        let name = retype.credits.unwrap_or(self.tables[retype.table].name);
        self.administer(&format!(
            "ALTER TABLE {name} ALTER COLUMN {column} TYPE {type_name}{using}"
        ));
        if retype.credits.is_some() {
            return;
        }
        let table: &mut Table = Rc::make_mut(&mut self.tables[retype.table]);
        let columns = table.columns.iter_mut();
        for changed in columns.filter(|other| other.0 == column) {
            changed.1 = type_name;
        }
    }

    /// Somebody adds a column of his own to the ledger, or drops it again.
    pub(super) fn change_ledger(&mut self) {
        if !parts::LEDGER_COLUMNS {
            return;
        }
        if self.added_columns.len() > 2 {
            let at = self.rng.random_range(0..self.added_columns.len());
            let column = self.added_columns.remove(at);
            self.administer(&format!(
                "ALTER TABLE affiliate.commission DROP COLUMN {column}"
            ));
            return;
        }
        let column = format!("added_{}", self.number());
        let definition = [
            "integer",
            "text DEFAULT 'somebody''s own'",
            "timestamptz NOT NULL DEFAULT now()",
            "numeric GENERATED ALWAYS AS (amount * 2) STORED",
            "uuid DEFAULT gen_random_uuid()",
        ];
        let definition = definition.choose(&mut self.rng).expect("a definition");
        self.administer(&format!(
            "ALTER TABLE affiliate.commission ADD COLUMN {column} {definition}"
        ));
        self.added_columns.push(column);
    }

    /// Takes a table out of the way of its payments, or brings it back.
    pub(super) fn pause_or_resume(&mut self) {
        if !parts::PAUSES {
            return;
        }
        let tables = [OWN, ORDER, CHARGE, INVOICE, SALE, TICKET, METER];
        let table = *tables.choose(&mut self.rng).expect("a table");
        if self.world.bindings[table].paused {
            self.resume(table);
        } else {
            let name = self.tables[table].name;
            self.administer(&format!("SELECT affiliate_pause('{name}', 'by chance')"));
            self.world.bindings[table].paused = true;
        }
    }

    /// Brings every table back that is paused.
    pub(super) fn resume_all(&mut self) {
        for table in 0..self.tables.len() {
            if self.world.bindings[table].paused {
                self.resume(table);
            }
        }
    }

    fn resume(&mut self, table: usize) {
        let sql = format!(
            "SELECT posted, reversed, quarantined FROM affiliate_resume('{}')",
            self.tables[table].name
        );
        self.trail.note(format!("admin: {sql}"));
        let row = self
            .admin
            .query_one(&sql, &[])
            .unwrap_or_else(|error| panic!("{sql}: {error:?}"));
        let said = Counts {
            posted: row.get(0),
            reversed: row.get(1),
            quarantined: row.get(2),
        };
        self.world.bindings[table].paused = false;
        let expected = self.world.reconcile_some(|id| id.0 == table);
        assert_eq!(said, expected, "{sql} against the model");
    }
}

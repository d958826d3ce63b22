//! The payments tables of the random test, each of another kind.

use std::cell::Cell;

use crate::model::{Binding, Currency, Program, RefundKind};

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
    pub written: Cell<usize>,
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
                 paid_at_zone => 'Asia/Tokyo', since => to_timestamp({since}), program => 'odd');"
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

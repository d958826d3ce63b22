//! Whether the ledger is what a payment's row says, asked within a statement that joins both. It
//! may say no of what is in order, for that is looked at again; it must never say yes of what is
//! not. So it says yes only where row, referral and at most one entry are all there is about a
//! payment, and judges these by the rules that post.

#![allow(
    clippy::indexing_slicing,
    reason = "there are as many arguments as the SQL function declares, or as were counted"
)]

use std::rc::Rc;

use pgrx::{PgMemoryContexts, pg_sys};
use rust_decimal::Decimal;

use super::binding::{self, Binding, Column};
use super::book::{Entries, Terms};
use super::payments::{Payments, column_name};
use super::referrals::Referral;
use super::row::{self, Refunds, Row};
use super::settle;
use crate::domain::currency::Currency;
use crate::domain::money;
use crate::domain::settlement::{Account, Standing};
use crate::pg::args::regclass;
use crate::pg::names::{equality, table_name};
use crate::pg::numeric;
use crate::pg::spi::{self, Sees};
use crate::pg::text::{ToText, bytes};

/// The arguments of `affiliate.agrees()`, in their order. The entry is NULL where there is none.
mod argument {
    pub const PAYMENTS: usize = 0;
    pub const ATTNUMS: usize = 1;
    pub const REFERRAL_ID: usize = 2;
    pub const AFFILIATE_ID: usize = 3;
    pub const ATTRIBUTED_AT: usize = 4;
    pub const SEQ: usize = 5;
    pub const ENTRY_REFERRAL_ID: usize = 6;
    pub const ENTRY_AFFILIATE_ID: usize = 7;
    pub const CURRENCY: usize = 8;
    pub const RATE: usize = 9;
    pub const BASE: usize = 10;
    pub const REFUNDED: usize = 11;
    pub const POSTED_BEFORE: usize = 12;
    pub const AMOUNT: usize = 13;
    pub const MATURES_ON: usize = 14;
    /// The columns of the row.
    pub const ROW: usize = 15;
}

/// The call for the payments `t`, their referral `r` and their entry `c`.
pub fn call(binding: &Binding, payments: &Payments) -> String {
    let read = &binding.columns.read;
    if argument::ROW + read.len() > pg_sys::FUNC_MAX_ARGS as usize {
        return "false".to_owned();
    }
    let attnums: Vec<String> = read.iter().map(|c| c.attnum.to_string()).collect();
    let columns: Vec<String> = read
        .iter()
        .map(|column| payments.column(binding, column.attnum))
        .collect();
    format!(
        "affiliate.agrees({}, '{{{}}}', r.id, r.affiliate_id, r.attributed_at, c.seq, c.referral_id, c.affiliate_id,
             c.currency, c.rate, c.base, c.refunded, c.posted_before, c.amount, c.matures_on, {})",
        binding.table.to_u32(),
        attnums.join(","),
        columns.join(", ")
    )
}

/// What to join payments with to know whether there are refunds beside their row, which
/// `affiliate.agrees()` does not see, and the condition that there are.
pub fn refunds(binding: &Binding, payments: &Payments) -> (String, String) {
    let mut joins = String::new();
    let mut conditions = vec!["false".to_owned()];
    if binding.has_recorded_refunds {
        let is_key = payments.is_key("f.payment_key");
        joins += &format!(" LEFT JOIN affiliate.refund f ON f.binding_id = $2 AND {is_key}");
        conditions.push("f.id IS NOT NULL".to_owned());
    }
    if let Some(refunds) = &binding.refunds_table {
        let pairs = refunds.payment_key.iter().zip(&binding.columns.key);
        let same: Option<Vec<String>> = pairs
            .map(|(refund, key)| same_key(refunds.table, *refund, *key, payments, binding))
            .collect();
        let first = refunds.payment_key.first();
        let name = first.and_then(|column| column_name(refunds.table, *column));
        match (same, name) {
            (Some(same), Some(name)) if same.len() == binding.columns.key.len() => {
                let table = table_name(refunds.table);
                joins += &format!(" LEFT JOIN {table} g ON {}", same.join(" AND "));
                conditions.push(format!("g.{name} IS NOT NULL"));
            }
            _ => conditions.push("true".to_owned()),
        }
    }
    (joins, conditions.join(" OR "))
}

/// The condition that a column of a refund `g` is that of a payment's key; `None` where types
/// differ, so that it would have to be converted.
fn same_key(
    table: pg_sys::Oid,
    refund: Column,
    key: Column,
    payments: &Payments,
    binding: &Binding,
) -> Option<String> {
    let name = column_name(table, refund)?;
    let key_name = payments.column(binding, key.attnum);
    match (refund.to_text, key.to_text) {
        (
            ToText::Int2 | ToText::Int4 | ToText::Int8,
            ToText::Int2 | ToText::Int4 | ToText::Int8,
        ) => Some(format!("g.{name} = {key_name}")),
        (ToText::Text, ToText::Text) => {
            Some(format!("g.{name} = {key_name}{}", collation(table, refund)))
        }
        _ if refund.type_oid == key.type_oid => Some(format!(
            "g.{name} {} {key_name}{}",
            equality(refund.type_oid),
            collation(table, refund)
        )),
        _ => None,
    }
}

/// ` COLLATE` with the collation of a column, which is the one that refunds are looked up by.
fn collation(table: pg_sys::Oid, column: Column) -> String {
    const COLLATION: &str = "
        SELECT format(' COLLATE %I.%I', n.nspname, c.collname)
        FROM pg_attribute a JOIN pg_collation c ON c.oid = a.attcollation JOIN pg_namespace n ON n.oid = c.collnamespace
        WHERE a.attrelid = $1 AND a.attnum = $2";
    spi::connect(|connection| {
        let args = [regclass(table), column.attnum.into()];
        connection.run(COLLATION, Sees::Now, &args).value()
    })
    .unwrap_or_default()
}

/// What a call keeps for the calls that follow it in a statement.
struct Judge {
    binding: Rc<Binding>,
    /// For a row of the bound table; in it, what nothing depends on is NULL.
    slot: *mut pg_sys::TupleTableSlot,
    /// Every key has a text short enough for the ledger.
    has_short_keys: bool,
}

impl Judge {
    /// `None` if the arguments are not what the binding reads.
    unsafe fn new(fcinfo: pg_sys::FunctionCallInfo) -> Option<Self> {
        unsafe {
            let given = |n| pgrx::fcinfo::pg_getarg(fcinfo, n);
            let table: pg_sys::Oid = given(argument::PAYMENTS)?;
            let attnums: Vec<i16> = pgrx::fcinfo::pg_getarg(fcinfo, argument::ATTNUMS)?;
            let binding = Binding::of(table)?.of_bound_table();
            let read = &binding.columns.read;
            if !read.iter().map(|column| column.attnum).eq(attnums)
                || (*fcinfo).nargs as usize != argument::ROW + read.len()
            {
                return None;
            }
            let relation = pg_sys::relation_open(table, pg_sys::AccessShareLock as _);
            let descriptor = pg_sys::CreateTupleDescCopy((*relation).rd_att);
            pg_sys::relation_close(relation, pg_sys::NoLock as _);
            let is_type = |(n, column): (usize, &binding::ReadColumn)| {
                let given =
                    pg_sys::get_fn_expr_argtype((*fcinfo).flinfo, (argument::ROW + n) as i32);
                given == pg_sys::get_atttype(table, column.attnum)
            };
            if !read.iter().enumerate().all(is_type) {
                return None;
            }
            let slot =
                pg_sys::MakeSingleTupleTableSlot(descriptor, &raw const pg_sys::TTSOpsVirtual);
            let count = (*descriptor).natts as usize;
            std::slice::from_raw_parts_mut((*slot).tts_isnull, count).fill(true);
            pg_sys::ExecStoreVirtualTuple(slot);
            let is_short = |key: &Column| {
                let column = read.iter().find(|column| column.attnum == key.attnum);
                column.is_some_and(|column| column.by_value || column.length > 0)
            };
            let has_short_keys =
                binding.columns.key.len() < 10 && binding.columns.key.iter().all(is_short);
            Some(Self {
                slot,
                has_short_keys,
                binding,
            })
        }
    }

    unsafe fn agrees(&self, args: &[pg_sys::NullableDatum]) -> bool {
        let Some(entries) = (unsafe { entries(args) }) else {
            return false;
        };
        unsafe {
            let slot = &*self.slot;
            for (column, given) in self.binding.columns.read.iter().zip(&args[argument::ROW..]) {
                let at = column.attnum as usize - 1;
                *slot.tts_values.add(at) = given.value;
                *slot.tts_isnull.add(at) = given.isnull;
            }
        }
        let row = unsafe { Row::new(&self.binding, self.slot) };
        if entries.last_seq == 0
            && !self.has_short_keys
            && !row::key_fits(&self.binding.key_text(row.key_columns()))
        {
            return false;
        }
        let affiliate_id = args[argument::AFFILIATE_ID].value.value() as i32;
        let referral = Referral {
            account: Account {
                affiliate_id,
                referral_id: args[argument::REFERRAL_ID].value.value() as i64,
            },
            attributed_at: args[argument::ATTRIBUTED_AT].value.value() as i64,
            is_closed: self.binding.closed_affiliates.contains(&affiliate_id),
        };
        let refunds = if self.binding.has_lost_refunds {
            Refunds::Lost(entries.refunded)
        } else {
            Refunds::None
        };
        settle::agrees(&row, &referral, &entries, refunds)
    }
}

/// What the ledger says of a payment by the entry among the arguments; `None` if that is not its
/// first one, or can't be read.
unsafe fn entries(args: &[pg_sys::NullableDatum]) -> Option<Entries> {
    if args[argument::SEQ].isnull {
        return Some(Entries::default());
    }
    let value = |n: usize| (!args[n].isnull).then_some(args[n].value);
    let decimal = |n| -> Option<Decimal> { unsafe { numeric::decode(value(n)?) }.ok() };
    let integer = |n| Some(value(n)?.value() as i32);
    let last_seq = integer(argument::SEQ).filter(|seq| *seq == 1)?;
    let code = unsafe { bytes(value(argument::CURRENCY)?) };
    let standing = Standing {
        account: Account {
            affiliate_id: integer(argument::ENTRY_AFFILIATE_ID)?,
            referral_id: value(argument::ENTRY_REFERRAL_ID)?.value() as i64,
        },
        currency: Currency::parse(std::str::from_utf8(code).ok()?)?,
        base: decimal(argument::BASE)?,
        posted: money::exact_add(
            decimal(argument::POSTED_BEFORE)?,
            decimal(argument::AMOUNT)?,
        )?,
    };
    Some(Entries {
        last_seq,
        terms: Some(Terms {
            rate: decimal(argument::RATE)?,
            matures_on: integer(argument::MATURES_ON)?,
        }),
        refunded: decimal(argument::REFUNDED)?,
        standings: vec![standing],
        is_unreadable: false,
    })
}

/// The body of `affiliate.agrees()`.
///
/// # Safety
/// The arguments must be of the types that the function declares.
pub unsafe fn agrees(fcinfo: pg_sys::FunctionCallInfo) -> bool {
    unsafe {
        let info = (*fcinfo).flinfo;
        if (*info).fn_extra.is_null() {
            let mut memory = PgMemoryContexts::For((*info).fn_mcxt);
            let judge = memory.switch_to(|_| Judge::new(fcinfo));
            (*info).fn_extra = memory.leak_and_drop_on_delete(judge).cast();
        }
        let args = (*fcinfo).args.as_slice((*fcinfo).nargs as usize);
        let is_known = [
            argument::REFERRAL_ID,
            argument::AFFILIATE_ID,
            argument::ATTRIBUTED_AT,
        ]
        .iter()
        .all(|n| !args[*n].isnull);
        match &*(*info).fn_extra.cast::<Option<Judge>>() {
            Some(judge) => is_known && judge.agrees(args),
            None => false,
        }
    }
}

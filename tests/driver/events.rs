//! Everything that is not about payments: referrals, codes, terms, payouts, folds.

use rand::Rng;
use rand::seq::IndexedRandom;

use super::rows::{CUSTOMERS, LONG_AGO, customer_of};
use super::tables::{CHARGE, CURRENCIES, INVOICE, ORDER, SALE};
use super::written::date;
use super::{Driver, Scope};
use crate::model::payouts::PayoutStatus;
use crate::model::{Affiliate, Status, civil};
use crate::support::check::enroll;
use crate::support::money::{decimal, rate_text};

const RATES: [i128; 6] = [0, 50_000, 125_000, 300_000, 333_333, 1_000_000];

impl Driver<'_> {
    pub(super) fn event(&mut self) {
        match self.rng.random_range(0..100) {
            0..12 => self.run_payouts(),
            12..30 => self.set_payout_status(),
            30..38 => self.fold(),
            choice => {
                // The rest changes what open transactions see or build on.
                self.settle();
                match choice {
                    38..75 => self.attribute(),
                    75..77 => self.attribute_refused(),
                    77..79 => self.enrol_one(),
                    79..82 => self.change_codes(),
                    82..86 => self.change_status(),
                    86..91 => self.change_terms(),
                    _ if self.scope == Scope::Inserts => {}
                    91..93 => self.reconcile(),
                    93 => self.change_type(),
                    94 => self.change_ledger(),
                    95 | 96 => self.pause_or_resume(),
                    _ => self.truncate_refused(),
                }
            }
        }
    }

    pub fn enrol_one(&mut self) {
        let program = self.rng.random_range(0..self.world.programs.len());
        let owner = format!("owner-{}", self.number());
        let code = enroll(&mut self.admin, &owner, self.world.programs[program].name);
        assert_eq!(code.len(), 25, "a generated code: {code}");
        let codes = vec![code.clone()];
        let status = Status::Active;
        self.world.affiliates.push(Affiliate {
            program,
            owner,
            code,
            codes,
            status,
        });
    }

    fn some_affiliate(&mut self) -> usize {
        self.rng.random_range(0..self.world.affiliates.len())
    }

    fn attribute(&mut self) {
        let number = self.some_affiliate();
        let affiliate = self.world.affiliates[number].clone();
        if affiliate.status == Status::Closed {
            return;
        }
        let Some(code) = affiliate.codes.choose(&mut self.rng) else {
            return;
        };
        let customer = customer_of(affiliate.program, self.rng.random_range(0..CUSTOMERS));
        let at = match self.rng.random_range(0..2) {
            0 => (self.world.today - LONG_AGO) * 86_400,
            _ => self.some_past_moment(),
        };
        if self.scope == Scope::Inserts {
            // Without reconciliation nothing could make good a referral that comes late.
            let mut world = self.world.clone();
            world.attribute(affiliate.program, &customer, number, at);
            if world.payments.keys().any(|id| world.is_behind(id)) {
                return;
            }
        }
        // Whoever types a code types it somehow.
        let code = if self.rng.random_bool(0.3) {
            format!(" {} ", code.to_uppercase())
        } else {
            code.clone()
        };
        let key = if affiliate.program == 1 {
            customer.clone()
        } else {
            format!("'{customer}'")
        };
        self.administer(&format!(
            "SELECT affiliate_attribute({key}, code => '{code}',
                 attributed_at => to_timestamp({at}), program => '{}')",
            self.world.programs[affiliate.program].name
        ));
        self.world
            .attribute(affiliate.program, &customer, number, at);
    }

    fn attribute_refused(&mut self) {
        let number = self.some_affiliate();
        let affiliate = self.world.affiliates[number].clone();
        let program = self.world.programs[affiliate.program].name;
        let (customer, code) = if affiliate.status == Status::Closed {
            (String::from("a stranger"), affiliate.code)
        } else if let Some(code) = affiliate.codes.first() {
            // Nobody refers himself.
            (affiliate.owner.clone(), code.clone())
        } else {
            (String::from("a stranger"), affiliate.code)
        };
        self.refused(&format!(
            "SELECT affiliate_attribute('{customer}', code => '{code}', program => '{program}')"
        ));
    }

    fn change_codes(&mut self) {
        let number = self.some_affiliate();
        if self.world.affiliates[number].status == Status::Closed {
            return;
        }
        if self.rng.random_bool(0.7) {
            let code: String = self
                .admin
                .query_one(
                    "SELECT affiliate_add_code($1, new_code => $2)",
                    &[
                        &self.world.affiliates[number].code,
                        &format!("Code-{}", self.last_number),
                    ],
                )
                .map_or_else(
                    |error| panic!("affiliate_add_code: {error:?}"),
                    |row| row.get(0),
                );
            self.world.affiliates[number].codes.push(code);
            self.last_number += 1;
        } else if let Some(code) = self.world.affiliates[number].codes.pop() {
            self.administer(&format!("SELECT affiliate_deactivate_code('{code}')"));
        }
    }

    fn change_status(&mut self) {
        let number = self.some_affiliate();
        let closed = self
            .world
            .affiliates
            .iter()
            .filter(|who| who.status == Status::Closed)
            .count();
        let has_flaws = self.world.customers_with_flaws().iter().any(|customer| {
            (0..self.world.programs.len())
                .any(|program| self.world.affiliate_of(program, customer) == Some(number))
        });
        let (status, name) = match self.world.affiliates[number].status {
            Status::Closed => return,
            // The rules are silent on what a closed affiliate's quarantined payments become.
            _ if closed * 5 < self.world.affiliates.len()
                && !has_flaws
                && self.rng.random_range(0..4) == 0 =>
            {
                (Status::Closed, "closed")
            }
            Status::Active => (Status::Suspended, "suspended"),
            Status::Suspended => (Status::Active, "active"),
        };
        self.administer(&format!(
            "SELECT affiliate_set_status('{}', '{name}', reason => 'by chance')",
            self.world.affiliates[number].code
        ));
        self.world.affiliates[number].status = status;
    }

    fn change_terms(&mut self) {
        let number = self.rng.random_range(0..self.world.programs.len());
        let name = self.world.programs[number].name;
        match self.rng.random_range(0..4) {
            0 => {
                let rate = *RATES.choose(&mut self.rng).expect("a rate");
                let text = rate_text(rate);
                self.administer(&format!(
                    "SELECT affiliate_set_program('{name}', rate => {text})"
                ));
                self.world.programs[number].rate = rate;
            }
            1 => {
                let days = [0, 7, 30][self.rng.random_range(0..3)];
                self.administer(&format!(
                    "SELECT affiliate_set_program('{name}', hold_days => {days})"
                ));
                self.world.programs[number].hold_days = days;
            }
            2 => {
                let minimum = [0, 5, 50, 500][self.rng.random_range(0..4)];
                self.administer(&format!(
                    "SELECT affiliate_set_program('{name}', payout_threshold => {minimum})"
                ));
                self.world.programs[number].threshold = minimum;
            }
            _ => {
                let currency = *CURRENCIES.choose(&mut self.rng).expect("a currency");
                let minimum = self.rng.random_range(0..20_000);
                let (text, own) = match self.rng.random_range(0..3) {
                    0 => (String::from("NULL"), None),
                    _ => (decimal(minimum, currency), Some(minimum)),
                };
                self.administer(&format!(
                    "SELECT affiliate_set_payout_threshold('{name}', '{currency}', {text})"
                ));
                let thresholds = &mut self.world.programs[number].thresholds;
                match own {
                    Some(minimum) => thresholds.insert(currency, minimum),
                    None => thresholds.remove(currency),
                };
            }
        }
    }

    fn run_payouts(&mut self) {
        let program = match self.rng.random_range(0..3) {
            0 => Some(self.rng.random_range(0..self.world.programs.len())),
            _ => None,
        };
        // Without a day it is the end of the last month, in each program's zone: near the turn
        // of a month that is not the same day everywhere.
        let (_, _, day_of_month) = civil(self.world.today);
        let by_default = (3..=27).contains(&day_of_month) && self.rng.random_range(0..4) == 0;
        let through = if by_default {
            self.world.today - day_of_month
        } else {
            self.world.today - self.rng.random_range(2..60)
        };
        let mut arguments = Vec::new();
        if !by_default {
            arguments.push(format!("through => '{}'", date(through)));
        }
        if let Some(program) = program {
            arguments.push(format!(
                "program => '{}'",
                self.world.programs[program].name
            ));
        }
        self.administer(&format!(
            "CALL affiliate_run_payouts({})",
            arguments.join(", ")
        ));
        let made = self.world.run_payouts(through, program);
        self.learn_payouts(&made);
    }

    fn set_payout_status(&mut self) {
        if self.world.payouts.is_empty() {
            return;
        }
        let number = self.rng.random_range(0..self.world.payouts.len());
        let status = *PayoutStatus::ALL.choose(&mut self.rng).expect("a status");
        let payout = &self.world.payouts[number];
        let id = payout.id.expect("a payout that was seen in the database");
        let legal = payout.status.may_become(status);
        let sql = format!(
            "SELECT affiliate_set_payout_status({id}, '{}', external_reference => 'r', reason => 'x')",
            status.name()
        );
        if legal {
            self.administer(&sql);
            self.world.set_payout_status(number, status);
        } else {
            self.refused(&sql);
        }
    }

    fn fold(&mut self) {
        // An open writer makes a fold wait for a while before it gives up: worth trying, not often.
        if self.any_open() {
            if self.slow_folds < 3 {
                self.slow_folds += 1;
            } else {
                self.settle();
            }
        }
        self.administer("SELECT affiliate_maintain()");
    }

    /// No trigger can tell which rows a TRUNCATE takes away; where they have earned nothing, that
    /// need not be known.
    fn truncate_refused(&mut self) {
        let table = [ORDER, CHARGE, SALE][self.rng.random_range(0..3)];
        assert!(!self.world.bindings[table].keeps_deleted && table != INVOICE);
        if !self.world.has_earned(table) {
            return;
        }
        self.refused(&format!("TRUNCATE {}", self.table(table).name));
    }
}

//! Every error of the extension: its SQLSTATE, what is wrong, the offending value, the remedy.
//! `docs/reference.md` has the same as a table.

use pgrx::PgSqlErrorCode as Code;

use crate::server::raise;

/// What a caller, or the state of the database, got wrong.
#[derive(Clone, Debug)]
pub enum Problem {
    NullArgument {
        name: &'static str,
    },
    EmptyText {
        name: &'static str,
    },
    TooLong {
        name: &'static str,
        length: usize,
        max: usize,
    },
    NotOneOf {
        name: &'static str,
        value: String,
        allowed: String,
    },
    MalformedCode {
        code: String,
    },
    CodeTaken {
        code: String,
    },
    UnusableCode {
        code: String,
    },
    UnknownCode {
        code: String,
    },
    OwnerHasOtherCode {
        owner: String,
        code: String,
    },
    UnknownProgram {
        program: String,
    },
    UnknownCurrency {
        currency: String,
    },
    UnknownTimeZone {
        zone: String,
    },
    RateOutOfRange {
        rate: String,
    },
    NumberOutOfRange {
        name: &'static str,
        value: String,
        allowed: &'static str,
    },
    MalformedLinkBase {
        link_base: String,
    },
    SelfReferral {
        customer: String,
    },
    NoAttribution,
    NoClick {
        visitor: String,
        days: i32,
    },
    AffiliateClosed {
        code: String,
    },
    NoSuchTable {
        table: String,
    },
    NotATable {
        table: String,
        kind: &'static str,
        remedy: &'static str,
    },
    UnknownColumn {
        table: String,
        column: String,
    },
    UnusableColumn {
        table: String,
        column: String,
        type_name: String,
        allowed: &'static str,
    },
    ColumnNotStored {
        table: String,
        column: String,
    },
    NoPaymentKey {
        table: String,
        remedy: &'static str,
    },
    MinorUnitsOf {
        of: String,
    },
    ZoneWithoutTimestamp {
        zone: String,
        /// The column of the payment time and its type, if it is mapped.
        column: Option<(String, String)>,
    },
    AlreadyAttached {
        table: String,
    },
    NotAttached {
        table: String,
    },
    UnknownDropped {
        name: String,
    },
    TableChanged {
        table: String,
    },
    OtherPaymentKey {
        table: String,
        before: String,
    },
    BindingLost {
        binding: i32,
    },
    AlreadyPaused {
        table: String,
    },
    NotPaused {
        table: String,
    },
    ManyReversals {
        table: String,
        reversed: i64,
        known: i64,
    },
    FrozenOption {
        option: &'static str,
        table: String,
    },
    OptionTwice {
        name: &'static str,
    },
    RefundsRecorded {
        table: String,
    },
    NotTheOwner {
        table: String,
        /// `None` if the table is gone.
        owner: Option<String>,
    },
    OwnPayments,
    UnusableCondition {
        sql: String,
        why: String,
    },
    NotATrigger,
    EpochBehind {
        epoch: i32,
        mark: i32,
    },
    WritersOpen {
        seconds: u64,
    },
    UnusableTrigger {
        trigger: String,
        table: String,
    },
    OnTruncate {
        on_truncate: &'static str,
        on_delete: String,
    },
    TruncateRefused {
        table: String,
        /// It is a table of refunds.
        is_refunds: bool,
        can_be_detached: bool,
    },
    ThroughFuture {
        through: String,
        today: String,
    },
    UnknownPayout {
        payout: i64,
    },
    IllegalTransition {
        from: String,
        to: String,
        allowed: String,
    },
    NoPgCron,
    PgCronElsewhere {
        database: String,
        sql: String,
    },
    NotReadCommitted {
        what: &'static str,
    },
    NotUtf8 {
        encoding: String,
    },
    NotInstalled,
    /// `what` goes on from the name of the object.
    NotAsInstalled {
        object: String,
        what: String,
    },
    UnknownPaymentKey {
        key: String,
    },
    RefundsInColumn {
        table: String,
    },
    RefundsAttached {
        table: String,
    },
    RefundDiffers {
        refund_key: String,
    },
    UnknownRefund {
        kind: &'static str,
        refund_key: String,
    },
    PaymentKeyColumns {
        table: String,
        expected: usize,
    },
    RefundKeyType {
        column: String,
        type_name: String,
    },
    NoRandomNumbers,
    LedgerWouldBeLost {
        entries: i64,
    },
    NotSuperuser {
        role: String,
    },
    UnusableOwner {
        role: String,
        why: String,
    },
}

struct Report {
    code: Code,
    message: String,
    detail: String,
    hint: String,
}

impl Problem {
    pub fn raise(self) -> ! {
        let Report {
            code,
            message,
            detail,
            hint,
        } = self.report();
        let given = |text: String| (!text.is_empty()).then_some(text);
        raise::raise(code, message, given(detail), given(hint))
    }

    fn report(self) -> Report {
        let report = |code, message: String, detail: String, hint: &str| Report {
            code,
            message,
            detail,
            hint: hint.to_owned(),
        };
        match self {
            Self::NullArgument { name } => report(
                Code::ERRCODE_NULL_VALUE_NOT_ALLOWED,
                format!("{name} must not be null"),
                format!("The argument {name} is NULL."),
                &format!("Pass a value for {name}."),
            ),
            Self::EmptyText { name } => report(
                Code::ERRCODE_INVALID_PARAMETER_VALUE,
                format!("{name} must not be empty"),
                format!("The argument {name} is empty or blank."),
                &format!("Pass a value for {name}."),
            ),
            Self::TooLong { name, length, max } => report(
                Code::ERRCODE_STRING_DATA_RIGHT_TRUNCATION,
                format!("{name} is too long"),
                format!("It has {length} bytes, at most {max} are allowed."),
                &format!("Pass a shorter {name}."),
            ),
            Self::NotOneOf {
                name,
                value,
                allowed,
            } => report(
                Code::ERRCODE_INVALID_PARAMETER_VALUE,
                format!("{name} is not known"),
                format!("{name} is \"{value}\"."),
                &format!("Use one of {allowed}."),
            ),
            Self::MalformedCode { code } => report(
                Code::ERRCODE_INVALID_TEXT_REPRESENTATION,
                "code is malformed".to_owned(),
                format!("The code is \"{code}\"."),
                "A code has 3 to 64 ASCII letters, digits, \"-\" or \"_\".",
            ),
            Self::CodeTaken { code } => report(
                Code::ERRCODE_UNIQUE_VIOLATION,
                "code is taken".to_owned(),
                format!("The code is \"{code}\"; case makes no difference."),
                "Choose another code, or leave it out to have one generated.",
            ),
            Self::UnusableCode { code } => report(
                Code::ERRCODE_NO_DATA_FOUND,
                "code is not valid".to_owned(),
                format!("The code \"{code}\" is unknown or inactive in this program."),
                "Go on without a referral, or check the code and the program.",
            ),
            Self::UnknownCode { code } => report(
                Code::ERRCODE_NO_DATA_FOUND,
                "code is unknown".to_owned(),
                format!("No affiliate has the code \"{code}\"."),
                "Check the code; affiliate_create() enrolls an affiliate.",
            ),
            Self::OwnerHasOtherCode { owner, code } => report(
                Code::ERRCODE_DUPLICATE_OBJECT,
                "owner is enrolled with another code".to_owned(),
                format!("Owner \"{owner}\" has the code \"{code}\"."),
                &format!("Add a code with affiliate_add_code('{code}', new_code => ...)."),
            ),
            Self::UnknownProgram { program } => report(
                Code::ERRCODE_UNDEFINED_OBJECT,
                "program is unknown".to_owned(),
                format!("The program is \"{program}\"."),
                "Create it with affiliate_set_program(name, ...).",
            ),
            Self::UnknownCurrency { currency } => report(
                Code::ERRCODE_INVALID_PARAMETER_VALUE,
                "currency is unknown".to_owned(),
                format!("The currency is \"{currency}\"."),
                "Use an ISO 4217 code of a currency with a minor unit, such as USD, EUR or JPY.",
            ),
            Self::UnknownTimeZone { zone } => report(
                Code::ERRCODE_INVALID_PARAMETER_VALUE,
                "time zone is unknown".to_owned(),
                format!("The time zone is \"{zone}\"."),
                "Use a name from pg_timezone_names, such as UTC or Europe/Berlin.",
            ),
            Self::RateOutOfRange { rate } => report(
                Code::ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE,
                "rate is out of range".to_owned(),
                format!("The rate is {rate}."),
                "A rate is a fraction from 0 to 1 with at most 6 decimals: 0.30 is 30%.",
            ),
            Self::NumberOutOfRange {
                name,
                value,
                allowed,
            } => report(
                Code::ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE,
                format!("{name} is out of range"),
                format!("{name} is {value}."),
                &format!("Use {allowed}."),
            ),
            Self::MalformedLinkBase { link_base } => report(
                Code::ERRCODE_INVALID_PARAMETER_VALUE,
                "link base is malformed".to_owned(),
                format!("The link base is \"{link_base}\"."),
                "Use a URL that begins with https:// or http:// and has no blanks.",
            ),
            Self::SelfReferral { customer } => report(
                Code::ERRCODE_CHECK_VIOLATION,
                "an affiliate can't refer itself".to_owned(),
                format!("Customer \"{customer}\" is the owner of the affiliate."),
                "Go on without a referral, or allow it with affiliate_set_program(name, self_referral => 'allow').",
            ),
            Self::NoAttribution => report(
                Code::ERRCODE_NULL_VALUE_NOT_ALLOWED,
                "nothing says who referred the customer".to_owned(),
                "code, coupon and visitor are all NULL.".to_owned(),
                "Pass code, coupon or visitor.",
            ),
            Self::NoClick { visitor, days } => report(
                Code::ERRCODE_NO_DATA_FOUND,
                "visitor has no click that counts".to_owned(),
                format!("Visitor \"{visitor}\" followed no active link in the {days} days before."),
                "Go on without a referral.",
            ),
            Self::AffiliateClosed { code } => report(
                Code::ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
                "affiliate is closed".to_owned(),
                format!("The affiliate of the code \"{code}\" is closed, and closing is final."),
                "Enroll another owner with affiliate_create().",
            ),
            Self::NoSuchTable { table } => report(
                Code::ERRCODE_UNDEFINED_TABLE,
                "table does not exist".to_owned(),
                format!("There is no {table}."),
                "Pass the name of a table.",
            ),
            Self::NotATable {
                table,
                kind,
                remedy,
            } => report(
                Code::ERRCODE_WRONG_OBJECT_TYPE,
                format!("{kind} can't be attached"),
                format!("{table} is {kind}."),
                remedy,
            ),
            Self::UnknownColumn { table, column } => report(
                Code::ERRCODE_UNDEFINED_COLUMN,
                "column does not exist".to_owned(),
                format!("{table} has no column \"{column}\"."),
                "Pass the name of a column of the table as it is spelled in the catalog.",
            ),
            Self::UnusableColumn {
                table,
                column,
                type_name,
                allowed,
            } => report(
                Code::ERRCODE_DATATYPE_MISMATCH,
                "column has an unusable type".to_owned(),
                format!("Column \"{column}\" of {table} has type {type_name}."),
                &format!("Use a column of type {allowed}."),
            ),
            Self::ColumnNotStored { table, column } => report(
                Code::ERRCODE_INVALID_COLUMN_DEFINITION,
                "column is not stored".to_owned(),
                format!(
                    "Column \"{column}\" of {table} is generated when it is read, and in no row."
                ),
                "Use a column that is stored, or generate this one as STORED.",
            ),
            Self::NoPaymentKey { table, remedy } => report(
                Code::ERRCODE_INVALID_TABLE_DEFINITION,
                "table has no usable payment key".to_owned(),
                format!("Payments of {table} can't be told apart."),
                remedy,
            ),
            Self::MinorUnitsOf { of } => report(
                Code::ERRCODE_INVALID_PARAMETER_VALUE,
                "minor_units_of is set without minor_units".to_owned(),
                format!("minor_units_of is \"{of}\", and minor_units is false."),
                "Pass minor_units => true too if the amounts are in the minor unit; else leave minor_units_of out, or clear it.",
            ),
            Self::ZoneWithoutTimestamp { zone, column } => report(
                Code::ERRCODE_INVALID_PARAMETER_VALUE,
                "paid_at_zone is not for this payment time".to_owned(),
                match column {
                    Some((column, type_name)) => format!(
                        "paid_at_zone is \"{zone}\", and column \"{column}\" has type {type_name}."
                    ),
                    None => format!("paid_at_zone is \"{zone}\", and paid_at is not mapped."),
                },
                "Pass it for a column of type timestamp without time zone; else leave it out, or clear it.",
            ),
            Self::AlreadyAttached { table } => report(
                Code::ERRCODE_DUPLICATE_OBJECT,
                "table is attached already".to_owned(),
                format!("{table} is bound."),
                "affiliate_alter_binding() changes options; for the others call affiliate_detach() first.",
            ),
            Self::NotAttached { table } => report(
                Code::ERRCODE_UNDEFINED_OBJECT,
                "table is not attached".to_owned(),
                format!("{table} is not bound."),
                "Attach it with affiliate_attach_payments().",
            ),
            Self::UnknownDropped { name } => report(
                Code::ERRCODE_UNDEFINED_OBJECT,
                "no dropped table of this name is attached".to_owned(),
                format!("The name is \"{name}\"."),
                "affiliate.binding_health lists dropped tables; pass what table_name says, such as public.payments.",
            ),
            Self::TableChanged { table } => report(
                Code::ERRCODE_T_R_SERIALIZATION_FAILURE,
                "table was altered while it was about to be read".to_owned(),
                format!("{table} or one of its columns has another name by now."),
                "Retry the transaction.",
            ),
            Self::OtherPaymentKey { table, before } => report(
                Code::ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
                "table was attached with another payment key".to_owned(),
                format!("The ledger knows payments of {table} by {before}."),
                "Attach it with the same payment_key, or payments would be posted twice.",
            ),
            Self::BindingLost { binding } => report(
                Code::ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
                "the ledger knows payments of a binding that is not there".to_owned(),
                format!(
                    "Entries or recorded refunds belong to binding {binding}, which affiliate.binding lacks."
                ),
                "Restore affiliate.binding with pg_restore --data-only: under another binding, payments would be posted twice.",
            ),
            Self::AlreadyPaused { table } => report(
                Code::ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
                "table is paused already".to_owned(),
                format!("{table} is paused."),
                "affiliate.binding_health says since when and why; affiliate_resume() ends it.",
            ),
            Self::NotPaused { table } => report(
                Code::ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
                "table is not paused".to_owned(),
                format!("The triggers of {table} post."),
                "affiliate_reconcile() posts what is missing.",
            ),
            Self::ManyReversals {
                table,
                reversed,
                known,
            } => report(
                Code::ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
                "many payments would be reversed".to_owned(),
                format!("{reversed} of {known} payments of {table} that have entries would be."),
                "See why: keys may have been rewritten, or rows have gone past the triggers. With force => true they are reversed.",
            ),
            Self::FrozenOption { option, table } => report(
                Code::ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
                "option can't be changed any more".to_owned(),
                format!("Entries or recorded refunds of {table} depend on its {option}."),
                "Leave it as it is, and attach a table of its own for payments that are to have another one.",
            ),
            Self::OptionTwice { name } => report(
                Code::ERRCODE_INVALID_PARAMETER_VALUE,
                "option is given and cleared".to_owned(),
                format!("{name} has a value and is in clear."),
                "Give it a value, or clear it.",
            ),
            Self::RefundsRecorded { table } => report(
                Code::ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
                "refunds of this table are recorded".to_owned(),
                format!("affiliate_record_refund() was called for payments of {table}."),
                "Go on recording refunds: with a column besides they would count twice.",
            ),
            Self::NotTheOwner { table, owner } => report(
                Code::ERRCODE_INSUFFICIENT_PRIVILEGE,
                "table is somebody else's".to_owned(),
                match owner {
                    Some(owner) => format!("{table} belongs to {owner}."),
                    None => format!("{table} is gone, and nobody owns it."),
                },
                "Have its owner, a member of the owner's role or a superuser call this.",
            ),
            Self::OwnPayments => report(
                Code::ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
                "affiliate.payment is always attached".to_owned(),
                "The binding of the extension's own table can't be changed.".to_owned(),
                "Use a payments table of your own.",
            ),
            Self::UnusableCondition { sql, why } => report(
                Code::ERRCODE_INVALID_PARAMETER_VALUE,
                "paid_when can't be used".to_owned(),
                format!("In \"{sql}\": {why}."),
                "Use columns, constants and immutable functions of the server, such as status = 'succeeded'.",
            ),
            Self::NotATrigger => report(
                Code::ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED,
                "function was not called by a trigger".to_owned(),
                "A statement called it by its name.".to_owned(),
                "affiliate_attach_payments() makes the triggers that call it.",
            ),
            Self::UnusableTrigger { trigger, table } => report(
                Code::ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED,
                "trigger is of a kind that can't post".to_owned(),
                format!(
                    "The trigger {trigger} of {table} fires at another time or without the changed rows."
                ),
                "Drop it: attaching a table makes all the triggers it needs.",
            ),
            Self::OnTruncate {
                on_truncate,
                on_delete,
            } => report(
                Code::ERRCODE_INVALID_PARAMETER_VALUE,
                "on_truncate does not fit on_delete".to_owned(),
                format!("on_truncate is '{on_truncate}', on_delete is '{on_delete}'."),
                "Use 'keep' with on_delete => 'keep', and 'reconcile' with on_delete => 'reverse'.",
            ),
            Self::TruncateRefused {
                table,
                is_refunds,
                can_be_detached,
            } => report(
                Code::ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
                "a bound table can't be truncated".to_owned(),
                if is_refunds {
                    format!(
                        "What the refunds in {table} took from commissions would have to be given back."
                    )
                } else {
                    format!("Commissions of the payments in {table} would have to be reversed.")
                },
                if can_be_detached {
                    "Use DELETE, or call affiliate_detach() first."
                } else {
                    "Use DELETE."
                },
            ),
            Self::ThroughFuture { through, today } => report(
                Code::ERRCODE_INVALID_PARAMETER_VALUE,
                "payouts can't run through a day to come".to_owned(),
                format!("through is {through}, today is {today} in the program's time zone."),
                "Pass today or an earlier day, or NULL for the end of last month.",
            ),
            Self::UnknownPayout { payout } => report(
                Code::ERRCODE_NO_DATA_FOUND,
                "payout is unknown".to_owned(),
                format!("There is no payout {payout}."),
                "affiliate_payouts(code) lists the payouts of an affiliate.",
            ),
            Self::IllegalTransition { from, to, allowed } => report(
                Code::ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
                "payout can't take this status".to_owned(),
                format!("It is {from} and can't become {to}."),
                &(if allowed.is_empty() {
                    format!("{from} is final.")
                } else {
                    format!("It can become {allowed}.")
                }),
            ),
            Self::NoPgCron => report(
                Code::ERRCODE_FEATURE_NOT_SUPPORTED,
                "pg_cron is not installed in this database".to_owned(),
                "There is no extension pg_cron.".to_owned(),
                "Install the package, add pg_cron to shared_preload_libraries, set cron.database_name to this database, restart, and run CREATE EXTENSION pg_cron.",
            ),
            Self::PgCronElsewhere { database, sql } => report(
                Code::ERRCODE_FEATURE_NOT_SUPPORTED,
                "pg_cron is in another database".to_owned(),
                format!("cron.database_name is \"{database}\"."),
                &format!("Run in that database, as the role that is to run the jobs: {sql};"),
            ),
            Self::NotReadCommitted { what } => report(
                Code::ERRCODE_INVALID_TRANSACTION_STATE,
                format!("{what} needs READ COMMITTED"),
                "The transaction keeps an older snapshot.".to_owned(),
                "Call it in a transaction of its own at READ COMMITTED.",
            ),
            Self::NotUtf8 { encoding } => report(
                Code::ERRCODE_FEATURE_NOT_SUPPORTED,
                "the encoding of the database is not UTF8".to_owned(),
                format!("It is {encoding}."),
                "Install the extension in a database that was created with ENCODING 'UTF8'.",
            ),
            Self::EpochBehind { epoch, mark } => report(
                Code::ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
                "the epoch is not above what is folded".to_owned(),
                format!(
                    "The sequence affiliate.epoch is at {epoch}, the mark in affiliate.fold at {mark}."
                ),
                "Call affiliate_rebuild_figures(): the sequence did not come with the tables.",
            ),
            Self::WritersOpen { seconds } => report(
                Code::ERRCODE_LOCK_NOT_AVAILABLE,
                "transactions that write to the ledger are still open".to_owned(),
                format!("They did not end within {seconds} seconds."),
                "affiliate.operations names the oldest one; call again when it has ended.",
            ),
            Self::NotInstalled => report(
                Code::ERRCODE_UNDEFINED_OBJECT,
                "the extension is not installed in this database".to_owned(),
                "Its tables are not there.".to_owned(),
                "Run CREATE EXTENSION affiliate.",
            ),
            Self::NotAsInstalled { object, what } => report(
                Code::ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
                "an object of the extension was changed".to_owned(),
                format!("{object} {what}."),
                "Undo the change. Tables of the extension may get further columns, if these can be NULL or have a default.",
            ),
            Self::UnknownPaymentKey { key } => report(
                Code::ERRCODE_INVALID_TEXT_REPRESENTATION,
                "payment key is malformed".to_owned(),
                format!("The key is \"{key}\"."),
                "Pass a value of the key's type; a composite key as PostgreSQL writes a row, such as (1,abc), without NULLs.",
            ),
            Self::RefundsInColumn { table } => report(
                Code::ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
                "refunds of this table are in a column".to_owned(),
                format!("{table} is bound with a column of the refunded amount."),
                "Update that column; disputes can be recorded.",
            ),
            Self::RefundsAttached { table } => report(
                Code::ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
                "refunds of this table are in a table".to_owned(),
                format!("A table of refunds is attached to {table}."),
                "Insert the refund into that table; disputes can be recorded.",
            ),
            Self::RefundDiffers { refund_key } => report(
                Code::ERRCODE_UNIQUE_VIOLATION,
                "refund is recorded with another payment or amount".to_owned(),
                format!("The refund key is \"{refund_key}\"."),
                "Pass a new refund_key for another refund.",
            ),
            Self::UnknownRefund { kind, refund_key } => report(
                Code::ERRCODE_NO_DATA_FOUND,
                "refund is not recorded".to_owned(),
                format!("No {kind} of this table has the refund key \"{refund_key}\"."),
                "Pass the payments table, the kind and the refund_key with which it was recorded.",
            ),
            Self::PaymentKeyColumns { table, expected } => report(
                Code::ERRCODE_INVALID_PARAMETER_VALUE,
                "payment_key has the wrong number of columns".to_owned(),
                format!("A payment of {table} is known by {expected} columns."),
                "Name as many columns, separated by commas, in the order of the payments' key.",
            ),
            Self::RefundKeyType { column, type_name } => report(
                Code::ERRCODE_DATATYPE_MISMATCH,
                "refunds can't be found by the key of their payment".to_owned(),
                format!(
                    "The payments' key is of type {type_name}, which takes different texts for the same; column \"{column}\" has another type or collation."
                ),
                "Give the column of the refunds the type and collation of the payments' key.",
            ),
            Self::NoRandomNumbers => report(
                Code::ERRCODE_SYSTEM_ERROR,
                "the server has no random numbers to give".to_owned(),
                "The strong random source failed.".to_owned(),
                "Look into the server's log and at the random source of its operating system.",
            ),
            Self::LedgerWouldBeLost { entries } => report(
                Code::ERRCODE_DEPENDENT_OBJECTS_STILL_EXIST,
                "the ledger is not empty".to_owned(),
                format!("It has {entries} entries, which would be lost."),
                "Dump it, then SET affiliate.allow_drop = on and drop the extension again.",
            ),
            Self::NotSuperuser { role } => report(
                Code::ERRCODE_INSUFFICIENT_PRIVILEGE,
                "only a superuser can hand the ledger over".to_owned(),
                format!("The current role {role} is no superuser."),
                "Call it as a superuser.",
            ),
            Self::UnusableOwner { role, why } => report(
                Code::ERRCODE_INVALID_PARAMETER_VALUE,
                "role can't own the ledger".to_owned(),
                format!("The role \"{role}\" {why}."),
                "Create a role for it, without any attribute (CREATE ROLE affiliate_owner) and without members.",
            ),
        }
    }
}

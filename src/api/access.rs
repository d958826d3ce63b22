//! The three kinds of access.

use pgrx::prelude::*;

use super::{required, required_text};
use crate::pg::error::Problem;
use crate::pg::spi::{self, Sees};
use crate::pg::text::quote_ident;

/// Functions that an application calls.
const APP: &[&str] = &[
    "affiliate_generate_code",
    "affiliate_create",
    "affiliate_add_code",
    "affiliate_deactivate_code",
    "affiliate_link",
    "affiliate_attribute",
    "affiliate_track_click",
    "affiliate_record_refund",
    "affiliate_stats",
    "affiliate_payouts",
    "affiliate_timeseries",
    "affiliate_leaderboard",
];
/// Functions that show what there is; a reader also reads the tables.
const READER: &[&str] = &[
    "affiliate_link",
    "affiliate_stats",
    "affiliate_payouts",
    "affiliate_timeseries",
    "affiliate_leaderboard",
    "affiliate_verify",
    "affiliate_explain",
];
/// What an operator calls besides.
const OPERATOR: &[&str] = &[
    "affiliate_run_payouts",
    "affiliate_set_payout_status",
    "affiliate_export_payouts",
    "affiliate_adjust",
    "affiliate_set_status",
    "affiliate_backfill",
    "affiliate_reconcile",
    "affiliate_maintain",
    "affiliate_pause",
    "affiliate_resume",
];
/// What a view calls with the reader's rights.
const READER_INTERNAL: &[&str] = &["compare_payments", "not_folded", "owner_problems"];
/// The same, and what the procedure of an operator calls with the operator's rights.
const OPERATOR_INTERNAL: &[&str] = &[
    "compare_payments",
    "not_folded",
    "owner_problems",
    "payout_programs",
    "payout_batch",
];

#[pg_extern(sql = false)]
fn affiliate_grant(role: Option<pg_sys::Oid>, access: Option<String>) {
    let role = required("role", role);
    let access = required_text("access", access);
    let (functions, reads_tables, internal): (Vec<&str>, bool, &[&str]) = match access.as_str() {
        "app" => (APP.to_vec(), false, &[]),
        "reader" => (READER.to_vec(), true, READER_INTERNAL),
        "operator" => ([READER, OPERATOR].concat(), true, OPERATOR_INTERNAL),
        _ => {
            let allowed = "'app', 'reader', 'operator'".to_owned();
            Problem::NotOneOf {
                name: "access",
                value: access,
                allowed,
            }
            .raise();
        }
    };
    spi::connect(|connection| {
        const MEMBERS: &str = "
            SELECT format('%s %s', CASE p.prokind WHEN 'p' THEN 'PROCEDURE' ELSE 'FUNCTION' END,
                p.oid::regprocedure)
            FROM pg_depend d JOIN pg_extension e ON e.oid = d.refobjid
                JOIN pg_proc p ON p.oid = d.objid JOIN pg_namespace n ON n.oid = p.pronamespace
            WHERE d.classid = 'pg_proc'::regclass AND d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e'
                AND e.extname = 'affiliate'
                AND (n.nspname <> 'affiliate' AND p.proname = ANY ($1)
                    OR n.nspname = 'affiliate' AND p.proname = ANY ($2))";
        let names = |names: &[&str]| names.iter().map(ToString::to_string).collect::<Vec<_>>();
        let members = connection.run(
            MEMBERS,
            Sees::Now,
            &[names(&functions).into(), names(internal).into()],
        );
        let grantee = unsafe { std::ffi::CStr::from_ptr(pg_sys::GetUserNameFromId(role, false)) };
        let grantee = quote_ident(&grantee.to_string_lossy());
        let run = |sql: String| {
            connection.run_once(&sql, Sees::Now, &[]);
        };
        for row in 0..members.len() {
            if let Some(member) = members.get::<String>(row, 0) {
                run(format!("GRANT EXECUTE ON {member} TO {grantee}"));
            }
        }
        run(format!("GRANT USAGE ON SCHEMA affiliate TO {grantee}"));
        if reads_tables {
            run(format!(
                "GRANT SELECT ON ALL TABLES IN SCHEMA affiliate TO {grantee}"
            ));
        }
    });
}

//! Affiliates, their codes and links.

use pgrx::AnyElement;
use pgrx::prelude::*;

use crate::programs::program::require_program;
use crate::rules::affiliate::Status;
use crate::rules::code;
use crate::rules::words::Word;
use crate::server::calls::{composite, required, required_key, required_text, word};
use crate::server::error::Problem;
use crate::server::rows::Row;
use crate::server::spi::{self, Connection, Sees};

/// A code as a caller wrote it; an error if it is malformed.
pub fn well_formed(input: &str) -> &str {
    code::parse(input).unwrap_or_else(|| {
        Problem::MalformedCode {
            code: input.to_owned(),
        }
        .raise()
    })
}

/// The affiliate of a code, active or not. An error if there is none.
pub fn affiliate_of(connection: &Connection, code: Option<String>, sees: Sees) -> i32 {
    let code = required("code", code);
    const FIND: &str =
        "SELECT affiliate_id FROM affiliate.code WHERE lower(code) = lower($1 COLLATE \"C\")";
    let found = code::parse(&code).and_then(|code| {
        let rows = connection.run(FIND, sees, &[code.into()]);
        rows.first().map(|row| row.required("affiliate_id"))
    });
    found.unwrap_or_else(|| Problem::UnknownCode { code }.raise())
}

fn generate() -> String {
    let mut bytes = [0u8; code::RANDOM_BYTES];
    if !unsafe { pg_sys::pg_strong_random(bytes.as_mut_ptr().cast(), bytes.len()) } {
        Problem::NoRandomNumbers.raise();
    }
    code::from_random(&bytes)
}

fn insert_code(connection: &Connection, affiliate_id: i32, code: &str, label: Option<String>) {
    const INSERT: &str = "
        INSERT INTO affiliate.code (code, affiliate_id, label) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING";
    let args = [code.into(), affiliate_id.into(), label.into()];
    if connection.run(INSERT, Sees::Now, &args).is_empty() {
        Problem::CodeTaken {
            code: code.to_owned(),
        }
        .raise();
    }
}

#[pg_extern(sql = false)]
fn affiliate_generate_code() -> String {
    generate()
}

#[pg_extern(sql = false)]
fn affiliate_create(
    owner: Option<AnyElement>,
    code: Option<String>,
    program: Option<String>,
) -> Option<AnyElement> {
    let owner = required_key("owner", owner);
    let program = required_text("program", program);
    let wanted = code.as_deref().map(well_formed);
    spi::connect(|connection| {
        require_program(connection, &program);
        const FIND: &str =
            "SELECT a.* FROM affiliate.affiliate a WHERE a.program = $1 AND a.owner = $2";
        let key = [program.as_str().into(), owner.as_str().into()];
        if connection.run(FIND, Sees::Latest, &key).is_empty() {
            let code = wanted.map_or_else(generate, str::to_owned);
            const INSERT: &str = "
                INSERT INTO affiliate.affiliate AS a (program, owner, code) VALUES ($1, $2, $3)
                ON CONFLICT (program, owner) DO NOTHING RETURNING a.id";
            let args = [
                program.as_str().into(),
                owner.as_str().into(),
                code.as_str().into(),
            ];
            // none if another session has just enrolled the owner
            if let Some(row) = connection.run(INSERT, Sees::Now, &args).first() {
                insert_code(connection, row.required("id"), &code, None);
            }
        }
        let found = connection.run(FIND, Sees::Latest, &key);
        if let Some((wanted, row)) = wanted.zip(found.first()) {
            refuse_other_code(connection, row, &owner, wanted);
        }
        composite(found)
    })
}

/// An owner who is enrolled already keeps the codes there are.
fn refuse_other_code(connection: &Connection, affiliate: Row, owner: &str, wanted: &str) {
    const HAS: &str = "SELECT 1 FROM affiliate.code WHERE affiliate_id = $1 AND lower(code) = lower($2 COLLATE \"C\")";
    let args = [affiliate.required::<i32>("id").into(), wanted.into()];
    if connection.run(HAS, Sees::Latest, &args).is_empty() {
        Problem::OwnerHasOtherCode {
            owner: owner.to_owned(),
            code: affiliate.required("code"),
        }
        .raise();
    }
}

#[pg_extern(sql = false)]
fn affiliate_add_code(
    code: Option<String>,
    new_code: Option<String>,
    label: Option<String>,
) -> String {
    let new_code = new_code
        .as_deref()
        .map(well_formed)
        .map_or_else(generate, str::to_owned);
    let label = label.map(|label| required_text("label", Some(label)));
    spi::connect(|connection| {
        let code = required("code", code);
        let id = affiliate_of(connection, Some(code.clone()), Sees::Now);
        refuse_closed(connection, id, &code);
        insert_code(connection, id, &new_code, label);
    });
    new_code
}

/// Locks an affiliate and refuses one that is closed.
fn refuse_closed(connection: &Connection, id: i32, code: &str) {
    const STATUS: &str = "SELECT status FROM affiliate.affiliate WHERE id = $1 FOR NO KEY UPDATE";
    let status = connection.run(STATUS, Sees::Now, &[id.into()]);
    if status.only().word::<Status>("status") == Status::Closed {
        Problem::AffiliateClosed {
            code: code.to_owned(),
        }
        .raise();
    }
}

#[pg_extern(sql = false)]
fn affiliate_deactivate_code(code: Option<String>) -> bool {
    let code = required("code", code);
    spi::connect(|connection| {
        affiliate_of(connection, Some(code.clone()), Sees::Now);
        const DEACTIVATE: &str = "UPDATE affiliate.code SET active = false WHERE lower(code) = lower($1 COLLATE \"C\") AND active RETURNING 1";
        !connection
            .run(DEACTIVATE, Sees::Now, &[code.trim().into()])
            .is_empty()
    })
}

#[pg_extern(sql = false)]
fn affiliate_set_status(
    code: Option<String>,
    status: Option<String>,
    reason: Option<String>,
) -> Option<AnyElement> {
    let code = required("code", code);
    let status: Status = word("status", required("status", status));
    spi::connect(|connection| {
        let id = affiliate_of(connection, Some(code.clone()), Sees::Now);
        if status != Status::Closed {
            refuse_closed(connection, id, &code);
        }
        const UPDATE: &str =
            "UPDATE affiliate.affiliate SET status = $2 WHERE id = $1 AND status <> $2";
        if !connection
            .run(UPDATE, Sees::Now, &[id.into(), status.as_str().into()])
            .is_empty()
        {
            const LOG: &str = "INSERT INTO affiliate.status_change (affiliate_id, status, reason) VALUES ($1, $2, $3)";
            connection.run(
                LOG,
                Sees::Now,
                &[id.into(), status.as_str().into(), reason.into()],
            );
        }
        const FIND: &str = "SELECT a.* FROM affiliate.affiliate a WHERE a.id = $1";
        composite(connection.run(FIND, Sees::Now, &[id.into()]))
    })
}

#[pg_extern(sql = false)]
fn affiliate_link(code: Option<String>) -> String {
    let code = required("code", code);
    spi::connect(|connection| {
        const FIND: &str = "
            SELECT c.code, p.link_base FROM affiliate.code c
                JOIN affiliate.affiliate a ON a.id = c.affiliate_id JOIN affiliate.program p ON p.name = a.program
            WHERE lower(c.code) = lower($1 COLLATE \"C\")";
        let rows = connection.run(FIND, Sees::Now, &[code.trim().into()]);
        let Some(row) = rows.first() else {
            Problem::UnknownCode { code }.raise();
        };
        let (base, code): (String, String) = (row.required("link_base"), row.required("code"));
        code::link(&base, &code)
    })
}

/// The link of a code for SQL that has the base at hand.
#[pg_extern(sql = false)]
fn code_link(base: &str, code: &str) -> String {
    code::link(base, code)
}

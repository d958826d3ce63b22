//! `paid_when`: an SQL condition over the row that says whether it is paid.
//!
//! It may use the row's columns, constants, and immutable functions and operators of the
//! server itself, so it can neither depend on anything but the row nor run anybody's code,
//! whoever's rights it is evaluated with. It is parsed once per session and table, with the
//! names that its columns had when it was written.

use std::ffi::{CStr, CString};

use pgrx::{PgSqlErrorCode, PgTupleDesc, pg_sys};

use crate::pg::error::Problem;
use crate::pg::memory::Context;
use crate::pg::subtransaction::{self, Failure};

pub struct Condition {
    attnums: Vec<i16>,
    /// `None` if it can't be evaluated over the table as it is now; then `broken` says why.
    compiled: Option<Compiled>,
    broken: String,
}

struct Compiled {
    context: Option<Context>,
    expression: *mut pg_sys::ExprState,
    econtext: *mut pg_sys::ExprContext,
    can_fail: bool,
}

pub enum Outcome {
    True,
    NotTrue,
    Failed(String),
}

/// The names and attribute numbers of the columns that a condition reads.
pub type Reads = Vec<(String, i16)>;

impl Condition {
    /// Prepares a condition for a table; `name` is what it was called when the condition was
    /// written, `columns` are the names by which it knows the
    /// columns, and their attribute numbers in this table, 0 where one is gone.
    pub fn new(table: pg_sys::Oid, name: &str, sql: String, columns: Reads) -> Self {
        let attnums = columns
            .iter()
            .map(|(_, attnum)| *attnum)
            .filter(|attnum| *attnum != 0)
            .collect();
        if let Some((name, _)) = columns.iter().find(|(_, attnum)| *attnum == 0) {
            return Self {
                attnums,
                compiled: None,
                broken: format!("column \"{name}\" is gone"),
            };
        }
        match attempt(|| Compiled::new(table, name, &sql, &columns)) {
            Ok(Ok(compiled)) => Self {
                attnums,
                compiled: Some(compiled),
                broken: String::new(),
            },
            Ok(Err(why)) => Self {
                attnums,
                compiled: None,
                broken: why.to_owned(),
            },
            Err(broken) => Self {
                attnums,
                compiled: None,
                broken,
            },
        }
    }

    pub fn attnums(&self) -> Vec<i16> {
        self.attnums.clone()
    }

    /// Whether the condition holds for the row in a slot; NULL is not true.
    pub fn holds(&self, slot: *mut pg_sys::TupleTableSlot) -> Outcome {
        let Some(compiled) = &self.compiled else {
            return Outcome::Failed(self.broken.clone());
        };
        let result = if compiled.can_fail {
            attempt(|| compiled.evaluate(slot))
        } else {
            Ok(compiled.evaluate(slot))
        };
        match result {
            Ok(true) => Outcome::True,
            Ok(false) => Outcome::NotTrue,
            Err(why) => Outcome::Failed(why),
        }
    }
}

impl Compiled {
    fn new(
        table: pg_sys::Oid,
        name: &str,
        sql: &str,
        columns: &Reads,
    ) -> Result<Self, &'static str> {
        let context = Context::of_session(c"affiliate condition");
        let (expression, econtext, can_fail) = context.with(|| unsafe {
            let expression = parse(table, name, sql, columns)?;
            let expression = pg_sys::expression_planner(expression.cast());
            let can_fail = pg_sys::contain_leaked_vars(expression.cast());
            let state = pg_sys::ExecInitExpr(expression, std::ptr::null_mut());
            Ok::<_, &'static str>((state, pg_sys::CreateStandaloneExprContext(), can_fail))
        })?;
        Ok(Self {
            context: Some(context),
            expression,
            econtext,
            can_fail,
        })
    }

    fn evaluate(&self, slot: *mut pg_sys::TupleTableSlot) -> bool {
        unsafe {
            let econtext = self.econtext;
            pg_sys::MemoryContextReset((*econtext).ecxt_per_tuple_memory);
            (*econtext).ecxt_scantuple = slot;
            let previous = pg_sys::CurrentMemoryContext;
            pg_sys::CurrentMemoryContext = (*econtext).ecxt_per_tuple_memory;
            let mut is_null = true;
            let result = (*self.expression).evalfunc.map(|evaluate| {
                pg_sys::ffi::pg_guard_ffi_boundary(|| {
                    evaluate(self.expression, econtext, &mut is_null)
                })
            });
            pg_sys::CurrentMemoryContext = previous;
            !is_null && result.is_some_and(|datum| datum.value() != 0)
        }
    }
}

impl Drop for Compiled {
    fn drop(&mut self) {
        if let Some(context) = self.context.take() {
            context.delete();
        }
    }
}

/// Checks a condition for a table and returns the columns it reads. Errors if it is none.
pub fn check(table: pg_sys::Oid, sql: &str) -> Reads {
    let refuse = |why: String| -> ! {
        let sql = sql.to_owned();
        Problem::UnusableCondition { sql, why }.raise()
    };
    // what the parser objects to is said as our own error, with a remedy
    let name = unsafe { CStr::from_ptr(pg_sys::get_rel_name(table)) }.to_string_lossy();
    let parsed = attempt(|| unsafe { parse(table, &name, sql, &Vec::new()) });
    let expression = match parsed {
        Ok(Ok(expression)) => expression,
        Ok(Err(why)) => refuse(why.to_owned()),
        Err(why) => refuse(why),
    };
    unsafe {
        if uses_foreign_code(expression) {
            refuse(
                "it uses a function, operator or domain that is not the server's own".to_owned(),
            );
        }
        if pg_sys::contain_mutable_functions(expression) {
            refuse("it uses a function that is not immutable".to_owned());
        }
        let mut members = std::ptr::null_mut();
        pg_sys::pull_varattnos(expression, 1, &mut members);
        let mut reads = Reads::new();
        let mut member = -1;
        loop {
            member = pg_sys::bms_next_member(members, member);
            if member < 0 {
                return reads;
            }
            let attnum = (member + pg_sys::FirstLowInvalidHeapAttributeNumber) as i16;
            if attnum <= 0 {
                refuse("it uses the whole row or a system column".to_owned());
            }
            let name = pg_sys::get_attname(table, attnum, false);
            reads.push((CStr::from_ptr(name).to_string_lossy().into_owned(), attnum));
        }
    }
}

/// Whether an expression calls anything that was not there before the first user's object.
/// The functions are found in the printed tree, which names every one of them.
unsafe fn uses_foreign_code(expression: *mut pg_sys::Node) -> bool {
    let printed =
        unsafe { CStr::from_ptr(pg_sys::nodeToString(expression.cast())) }.to_string_lossy();
    let mut words = printed.split_ascii_whitespace();
    while let Some(word) = words.next() {
        let is_foreign = match word {
            "{COERCETODOMAIN" => true,
            ":funcid" | ":opfuncid" | ":opno" | ":hashfuncid" | ":negfuncid" => {
                words.next().is_some_and(is_user_oid)
            }
            ":opnos" => {
                // a list in parentheses, whose last word has the closing one at its end
                let end = words.clone().position(|word| word.ends_with(')'));
                words
                    .by_ref()
                    .take(end.map_or(0, |end| end + 1))
                    .any(is_user_oid)
            }
            _ => false,
        };
        if is_foreign {
            return true;
        }
    }
    false
}

fn is_user_oid(word: &str) -> bool {
    word.trim_end_matches([')', '}'])
        .parse::<u32>()
        .is_ok_and(|oid| oid >= pg_sys::FirstNormalObjectId)
}

/// Parses a condition over a table that is called `name` and whose columns have the names in
/// `renamed` where it has them.
unsafe fn parse(
    table: pg_sys::Oid,
    name: &str,
    sql: &str,
    renamed: &Reads,
) -> Result<*mut pg_sys::Node, &'static str> {
    const NOT_ONE: &str = "it is not one expression";
    unsafe {
        let source = CString::new(format!("SELECT ({sql}\n)")).unwrap_or_default();
        let statements =
            pg_sys::raw_parser(source.as_ptr(), pg_sys::RawParseMode::RAW_PARSE_DEFAULT);
        if statements.is_null() || (*statements).length != 1 {
            return Err(NOT_ONE);
        }
        let raw = first(statements).cast::<pg_sys::RawStmt>();
        let select = (*raw).stmt.cast::<pg_sys::SelectStmt>();
        let is_plain = (*select).type_ == pg_sys::NodeTag::T_SelectStmt
            && (*select).op == pg_sys::SetOperation::SETOP_NONE
            && !(*select).targetList.is_null()
            && (*(*select).targetList).length == 1
            && (*select).fromClause.is_null()
            && (*select).whereClause.is_null()
            && (*select).groupClause.is_null()
            && (*select).havingClause.is_null()
            && (*select).windowClause.is_null()
            && (*select).sortClause.is_null()
            && (*select).limitCount.is_null()
            && (*select).limitOffset.is_null()
            && (*select).lockingClause.is_null()
            && (*select).withClause.is_null();
        if !is_plain {
            return Err(NOT_ONE);
        }
        let target = first((*select).targetList).cast::<pg_sys::ResTarget>();

        let relation = pg_sys::relation_open(table, pg_sys::AccessShareLock as _);
        let state = pg_sys::make_parsestate(std::ptr::null_mut());
        (*state).p_sourcetext = source.as_ptr();
        let name = CString::new(name).unwrap_or_default();
        let alias = pg_sys::makeAlias(name.as_ptr(), column_names(relation, renamed));
        let item = pg_sys::addRangeTableEntryForRelation(
            state,
            relation,
            pg_sys::AccessShareLock as _,
            alias,
            false,
            true,
        );
        pg_sys::addNSItemToQuery(state, item, true, true, true);
        let expression = pg_sys::transformExpr(
            state,
            (*target).val,
            pg_sys::ParseExprKind::EXPR_KIND_TRIGGER_WHEN,
        );
        let expression = pg_sys::coerce_to_boolean(state, expression, c"paid_when".as_ptr());
        pg_sys::assign_expr_collations(state, expression);
        pg_sys::relation_close(relation, pg_sys::AccessShareLock as _);
        Ok(expression)
    }
}

/// A name for every attribute of the table that is not dropped, in order.
unsafe fn column_names(relation: pg_sys::Relation, renamed: &Reads) -> *mut pg_sys::List {
    unsafe {
        let descriptor =
            PgTupleDesc::from_pg_is_copy(pg_sys::CreateTupleDescCopy((*relation).rd_att));
        let mut names: *mut pg_sys::List = std::ptr::null_mut();
        for attribute in descriptor
            .iter()
            .filter(|attribute| !attribute.attisdropped)
        {
            let known = renamed
                .iter()
                .find(|(_, number)| *number == attribute.attnum);
            // a name that the condition was not written for must not hide one that it was
            let is_taken = renamed.iter().any(|(name, _)| name == attribute.name());
            let name = match known {
                Some((name, _)) => name.as_str(),
                None if is_taken => "",
                None => attribute.name(),
            };
            let name = CString::new(name).unwrap_or_default();
            let value = pg_sys::makeString(pg_sys::pstrdup(name.as_ptr()));
            names = pg_sys::lappend(names, value.cast());
        }
        names
    }
}

unsafe fn first(list: *mut pg_sys::List) -> *mut std::ffi::c_void {
    unsafe { (*(*list).elements).ptr_value }
}

/// Runs `body`; if it fails, the message of the error comes back.
fn attempt<T>(body: impl FnOnce() -> T + std::panic::UnwindSafe) -> Result<T, String> {
    // a canceled statement is not the row's fault
    let may_catch = |failure: &Failure| failure.code != PgSqlErrorCode::ERRCODE_QUERY_CANCELED;
    subtransaction::catch(may_catch, body).map_err(|failure| failure.message)
}

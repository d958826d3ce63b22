//! `paid_when`: an SQL condition over the row that says whether it is paid.
//!
//! It may use the row's columns, constants, and immutable functions and operators of the
//! server itself, over types of the server's and enums, so it can neither depend on anything but
//! the row nor run anybody's code, whoever's rights it is evaluated with. It is parsed once per
//! session and table, with the names that its columns had when it was written, and then checked
//! again: names may stand for other things by now. Parsing and planning evaluate constants, so they
//! run as the owner of the table.

use std::ffi::{CStr, CString};

use pgrx::{PgTupleDesc, pg_sys};

use crate::bindings::moments;
use crate::server::error::Problem;
use crate::server::majors;
use crate::server::memory::Context;
use crate::server::names::type_name;
use crate::server::rights::{as_table_owner_parsing, with_same_settings};
use crate::server::subtransaction::in_subtransaction;
use crate::server::text::is_of_server;

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
    /// It makes texts of values, or values of texts, which immutable functions too do as the
    /// session's settings say (`bytea`, `interval`, floating point).
    depends_on_settings: bool,
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
        let context = Context::of_session(c"affiliate condition");
        let compile = || context.with(|| compile(table, name, &sql, &columns));
        let compiled = in_subtransaction(|| as_table_owner_parsing(table, compile));
        match compiled.and_then(|compiled| compiled) {
            Ok(compiled) => Self {
                attnums,
                compiled: Some(Compiled {
                    context: Some(context),
                    ..compiled
                }),
                broken: String::new(),
            },
            Err(broken) => {
                context.delete();
                Self {
                    attnums,
                    compiled: None,
                    broken,
                }
            }
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
        let evaluate = || {
            if compiled.depends_on_settings {
                with_same_settings(|| compiled.evaluate(slot))
            } else {
                compiled.evaluate(slot)
            }
        };
        let result = if compiled.can_fail {
            in_subtransaction(evaluate)
        } else {
            Ok(evaluate())
        };
        match result {
            Ok(true) => Outcome::True,
            Ok(false) => Outcome::NotTrue,
            Err(why) => Outcome::Failed(why),
        }
    }
}

impl Compiled {
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

/// Parses, checks and prepares a condition in the current memory context.
fn compile(table: pg_sys::Oid, name: &str, sql: &str, columns: &Reads) -> Result<Compiled, String> {
    // SAFETY: the nodes are those of the parser, over a table whose lock the caller holds.
    unsafe {
        let expression = parse(table, name, sql, columns)?;
        refuse_unsafe(expression)?;
        let expression = pg_sys::expression_planner(expression.cast());
        let printed = CStr::from_ptr(pg_sys::nodeToString(expression.cast()));
        let depends_on_settings = printed.to_string_lossy().contains("{COERCEVIAIO");
        Ok(Compiled {
            context: None,
            can_fail: pg_sys::contain_leaked_vars(expression.cast()),
            expression: pg_sys::ExecInitExpr(expression, std::ptr::null_mut()),
            econtext: pg_sys::CreateStandaloneExprContext(),
            depends_on_settings,
        })
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
    let parse =
        || as_table_owner_parsing(table, || unsafe { parse(table, &name, sql, &Vec::new()) });
    let parsed = in_subtransaction(parse).and_then(|parsed| parsed);
    let expression = parsed.unwrap_or_else(|why| refuse(why));
    let reads = reads(table, expression).unwrap_or_else(|why| refuse(why));
    if let Err(why) = unsafe { refuse_unsafe(expression) } {
        refuse(why);
    }
    reads
}

/// The columns that an expression over a table reads.
fn reads(table: pg_sys::Oid, expression: *mut pg_sys::Node) -> Result<Reads, String> {
    // SAFETY: the expression is a tree of the parser over this table
    unsafe {
        let mut members = std::ptr::null_mut();
        pg_sys::pull_varattnos(expression, 1, &mut members);
        let mut reads = Reads::new();
        let mut member = -1;
        loop {
            member = pg_sys::bms_next_member(members, member);
            if member < 0 {
                return Ok(reads);
            }
            let attnum = (member + pg_sys::FirstLowInvalidHeapAttributeNumber) as i16;
            if attnum <= 0 {
                return Err("it uses the whole row or a system column".to_owned());
            }
            let name = pg_sys::get_attname(table, attnum, false);
            let name = CStr::from_ptr(name).to_string_lossy().into_owned();
            if majors::is_virtual(table, attnum) {
                return Err(format!(
                    "it uses the column \"{name}\", which is not stored"
                ));
            }
            reads.push((name, attnum));
        }
    }
}

/// Refuses an expression that could run anybody's code, or depend on more than the row.
unsafe fn refuse_unsafe(expression: *mut pg_sys::Node) -> Result<(), String> {
    unsafe {
        if let Some(oid) = foreign_object(expression) {
            return Err(match type_text(oid) {
                Some(name) => format!("it uses the type {name}, which is not the server's own"),
                None => {
                    "it uses a function, operator or domain that is not the server's own".to_owned()
                }
            });
        }
        if pg_sys::contain_mutable_functions(expression) {
            return Err("it uses a function that is not immutable".to_owned());
        }
    }
    Ok(())
}

/// The first object in an expression that was made after the server was and may bring code along.
/// Found in the printed tree, which names everything: any number from the first user's object on
/// counts, unless the field that it stands in is known to hold something else. So a field that a
/// new version adds is suspected.
unsafe fn foreign_object(expression: *mut pg_sys::Node) -> Option<pg_sys::Oid> {
    // SAFETY: the expression is a tree of the parser; the text is a C string
    let printed =
        unsafe { CStr::from_ptr(pg_sys::nodeToString(expression.cast())) }.to_string_lossy();
    let mut field = "";
    for word in printed.split_ascii_whitespace() {
        if word.starts_with(':') {
            field = word;
            continue;
        }
        if word.starts_with("{COERCETODOMAIN") {
            // its checks are whatever the domain has, also one of the server's
            return Some(pg_sys::InvalidOid);
        }
        let holds_no_object = field == ":location"
            || field == ":constlen"
            || field.ends_with("typmod")
            || field.contains("collid");
        let digits = word.trim_matches(['(', ')', '{', '}']);
        let Ok(number) = digits.parse::<u32>() else {
            continue;
        };
        let oid = pg_sys::Oid::from(number);
        if holds_no_object || is_of_server(oid) || is_harmless(field, oid) {
            continue;
        }
        return Some(oid);
    }
    None
}

/// Enums are read and compared by the server's functions, and so are arrays of them. A column of a
/// domain is read as a value of the type below it.
fn is_harmless(field: &str, oid: pg_sys::Oid) -> bool {
    // SAFETY: all of these read the catalog of types
    unsafe {
        let base = match field {
            ":vartype" => pg_sys::getBaseType(oid),
            _ => oid,
        };
        let element = pg_sys::get_element_type(base);
        let plain = if element == pg_sys::InvalidOid {
            base
        } else {
            element
        };
        is_of_server(plain) || pg_sys::type_is_enum(plain)
    }
}

/// The name of a type; `None` if no type has this OID.
fn type_text(oid: pg_sys::Oid) -> Option<String> {
    // SAFETY: reads the catalog of types
    let is_type = unsafe { pg_sys::get_typtype(oid) } != 0;
    is_type.then(|| type_name(oid))
}

/// Parses a condition over a table that is called `name` and whose columns have the names in
/// `renamed` where it has them.
unsafe fn parse(
    table: pg_sys::Oid,
    name: &str,
    sql: &str,
    renamed: &Reads,
) -> Result<*mut pg_sys::Node, String> {
    let not_one = || Err("it is not one expression".to_owned());
    unsafe {
        let source = CString::new(format!("SELECT ({sql}\n)")).unwrap_or_default();
        let statements =
            pg_sys::raw_parser(source.as_ptr(), pg_sys::RawParseMode::RAW_PARSE_DEFAULT);
        if statements.is_null() || (*statements).length != 1 {
            return not_one();
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
            return not_one();
        }
        let target = first((*select).targetList).cast::<pg_sys::ResTarget>();
        let moving = moments::word((*target).val);

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
        if let Some(word) = moving.filter(|_| moments::has_times(expression)) {
            return Err(format!(
                "it has '{word}', which is the moment at which it is read"
            ));
        }
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

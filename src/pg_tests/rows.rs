//! Reading the results of statements: what is not there or not as it must be is an error that
//! names it.

use pgrx::prelude::*;

#[pg_schema]
mod tests {
    use std::panic::AssertUnwindSafe;
    use std::sync::Mutex;

    use pgrx::pg_sys::panic::CaughtError;
    use pgrx::prelude::*;

    use rust_decimal::Decimal;

    use crate::rules::refund::Kind;
    use crate::server::rows::{Row, Rows};
    use crate::server::spi::{self, Sees};
    use crate::server::subtransaction::catch;

    const RESULT: &str = "
        SELECT 7 AS number, 8::int8 AS large, 1.50 AS amount, 'NaN'::numeric AS no_number, NULL::int4 AS nothing, NULL::text AS no_text, 'x'::text AS letter, 'y'::varchar AS short,
            'dispute'::text AS kind, ARRAY[1, 2] AS list, ARRAY[1, NULL] AS holes, 'pg_class'::regclass AS \"table\"";

    fn read<T>(sql: &str, body: impl FnOnce(&Rows) -> T) -> T {
        spi::connect(|connection| body(&connection.run_once(sql, Sees::Now, &[])))
    }

    /// The SQLSTATE and the DETAIL of the error that reading a row raises.
    fn refusal(body: impl Fn(Row)) -> (PgSqlErrorCode, String) {
        refusal_of(RESULT, |rows| body(rows.only()))
    }

    fn refusal_of(sql: &str, body: impl Fn(&Rows)) -> (PgSqlErrorCode, String) {
        let detail = Mutex::new(String::new());
        let note = |error: CaughtError| {
            if let CaughtError::PostgresError(report) | CaughtError::ErrorReport(report) = &error {
                let text = report.detail().unwrap_or_default();
                text.clone_into(&mut detail.lock().expect("nobody else"));
            }
            error.rethrow()
        };
        let body = AssertUnwindSafe(|| read(sql, &body));
        let failed = catch(
            |_| true,
            AssertUnwindSafe(|| PgTryBuilder::new(body).catch_others(note).execute()),
        );
        let code = failed.expect_err("an error").code;
        (code, detail.into_inner().expect("nobody else"))
    }

    fn of_other_make(detail: &str) -> (PgSqlErrorCode, String) {
        let code = PgSqlErrorCode::ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE;
        (code, detail.to_owned())
    }

    #[pg_test]
    fn values_are_read_by_the_names_of_their_columns() {
        read(RESULT, |rows| {
            let row = rows.only();
            assert_eq!(row.required::<i32>("number"), 7);
            assert_eq!(row.get::<i64>("large"), Some(8));
            assert_eq!(row.get::<i32>("nothing"), None);
            assert_eq!(row.required::<String>("letter"), "x");
            // laid out alike
            assert_eq!(row.required::<String>("short"), "y");
            assert_eq!(
                row.required::<pg_sys::Oid>("table"),
                pg_sys::RelationRelationId
            );
            assert_eq!(row.word::<Kind>("kind"), Kind::Dispute);
            assert_eq!(row.array::<i32>("list"), [1, 2]);
            assert_eq!(
                row.get::<Vec<Option<i32>>>("holes"),
                Some(vec![Some(1), None])
            );
            assert_eq!(row.decimal("amount"), Decimal::new(150, 2));
            assert_eq!(rows.places("large").collect::<Vec<_>>(), [7]);
        });
    }

    #[pg_test]
    fn a_column_is_read_in_every_row() {
        let sql = "SELECT n FROM generate_series(3, 5) n";
        let numbers = |rows: &Rows| rows.values::<i32>("n").collect::<Vec<_>>();
        assert_eq!(read(sql, numbers), [3, 4, 5]);
        assert!(read("SELECT 1 AS n WHERE false", numbers).is_empty());
        // what returns nothing but a count has no rows to read
        let changed = "CREATE TEMPORARY TABLE changed AS SELECT 1 AS n";
        read(changed, |rows| assert!(rows.first().is_none()));
    }

    fn refuses(body: impl Fn(Row), column: &str, what: &str) {
        let detail = format!("The column \"{column}\" of a result {what}.");
        assert_eq!(refusal(body), of_other_make(&detail));
    }

    #[pg_test]
    fn a_column_that_is_not_there_is_an_error() {
        for name in ["missing", "Number", "tableoid", ""] {
            let read = |row: Row| drop(row.get::<String>(name));
            refuses(read, name, "is not there");
        }
    }

    #[pg_test]
    fn a_column_of_another_type_is_an_error() {
        let number = |row: Row| drop(row.get::<Vec<Option<i64>>>("number"));
        refuses(number, "number", "has type integer, not bigint[]");
        let number = |row: Row| drop(row.get::<i64>("number").map(Box::new));
        refuses(number, "number", "has type integer, not bigint");
        let large = |row: Row| drop(row.get::<i32>("large").map(Box::new));
        refuses(large, "large", "has type bigint, not integer");
        let letter = |row: Row| drop(row.get::<bool>("letter").map(Box::new));
        refuses(letter, "letter", "has type text, not boolean");
        let list = |row: Row| drop(row.array::<i64>("list"));
        refuses(list, "list", "has type integer[], not bigint[]");
        let decimal = |row: Row| drop(row.decimal("number").to_string());
        refuses(decimal, "number", "has type integer, not numeric");
    }

    #[pg_test]
    fn a_value_that_must_be_there_is_an_error_where_it_is_not() {
        let nothing = |row: Row| drop(row.required::<String>("no_text"));
        refuses(nothing, "no_text", "is NULL");
        let holes = |row: Row| drop(row.array::<i32>("holes"));
        refuses(holes, "holes", "has an element that is NULL");
        let word = |row: Row| drop(row.word::<Kind>("letter").to_string());
        refuses(word, "letter", "is \"x\"");
        let decimal = |row: Row| drop(row.decimal("no_number").to_string());
        refuses(decimal, "no_number", "is out of range");
    }

    #[pg_test]
    fn a_place_is_a_number_from_one_up() {
        let place = |rows: &Rows| rows.places("n").for_each(drop);
        assert_eq!(
            refusal_of("SELECT 0::int8 AS n", place),
            of_other_make("The column \"n\" of a result is 0.")
        );
    }

    #[pg_test]
    fn a_statement_that_returns_one_row_must_do_so() {
        let only = |rows: &Rows| {
            rows.only().get::<i32>("n");
        };
        for (sql, detail) in [
            (
                "SELECT 1 AS n WHERE false",
                "A statement that returns one row returned 0.",
            ),
            (
                "SELECT n FROM generate_series(1, 2) n",
                "A statement that returns one row returned 2.",
            ),
        ] {
            assert_eq!(refusal_of(sql, only), of_other_make(detail));
        }
    }

    #[pg_test]
    fn a_null_among_values_is_an_error() {
        let values = |rows: &Rows| {
            rows.values::<i32>("n").for_each(drop);
        };
        let sql = "SELECT nullif(n, 2) AS n FROM generate_series(1, 3) n";
        assert_eq!(
            refusal_of(sql, values),
            of_other_make("The column \"n\" of a result is NULL.")
        );
    }
}

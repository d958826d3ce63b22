//! The rows that a statement returned. Values are read by the names of their columns, and what is
//! not there or not of the type that it is read as is an error: never a default, which might be an
//! amount.

use std::ffi::{CStr, CString};
use std::marker::PhantomData;

use pgrx::{FromDatum, IntoDatum, pg_sys};
use rust_decimal::Decimal;
use smallvec::SmallVec;

use crate::rules::words::Word;
use crate::server::error::Problem;
use crate::server::numeric;

/// The rows of a statement, until the connection ends.
pub struct Rows {
    table: *mut pg_sys::SPITupleTable,
    processed: u64,
}

impl Rows {
    /// What the statement that has just been run by SPI returned.
    pub(super) fn of_last_statement() -> Self {
        // SAFETY: SPI keeps both for its caller, and the table until the connection ends
        unsafe {
            Self {
                table: pg_sys::SPI_tuptable,
                processed: pg_sys::SPI_processed,
            }
        }
    }

    /// How many rows the statement returned or changed.
    pub fn len(&self) -> usize {
        self.processed as usize
    }

    pub fn is_empty(&self) -> bool {
        self.processed == 0
    }

    pub fn iter(&self) -> impl Iterator<Item = Row<'_>> {
        (0..self.len()).filter_map(|row| self.tuple(row).map(|tuple| Row { rows: self, tuple }))
    }

    pub fn first(&self) -> Option<Row<'_>> {
        self.iter().next()
    }

    /// The row of a statement that always returns one.
    pub fn only(&self) -> Row<'_> {
        match self.first() {
            Some(row) if self.len() == 1 => row,
            _ => Problem::NotAsInstalled {
                object: "A statement that returns one row".to_owned(),
                what: format!("returned {}", self.len()),
            }
            .raise(),
        }
    }

    /// A column of every row; it is never NULL.
    pub fn values<'a, T: FromDatum + IntoDatum + 'a>(
        &'a self,
        name: &'a str,
    ) -> impl Iterator<Item = T> + 'a {
        let column = (!self.is_empty()).then(|| self.column::<T>(name));
        column
            .into_iter()
            .flat_map(|column| self.iter().map(move |row| row.at(&column)))
    }

    /// A column of places in a list, counted from 0, where SQL counts from 1.
    pub fn places<'a>(&'a self, name: &'a str) -> impl Iterator<Item = usize> + 'a {
        self.values::<i64>(name).map(move |number| {
            let place = usize::try_from(number).ok().and_then(|n| n.checked_sub(1));
            place.unwrap_or_else(|| unreadable(name, format!("is {number}")))
        })
    }

    /// A column, to be looked up once for many rows.
    pub fn column<'a, T: FromDatum + IntoDatum>(&self, name: &'a str) -> Column<'a, T> {
        let (number, type_oid) = self.find(name);
        if !is_read_as(type_oid, T::type_oid()) {
            of_other_type(name, type_oid, T::type_oid());
        }
        Column {
            name,
            number,
            value: PhantomData,
        }
    }

    /// The number and the type of a column.
    fn find(&self, name: &str) -> (i32, pg_sys::Oid) {
        let Ok(c_name) = CString::new(name) else {
            unreadable(name, "is not there".to_owned());
        };
        if self.table.is_null() {
            unreadable(name, "is not there".to_owned());
        }
        // SAFETY: the table is SPI's, and not freed while this is borrowed
        unsafe {
            let descriptor = (*self.table).tupdesc;
            let number = pg_sys::SPI_fnumber(descriptor, c_name.as_ptr());
            if number <= 0 {
                unreadable(name, "is not there".to_owned());
            }
            (number, pg_sys::SPI_gettypeid(descriptor, number))
        }
    }

    /// A row as it is.
    pub fn tuple(&self, row: usize) -> Option<pg_sys::HeapTuple> {
        // SAFETY: the table has as many tuples as the statement returned rows
        (!self.table.is_null() && row < self.len()).then(|| unsafe { *(*self.table).vals.add(row) })
    }

    /// The first row as a composite datum that outlives the connection.
    pub fn into_composite(self) -> Option<pg_sys::Datum> {
        let tuple = self.tuple(0)?;
        // SAFETY: the tuple is one of the table's
        let copy = unsafe { pg_sys::SPI_returntuple(tuple, (*self.table).tupdesc) };
        Some(pg_sys::Datum::from(copy))
    }

    /// Frees the rows before the connection ends.
    pub fn free(self) {
        // SAFETY: nothing borrows the rows any more
        unsafe {
            if !self.table.is_null() {
                pg_sys::SPI_freetuptable(self.table);
            }
        }
    }
}

/// The values of one row, and which of them are NULL.
#[derive(Default)]
pub struct Datums {
    values: SmallVec<[pg_sys::Datum; 8]>,
    nulls: SmallVec<[bool; 8]>,
}

impl Datums {
    pub fn iter(&self) -> impl Iterator<Item = (pg_sys::Datum, bool)> {
        self.values.iter().copied().zip(self.nulls.iter().copied())
    }
}

/// A column of a result, whose type is what it is read as.
pub struct Column<'a, T> {
    name: &'a str,
    number: i32,
    value: PhantomData<T>,
}

#[derive(Clone, Copy)]
pub struct Row<'a> {
    rows: &'a Rows,
    tuple: pg_sys::HeapTuple,
}

impl Row<'_> {
    /// The value of a column in which NULL means something.
    pub fn get<T: FromDatum + IntoDatum>(self, name: &str) -> Option<T> {
        self.read(&self.rows.column::<T>(name))
    }

    /// The value of a column that is never NULL.
    pub fn required<T: FromDatum + IntoDatum>(self, name: &str) -> T {
        self.at(&self.rows.column::<T>(name))
    }

    /// The same where the column has been looked up before.
    pub fn at<T: FromDatum + IntoDatum>(self, column: &Column<T>) -> T {
        let value = self.read(column);
        value.unwrap_or_else(|| unreadable(column.name, "is NULL".to_owned()))
    }

    /// An array that is never NULL, nor any element of it.
    pub fn array<T>(self, name: &str) -> Vec<T>
    where
        T: IntoDatum,
        Vec<Option<T>>: FromDatum,
    {
        let values: Vec<Option<T>> = self.required(name);
        let not_null = |value: Option<T>| {
            value.unwrap_or_else(|| unreadable(name, "has an element that is NULL".to_owned()))
        };
        values.into_iter().map(not_null).collect()
    }

    /// A word of a closed set.
    pub fn word<W: Word>(self, name: &str) -> W {
        let word = self.optional_word(name);
        word.unwrap_or_else(|| unreadable(name, "is NULL".to_owned()))
    }

    /// The same where NULL means something.
    pub fn optional_word<W: Word>(self, name: &str) -> Option<W> {
        self.get::<String>(name).map(|word| {
            W::parse(&word).unwrap_or_else(|| unreadable(name, format!("is \"{word}\"")))
        })
    }

    /// A number that is never NULL and fits a decimal.
    pub fn decimal(self, name: &str) -> Decimal {
        let (number, type_oid) = self.rows.find(name);
        if type_oid != pg_sys::NUMERICOID {
            of_other_type(name, type_oid, pg_sys::NUMERICOID);
        }
        // SAFETY: the tuple is one of the table's, and the value a numeric
        let decoded = unsafe {
            match binary_value(self.rows.table, self.tuple, number) {
                (_, true) => unreadable(name, "is NULL".to_owned()),
                (datum, false) => numeric::decode(datum),
            }
        };
        decoded.unwrap_or_else(|_| unreadable(name, "is out of range".to_owned()))
    }

    /// The value of a column as it is; `None` if it is NULL.
    pub fn datum(self, name: &str) -> Option<pg_sys::Datum> {
        let (number, _) = self.rows.find(name);
        // SAFETY: the tuple is one of the table's
        let (datum, is_null) = unsafe { binary_value(self.rows.table, self.tuple, number) };
        (!is_null).then_some(datum)
    }

    /// All values of the row in the order of its columns, taken apart at once: for statements that
    /// make a column of their result for each attribute of a table.
    pub fn datums(self) -> Datums {
        let mut datums = Datums::default();
        // SAFETY: the descriptor is that of the rows, and there is a place for each of its columns
        unsafe {
            let descriptor = (*self.rows.table).tupdesc;
            let count = (*descriptor).natts as usize;
            datums.values.resize(count, pg_sys::Datum::null());
            datums.nulls.resize(count, true);
            pg_sys::heap_deform_tuple(
                self.tuple,
                descriptor,
                datums.values.as_mut_ptr(),
                datums.nulls.as_mut_ptr(),
            );
        }
        datums
    }

    fn read<T: FromDatum + IntoDatum>(self, column: &Column<T>) -> Option<T> {
        // SAFETY: the tuple is one of the table's, and the type of its column that of the value
        unsafe {
            let (datum, is_null) = binary_value(self.rows.table, self.tuple, column.number);
            T::from_datum(datum, is_null)
        }
    }
}

/// # Safety
/// The tuple must be one of the table's.
unsafe fn binary_value(
    table: *mut pg_sys::SPITupleTable,
    tuple: pg_sys::HeapTuple,
    number: i32,
) -> (pg_sys::Datum, bool) {
    let mut is_null = true;
    // SAFETY: as for the caller
    let datum = unsafe { pg_sys::SPI_getbinval(tuple, (*table).tupdesc, number, &mut is_null) };
    (datum, is_null)
}

/// Whether values of a type are laid out as those of another one.
fn is_read_as(type_oid: pg_sys::Oid, wanted: pg_sys::Oid) -> bool {
    // SAFETY: it looks into the catalog alone
    type_oid == wanted || unsafe { pg_sys::IsBinaryCoercible(type_oid, wanted) }
}

fn of_other_type(column: &str, type_oid: pg_sys::Oid, wanted: pg_sys::Oid) -> ! {
    let name = |type_oid| {
        // SAFETY: the name is a C string in memory of the caller's context
        let name = unsafe { CStr::from_ptr(pg_sys::format_type_be(type_oid)) };
        name.to_string_lossy().into_owned()
    };
    let what = format!("has type {}, not {}", name(type_oid), name(wanted));
    unreadable(column, what)
}

fn unreadable(column: &str, what: String) -> ! {
    Problem::NotAsInstalled {
        object: format!("The column \"{column}\" of a result"),
        what,
    }
    .raise()
}

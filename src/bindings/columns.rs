//! Columns of the host's tables: found by number or name, with what is known of their types.

use pgrx::{PgTupleDesc, pg_sys};

use crate::server::majors;
use crate::server::names::type_name_with;
use crate::server::slot::Slot;
use crate::server::spi::{self, Sees};
use crate::server::text::{ToText, attribute};

/// A column of the host and how its values become text.
#[derive(Clone, Copy, Debug)]
pub struct Column {
    pub attnum: i16,
    /// Of a domain, the type below it.
    pub type_oid: pg_sys::Oid,
    pub typmod: i32,
    pub collation: pg_sys::Oid,
    pub to_text: ToText,
}

impl Column {
    /// Whether values that the column's equality takes for the same have the same text. They do
    /// not where it ignores case, trailing zeros or units: then one payment has several spellings.
    pub fn has_one_spelling(&self) -> bool {
        match self.type_oid {
            pg_sys::TEXTOID | pg_sys::VARCHAROID | pg_sys::BPCHAROID => unsafe {
                // SAFETY: reads the catalog of collations
                pg_sys::get_collation_isdeterministic(self.collation)
            },
            pg_sys::INT2OID
            | pg_sys::INT4OID
            | pg_sys::INT8OID
            | pg_sys::OIDOID
            | pg_sys::UUIDOID
            | pg_sys::DATEOID
            | pg_sys::TIMEOID
            | pg_sys::TIMESTAMPOID
            | pg_sys::TIMESTAMPTZOID
            | pg_sys::BYTEAOID
            | pg_sys::INETOID
            | pg_sys::MACADDROID => true,
            // SAFETY: reads the catalog of types
            other => unsafe { pg_sys::type_is_enum(other) },
        }
    }

    /// Whether values of both columns that mean the same payment have the same text, or are
    /// found by the equality of the other one.
    pub fn spells_like(&self, other: &Self) -> bool {
        let is_text = |column: &Self| {
            matches!(column.to_text, ToText::Text | ToText::Padded) && column.has_one_spelling()
        };
        // a text may have blanks at its end, which a char(n) has not, and another equality
        let may_end_in_blanks = |column: &Self| matches!(column.to_text, ToText::Text);
        let are_texts = is_text(self) && is_text(other);
        self.to_text.is_integer() && other.to_text.is_integer()
            || are_texts && (may_end_in_blanks(other) || !may_end_in_blanks(self))
            || self.type_oid == other.type_oid
                && (self.collation == other.collation
                    || self.has_one_spelling() && other.has_one_spelling())
    }

    /// The type as SQL, with what of its modifier decides on the text of a value. That of
    /// `varchar(n)` would cut a text down to another one.
    pub fn type_sql(&self) -> String {
        let typmod = match self.type_oid {
            pg_sys::NUMERICOID
            | pg_sys::TIMEOID
            | pg_sys::TIMESTAMPOID
            | pg_sys::TIMESTAMPTZOID
            | pg_sys::INTERVALOID => self.typmod,
            _ => -1,
        };
        type_name_with(self.type_oid, typmod)
    }

    /// ` COLLATE` with the collation of the column, nothing where it has none.
    pub fn collation_sql(&self) -> String {
        const COLLATION: &str = "
            SELECT format(' COLLATE %I.%I', n.nspname, c.collname) AS sql
            FROM pg_collation c JOIN pg_namespace n ON n.oid = c.collnamespace WHERE c.oid = $1";
        spi::connect(|connection| {
            let rows = connection.run(COLLATION, Sees::Now, &[self.collation.into()]);
            let sql = rows.first().map(|row| row.required("sql"));
            sql.unwrap_or_default()
        })
    }

    /// An expression of this type as the text that [`ToText`] makes of it, in the collation of our
    /// own texts.
    pub fn text_sql(&self, expression: &str) -> String {
        match self.to_text {
            // a cast of some types gives another text than their output
            ToText::Output(_) | ToText::Foreign(..) => {
                format!("format('%s', {expression}) COLLATE \"C\"")
            }
            _ => format!("({expression})::text COLLATE \"C\""),
        }
    }
}

/// A mapped column: there, never mapped, or gone since.
#[derive(Clone, Copy, Debug)]
pub enum Mapped {
    No,
    Gone,
    Yes(Column),
}

/// How a column is compared.
#[derive(Clone, Copy, Debug)]
pub struct ReadColumn {
    pub attnum: i16,
    pub by_value: bool,
    /// Bytes, -1 for a varlena.
    pub length: i16,
}

impl Mapped {
    pub fn column(&self) -> Option<Column> {
        match self {
            Self::Yes(column) => Some(*column),
            Self::No | Self::Gone => None,
        }
    }
}

/// Finds the columns of a table: by attribute number, which survives a rename, or by name,
/// which survives dump and restore. In a partition, whose attribute numbers may be others,
/// by the current name in the partitioned table.
pub struct Resolver {
    descriptor: PgTupleDesc<'static>,
    root: PgTupleDesc<'static>,
    root_oid: pg_sys::Oid,
    is_root: bool,
    attnums_hold: bool,
}

impl Resolver {
    pub fn open(table: pg_sys::Oid, root: pg_sys::Oid, attnums_hold: bool) -> Self {
        let descriptor = |relation| unsafe {
            let relation = pg_sys::relation_open(relation, pg_sys::AccessShareLock as _);
            let copy = pg_sys::CreateTupleDescCopy((*relation).rd_att);
            pg_sys::relation_close(relation, pg_sys::AccessShareLock as _);
            PgTupleDesc::from_pg_is_copy(copy)
        };
        Self {
            descriptor: descriptor(table),
            root: descriptor(root),
            root_oid: root,
            is_root: table == root,
            attnums_hold,
        }
    }

    /// Columns by their names, `None` where one is not mapped, and their attribute numbers.
    pub fn columns(&self, names: &[Option<String>], attnums: &[i16]) -> Vec<Mapped> {
        let numbers = attnums.iter().copied().chain(std::iter::repeat(0));
        names
            .iter()
            .zip(numbers)
            .map(|(name, attnum)| {
                name.as_deref()
                    .map_or(Mapped::No, |name| self.column(name, attnum))
            })
            .collect()
    }

    /// A column by its name and attribute number.
    pub fn column(&self, name: &str, attnum: i16) -> Mapped {
        let in_root = by_number(&self.root, if self.attnums_hold { attnum } else { 0 })
            .or_else(|| by_name(&self.root, name))
            .filter(|at| !self.is_virtual(*at));
        let found = match in_root {
            Some(at) if self.is_root => Some(at),
            Some(at) => self
                .root
                .get(at)
                .and_then(|a| by_name(&self.descriptor, a.name())),
            None => None,
        };
        found
            .and_then(|at| self.descriptor.get(at))
            .map_or(Mapped::Gone, |attribute| {
                let mut typmod = attribute.atttypmod;
                // SAFETY: reads the catalog of types
                let type_oid =
                    unsafe { pg_sys::getBaseTypeAndTypmod(attribute.atttypid, &mut typmod) };
                Mapped::Yes(Column {
                    attnum: attribute.attnum,
                    type_oid,
                    typmod,
                    collation: attribute.attcollation,
                    to_text: ToText::of(type_oid, self.root_oid),
                })
            })
    }

    /// Whether a column of the partitioned table, or of the table itself, is in no row: it has
    /// taken the name of one that was.
    fn is_virtual(&self, at: usize) -> bool {
        let attribute = self.root.get(at);
        attribute.is_some_and(|attribute| majors::is_virtual(self.root_oid, attribute.attnum))
    }

    pub fn read_column(&self, attnum: i16) -> Option<ReadColumn> {
        let attribute = self.descriptor.get(by_number(&self.descriptor, attnum)?)?;
        Some(ReadColumn {
            attnum,
            by_value: attribute.attbyval,
            length: attribute.attlen,
        })
    }

    /// The name in the partitioned table of a column of this one.
    pub fn root_name_of(&self, attnum: i16) -> String {
        by_number(&self.descriptor, attnum)
            .and_then(|at| self.descriptor.get(at))
            .map(|attribute| attribute.name().to_owned())
            .unwrap_or_default()
    }
}

fn by_number(descriptor: &PgTupleDesc, attnum: i16) -> Option<usize> {
    let at = usize::try_from(attnum).ok()?.checked_sub(1)?;
    descriptor
        .get(at)
        .filter(|attribute| !attribute.attisdropped)
        .map(|_| at)
}

fn by_name(descriptor: &PgTupleDesc, name: &str) -> Option<usize> {
    (0..descriptor.len()).find(|at| {
        descriptor
            .get(*at)
            .is_some_and(|a| !a.attisdropped && a.name() == name)
    })
}

/// Whether two versions of a row agree in some columns.
///
/// # Safety
/// Both slots must hold rows of the table that has the columns.
pub unsafe fn read_the_same(columns: &[ReadColumn], old: Slot, new: Slot) -> bool {
    columns.iter().all(|column| unsafe {
        let (old_datum, old_null) = attribute(old, column.attnum);
        let (new_datum, new_null) = attribute(new, column.attnum);
        old_null == new_null && (old_null || same_bytes(*column, old_datum, new_datum))
    })
}

unsafe fn same_bytes(column: ReadColumn, old: pg_sys::Datum, new: pg_sys::Datum) -> bool {
    if column.by_value {
        return old == new;
    }
    unsafe {
        if column.length > 0 {
            let bytes = |datum: pg_sys::Datum| {
                std::slice::from_raw_parts(datum.cast_mut_ptr::<u8>(), column.length as usize)
            };
            return bytes(old) == bytes(new);
        }
        let plain = |datum: pg_sys::Datum| {
            pgrx::varlena_to_byte_slice(pg_sys::pg_detoast_datum_packed(datum.cast_mut_ptr()))
        };
        plain(old) == plain(new)
    }
}

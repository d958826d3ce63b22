//! Keys as SQL writes them.

use crate::kinds::Key;

pub fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// A composite key as PostgreSQL reads a row.
pub fn row_text(columns: &[String]) -> String {
    let quoted = |text: &String| {
        let text = text.replace('\\', "\\\\").replace('"', "\"\"");
        format!("\"{text}\"")
    };
    format!(
        "({})",
        columns.iter().map(quoted).collect::<Vec<_>>().join(",")
    )
}

impl Key {
    /// The type of a column with the collation of its values, for an expression.
    pub fn typed(&self, column: usize, text: &str) -> String {
        let definition = self.columns[column].definition;
        let (type_name, collation) = match definition.split_once(" COLLATE ") {
            Some((type_name, collation)) => (type_name, format!(" COLLATE {collation}")),
            None => (definition, String::new()),
        };
        format!("(CAST({} AS {type_name}){collation})", literal(text))
    }

    pub fn typed_all(&self, spelling: &[String]) -> Vec<String> {
        let texts = spelling.iter().enumerate();
        texts.map(|(n, text)| self.typed(n, text)).collect()
    }

    pub fn where_is(&self, spelling: &[String]) -> String {
        let values = self.typed_all(spelling);
        let equal = values
            .iter()
            .enumerate()
            .map(|(n, value)| format!("k{n} = {value}"));
        equal.collect::<Vec<_>>().join(" AND ")
    }

    pub fn columns(&self, each: impl Fn(usize, &str) -> String) -> String {
        let columns = self.columns.iter().enumerate();
        let texts: Vec<String> = columns
            .map(|(n, column)| each(n, column.definition))
            .collect();
        texts.join(", ")
    }

    /// The text of the key of a row, as the ledger is to have it.
    pub fn text(&self) -> String {
        let column = |n: usize| {
            let is_padded = self.columns[n].definition.contains("char(")
                && !self.columns[n].definition.contains("varchar")
                || self.columns[n].definition == "some_padded";
            if is_padded {
                format!("k{n}::text")
            } else {
                format!("format('%s', k{n})")
            }
        };
        match self.columns.len() {
            1 => column(0),
            _ => format!("ROW({})::text", self.columns(|n, _| column(n))),
        }
    }

    /// The key as a caller passes it.
    pub fn argument(&self, spelling: &[String]) -> String {
        match spelling {
            [one] => literal(one),
            _ => literal(&row_text(spelling)),
        }
    }
}

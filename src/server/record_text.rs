//! Composite keys as text, as PostgreSQL writes a row: `(1,abc)`.

/// Writes the columns of a row. Keys are never NULL.
pub fn write(columns: &[String]) -> String {
    let mut out = String::from("(");
    for (n, column) in columns.iter().enumerate() {
        if n > 0 {
            out.push(',');
        }
        write_column(column, &mut out);
    }
    out.push(')');
    out
}

fn write_column(column: &str, out: &mut String) {
    let quote = column.is_empty()
        || column
            .chars()
            .any(|c| matches!(c, '"' | '\\' | '(' | ')' | ',') || is_space(c));
    if !quote {
        out.push_str(column);
        return;
    }
    out.push('"');
    for c in column.chars() {
        if c == '"' || c == '\\' {
            out.push(c);
        }
        out.push(c);
    }
    out.push('"');
}

// isspace() of the C locale, which is what the server asks
fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\r' | '\x0b' | '\x0c')
}

/// Reads the columns of a row; `None` if it is malformed or has a NULL column.
pub fn read(text: &str) -> Option<Vec<String>> {
    let body = text.trim().strip_prefix('(')?.strip_suffix(')')?;
    let mut columns = Vec::new();
    let mut chars = body.chars().peekable();
    loop {
        let mut column = String::new();
        let mut seen = false;
        let mut quoted = false;
        loop {
            match chars.peek() {
                None => break,
                Some(',') if !quoted => break,
                Some(_) => {}
            }
            let c = chars.next()?;
            seen = true;
            match c {
                '\\' => column.push(chars.next()?),
                '"' if quoted && chars.peek() == Some(&'"') => {
                    chars.next();
                    column.push('"');
                }
                '"' => quoted = !quoted,
                '(' | ')' if !quoted => return None,
                c => column.push(c),
            }
        }
        if quoted || !seen {
            return None;
        }
        columns.push(column);
        if chars.next().is_none() {
            return Some(columns);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn rows_look_as_postgresql_writes_them() {
        let row =
            |columns: &[&str]| write(&columns.iter().map(ToString::to_string).collect::<Vec<_>>());
        assert_eq!(row(&["1", "abc"]), "(1,abc)");
        assert_eq!(
            row(&["", "a b", "q\"\\", "(x,y)"]),
            r#"("","a b","q""\\","(x,y)")"#
        );
    }

    #[test]
    fn malformed_rows_are_refused() {
        for bad in ["", "1,2", "(1", "(1,)", "(,1)", "(\"a)", "()", "(a(b)"] {
            assert_eq!(read(bad), None, "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(columns in prop::collection::vec(any::<String>(), 1..4)) {
            prop_assert_eq!(read(&write(&columns)), Some(columns));
        }
    }
}

//! Kinds of keys: random values, and other spellings of them.

use rand::Rng;
use rand::seq::IndexedRandom;
use rand_chacha::ChaCha8Rng;

/// The key of a payments table: one column or several.
pub struct Key {
    pub name: &'static str,
    pub columns: &'static [Column],
}

pub struct Column {
    /// As in CREATE TABLE, with its collation.
    pub definition: &'static str,
    pub kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Integer,
    Numeric,
    Uuid,
    /// Only the very same text is equal.
    Exact,
    Caseless,
    Accentless,
    Padded,
    Date,
    Timestamptz,
    Timestamp,
    Time,
    Interval,
    Enum,
    Bytea,
    Inet,
    Macaddr,
    Range,
}

/// What the definitions refer to.
pub const TYPES: &str = "
    CREATE EXTENSION citext;
    CREATE TYPE channel AS ENUM ('web', 'Web', 'WEB', 'shop', '007', ' 7', 'phone', 'Phone', 'fax', 'mail');
    CREATE DOMAIN some_number AS bigint CHECK (VALUE <> 0);
    CREATE DOMAIN some_amount AS numeric;
    CREATE DOMAIN some_uuid AS uuid;
    CREATE DOMAIN some_code AS citext CHECK (VALUE <> '');
    CREATE DOMAIN narrow_code AS some_code CHECK (length(VALUE) < 100);
    CREATE DOMAIN some_padded AS char(20);
    CREATE DOMAIN some_interval AS interval;";

/// What they refer to besides, on servers with ICU.
pub const COLLATIONS: &str = "
    CREATE COLLATION caseless (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
    CREATE COLLATION accentless (provider = icu, locale = 'und-u-ks-level1', deterministic = false);
    CREATE DOMAIN some_label AS text COLLATE caseless;";

macro_rules! keys {
    ($($name:literal: $($definition:literal $kind:ident),+;)+) => {
        pub const KEYS: &[Key] = &[$(Key {
            name: $name,
            columns: &[$(Column { definition: $definition, kind: Kind::$kind }),+],
        }),+];
    };
}

keys! {
    "smallint": "smallint" Integer;
    "integer": "integer" Integer;
    "bigint": "bigint" Integer;
    "numeric": "numeric" Numeric;
    "numeric_of_scale": "numeric(12,4)" Numeric;
    "uuid": "uuid" Uuid;
    "text": "text" Exact;
    "varchar": "varchar(40)" Exact;
    "name": "name" Exact;
    "citext": "citext" Caseless;
    "caseless": "text COLLATE caseless" Caseless;
    "caseless_varchar": "varchar(40) COLLATE caseless" Caseless;
    "accentless": "text COLLATE accentless" Accentless;
    "padded": "char(20)" Padded;
    "caseless_padded": "char(20) COLLATE caseless" Caseless;
    "date": "date" Date;
    "timestamptz": "timestamptz" Timestamptz;
    "timestamptz_of_seconds": "timestamptz(0)" Timestamptz;
    "timestamp": "timestamp" Timestamp;
    "time": "time" Time;
    "interval": "interval" Interval;
    "enum": "channel" Enum;
    "bytea": "bytea" Bytea;
    "inet": "inet" Inet;
    "macaddr": "macaddr" Macaddr;
    "numrange": "numrange" Range;
    "domain_of_bigint": "some_number" Integer;
    "domain_of_numeric": "some_amount" Numeric;
    "domain_of_uuid": "some_uuid" Uuid;
    "domain_of_citext": "some_code" Caseless;
    "domain_of_domain": "narrow_code" Caseless;
    "domain_of_caseless": "some_label" Caseless;
    "domain_of_padded": "some_padded" Padded;
    "domain_of_interval": "some_interval" Interval;
    "citext_and_numeric": "citext" Caseless, "numeric" Numeric;
    "uuid_and_timestamptz": "uuid" Uuid, "timestamptz" Timestamptz;
    "padded_and_bigint": "char(8)" Padded, "bigint" Integer;
    "interval_and_caseless": "interval" Interval, "text COLLATE caseless" Caseless;
    "text_and_date_and_bytea": "text" Exact, "date" Date, "bytea" Bytea;
}

impl Key {
    /// Whether it refers to one of the collations.
    pub fn needs_icu(&self) -> bool {
        let needs_icu =
            |definition: &str| definition.contains(" COLLATE ") || definition == "some_label";
        self.columns
            .iter()
            .any(|column| needs_icu(column.definition))
    }
}

impl Column {
    /// Whether equal values may be printed as different texts, as far as the extension knows.
    pub fn may_have_many_texts(&self) -> bool {
        use Kind::{Accentless, Caseless, Interval, Numeric, Range};
        let has_many = matches!(
            self.kind,
            Numeric | Caseless | Accentless | Interval | Range
        );
        has_many || self.definition == "name"
    }
}

impl Kind {
    /// How many different values there are, if that is few.
    pub fn values(self) -> Option<usize> {
        (self == Kind::Enum).then_some(10)
    }

    /// The n-th value, in one of its spellings.
    pub fn value(self, n: usize, rng: &mut ChaCha8Rng) -> String {
        let labels = [
            "web", "Web", "WEB", "shop", "007", " 7", "phone", "Phone", "fax", "mail",
        ];
        match self {
            Kind::Integer if rng.random_bool(0.2) => format!("-{}", n + 1),
            Kind::Integer => (n + 1).to_string(),
            Kind::Numeric => {
                let zeros = "0".repeat(rng.random_range(0..4));
                format!(
                    "{n}.{}{zeros}",
                    ["5", "0", "25", "1"].choose(rng).expect("digits")
                )
            }
            Kind::Uuid => format!("a0eebc99-9c0b-4ef8-bb6d-6bb9bd38{n:04x}"),
            Kind::Exact => format!("Key {n}, \"quoted\" (or\\not)"),
            Kind::Caseless => format!("Straße {n}x"),
            Kind::Accentless => format!("Café {n}"),
            Kind::Padded => format!("A{n}{}", " ".repeat(rng.random_range(0..2))),
            Kind::Date => format!("2024-{:02}-{:02}", n / 28 % 12 + 1, n % 28 + 1),
            Kind::Timestamptz => format!("2024-05-{:02} 10:{:02}:00+00", n / 60 + 1, n % 60),
            Kind::Timestamp => format!("2024-05-{:02} 10:{:02}:00", n / 60 + 1, n % 60),
            Kind::Time => format!("{:02}:{:02}:00", n / 60 % 24, n % 60),
            Kind::Interval => format!("{} days", n + 1),
            Kind::Enum => labels[n % labels.len()].to_owned(),
            Kind::Bytea => format!("\\x0a5c27{n:04x}ff"),
            Kind::Inet => format!("10.1.{}.{}", n / 250, n % 250 + 1),
            Kind::Macaddr => format!("08:00:2b:0a:{:02x}:{:02x}", n / 256, n % 256),
            Kind::Range => format!("[{n}.0,{}.50)", n + 1),
        }
    }

    /// What may be another spelling of a value; the server says whether it is.
    pub fn respell(self, value: &str, rng: &mut ChaCha8Rng) -> String {
        let all: Vec<String> = match self {
            Kind::Integer => vec![
                format!(" {value} "),
                match value.strip_prefix('-') {
                    Some(digits) => format!("-00{digits}"),
                    None => format!("+00{value}"),
                },
                format!("\t{value}"),
            ],
            Kind::Numeric => {
                let bare = value.trim_end_matches('0').trim_end_matches('.');
                vec![
                    format!("{value}0"),
                    format!(" 00{value}000"),
                    bare.to_owned(),
                    format!("{bare}e0"),
                    format!("+{bare}"),
                ]
            }
            Kind::Uuid => vec![
                value.to_uppercase(),
                value.replace('-', ""),
                format!("{{{value}}}"),
                value.to_lowercase(),
            ],
            Kind::Exact | Kind::Enum => vec![value.to_owned()],
            Kind::Caseless => vec![
                value.to_lowercase(),
                value.replace("tra", "TRA"),
                value.replace('x', "X"),
                format!("{value}  "),
            ],
            Kind::Accentless => vec![
                value.replace('é', "e"),
                value.to_uppercase(),
                value.replace('é', "e\u{301}"),
            ],
            Kind::Padded => vec![format!("{value}   "), value.trim_end().to_owned()],
            Kind::Date => vec![
                value.replace('-', ""),
                value.replace("-0", "-"),
                format!("{value} 13:00:00"),
            ],
            Kind::Timestamptz => vec![
                value.replace(" 10:", " 12:").replace("+00", "+02"),
                value.replace("+00", ".000000Z"),
                value.replace(' ', "T"),
                value
                    .replace(" 10:", " 05:")
                    .replace("+00", " America/Bogota"),
            ],
            Kind::Timestamp => vec![value.replace(' ', "T"), format!("{value}.000")],
            Kind::Time => vec![format!("{value}.000"), value.replace(":00", "")],
            Kind::Interval => {
                let days: i64 = value
                    .split(' ')
                    .next()
                    .and_then(|days| days.parse().ok())
                    .unwrap_or_default();
                vec![
                    format!("{} hours", days * 24),
                    format!("{} days 24:00:00", days - 1),
                    format!("P{days}D"),
                    format!("{days} days 0 min"),
                ]
            }
            Kind::Bytea => vec![
                value.to_uppercase().replace("\\X", "\\x"),
                value.replace("\\x0a5c27", "\\x0A 5C 27"),
            ],
            Kind::Inet => vec![format!("{value}/32")],
            Kind::Macaddr => vec![
                value.to_uppercase(),
                value.replace(':', "-"),
                value.replace(':', ""),
            ],
            Kind::Range => vec![
                value.replace(".0,", ","),
                value.replace(".50)", ".5)"),
                value.replace(".50)", ".5000)"),
            ],
        };
        all.choose(rng).expect("a spelling").clone()
    }
}

//! Look-up tables: CSV, JSON or GeoJSON bytes to rows found by key, by network or by place.
//!
//! A table is immutable; reloading makes a new one. CSV cells that write a number or a bool are numbers and bools,
//! empty cells are missing; a key cell that writes a number is found by the number and by its text.

use hashbrown::HashMap;
use smallvec::SmallVec;

use super::eval::member;
use super::key::{encode_scalar, hash};
use super::net::{CidrSet, parse_network};
use super::polygon::Polygons;
use crate::base::{Value, ValueRef};

/// A loaded table.
#[derive(Debug)]
pub struct Table {
    /// The name, without `@`.
    pub name: Box<str>,
    /// Rows as objects, in the order of the file.
    rows: Vec<Value>,
    index: Index,
    /// The key columns.
    key: Box<[Box<str>]>,
    /// Hash of the file's bytes, for fingerprints and for reload.
    pub content: u64,
}

#[derive(Debug)]
enum Index {
    Key(HashMap<Box<[u8]>, u32, foldhash::fast::FixedState>),
    Cidr(CidrSet),
    Polygon(Polygons),
}

impl Table {
    /// Reads a table. `path` decides the format by its ending: `.csv`, else JSON (an array of objects, an object of
    /// objects whose names are the key, or one object a line).
    ///
    /// # Errors
    /// A sentence with row number for bytes that are no such table, and for missing key columns.
    pub fn load(name: &str, path: &str, key: &[String], bytes: &[u8]) -> Result<Self, String> {
        let content = hash(bytes);
        if is_polygon(key) {
            let (areas, rows) = Polygons::read(bytes)?;
            return Ok(Self { name: name.into(), rows, index: Index::Polygon(areas), key: Box::default(), content });
        }
        let csv = path.rsplit('.').next().is_some_and(|e| e.eq_ignore_ascii_case("csv"));
        let rows = if csv { read_csv(bytes)? } else { read_json(bytes, key)? };
        let index = if key.len() == 1 && key[0] == "cidr" { index_cidr(&rows)? } else { index_key(&rows, key)? };
        let key = key.iter().map(|column| column.as_str().into()).collect();
        Ok(Self { name: name.into(), rows, index, key, content })
    }

    /// The number of rows.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The row of a key.
    pub fn find(&self, key: &[ValueRef<'_>]) -> Option<u32> {
        match &self.index {
            Index::Cidr(set) => set.find(key.first()?.as_str()?),
            Index::Polygon(areas) => areas.find(key.first()?.as_f64()?, key.get(1)?.as_f64()?),
            Index::Key(map) => {
                let mut bytes: SmallVec<[u8; 64]> = SmallVec::new();
                key.iter().all(|v| encode_scalar(*v, &mut bytes)).then(|| map.get(&bytes[..]).copied())?
            }
        }
    }

    /// The box around a row of a table of areas: south, west, north, east.
    pub fn area(&self, row: u32) -> Option<[f64; 4]> {
        match &self.index {
            Index::Polygon(areas) => areas.area(row),
            Index::Cidr(_) | Index::Key(_) => None,
        }
    }

    /// A column, or a member below it, of a row that [`Table::find`] gave; the row itself for an empty path.
    pub fn read(&self, row: u32, path: &[Box<str>]) -> ValueRef<'_> {
        self.rows.get(row as usize).map_or(ValueRef::Missing, |row| member(row.as_ref(), path))
    }

    /// The keys of all rows, in the order of the file; rows without a part of their key are left out.
    pub fn keys(&self) -> impl Iterator<Item = Vec<Value>> + '_ {
        let part = |row: &Value, at: usize| {
            let value = member(row.as_ref(), &self.key[at..=at]).to_owned();
            (!value.as_ref().is_missing()).then_some(value)
        };
        self.rows.iter().filter_map(move |row| (0..self.key.len()).map(|at| part(row, at)).collect())
    }

    /// The columns that occur, for checks.
    pub fn columns(&self) -> Vec<&str> {
        let mut columns: Vec<&str> = Vec::new();
        for row in self.rows.iter().take(1000) {
            if let Value::Object(fields) = row {
                for (name, _) in fields {
                    if !columns.contains(&&**name) {
                        columns.push(name);
                    }
                }
            }
        }
        columns
    }
}

/// Whether a table's key says that it is of areas: `key polygon`.
pub fn is_polygon(key: &[String]) -> bool {
    matches!(key, [only] if only == "polygon")
}

fn cell(text: &str) -> Value {
    match text {
        "" => Value::Missing,
        "true" => Value::Bool(true),
        "false" => Value::Bool(false),
        _ => number_cell(text).unwrap_or_else(|| Value::Str(text.into())),
    }
}

/// Only texts that are written as JSON writes numbers: `007` and `+5` stay texts.
fn number_cell(text: &str) -> Option<Value> {
    if !text.ends_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    match serde_json::from_str::<serde_json::Value>(text) {
        Ok(json @ serde_json::Value::Number(_)) => Some(Value::from_json(&json)),
        _ => None,
    }
}

fn read_csv(bytes: &[u8]) -> Result<Vec<Value>, String> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(bytes);
    let names: Vec<Box<str>> = reader.headers().map_err(|e| e.to_string())?.iter().map(Into::into).collect();
    let mut rows = Vec::new();
    for (i, record) in reader.records().enumerate() {
        let record = record.map_err(|e| format!("row {}: {e}", i + 1))?;
        rows.push(Value::Object(names.iter().cloned().zip(record.iter().map(cell)).collect()));
    }
    Ok(rows)
}

fn read_json(bytes: &[u8], key: &[String]) -> Result<Vec<Value>, String> {
    let mut rows = Vec::new();
    let mut values: Vec<serde_json::Value> = Vec::new();
    for value in serde_json::Deserializer::from_slice(bytes).into_iter::<serde_json::Value>() {
        values.push(value.map_err(|e| e.to_string())?);
    }
    if let [serde_json::Value::Array(items)] = values.as_slice() {
        values = items.clone();
    } else if let [serde_json::Value::Object(map)] = values.as_slice()
        && map.values().all(serde_json::Value::is_object)
        && let [column] = key
    {
        values = map
            .iter()
            .map(|(name, row)| {
                let mut row = row.clone();
                if let Some(row) = row.as_object_mut() {
                    row.entry(column.clone()).or_insert_with(|| name.clone().into());
                }
                row
            })
            .collect();
    }
    for (i, value) in values.iter().enumerate() {
        if !value.is_object() {
            return Err(format!("row {} is not an object", i + 1));
        }
        rows.push(Value::from_json(value));
    }
    Ok(rows)
}

fn index_cidr(rows: &[Value]) -> Result<Index, String> {
    let mut set = CidrSet::default();
    for (i, row) in rows.iter().enumerate() {
        let Value::Object(fields) = row else { continue };
        // The column called `cidr`, or else the first.
        let column = fields.iter().find(|(name, _)| &**name == "cidr").or_else(|| fields.first());
        let text = column.and_then(|(_, v)| v.as_ref().as_str()).unwrap_or("");
        let (address, length) = parse_network(text)
            .ok_or_else(|| format!("row {}: `{text}` is not a network such as 10.0.0.0/8", i + 1))?;
        set.insert(address, length, i as u32);
    }
    Ok(Index::Cidr(set))
}

fn index_key(rows: &[Value], key: &[String]) -> Result<Index, String> {
    let mut map: HashMap<Box<[u8]>, u32, foldhash::fast::FixedState> = HashMap::default();
    let path = |column: &String| [Box::<str>::from(column.as_str())];
    for column in key {
        if !rows.is_empty() && rows.iter().all(|row| member(row.as_ref(), &path(column)).is_missing()) {
            return Err(format!("no row has the key column `{column}`"));
        }
    }
    for (i, row) in rows.iter().enumerate() {
        let mut keys: Vec<Vec<u8>> = vec![Vec::new()];
        for column in key {
            let value = member(row.as_ref(), &path(column));
            let mut forms: SmallVec<[Value; 2]> = SmallVec::from_elem(value.to_owned(), 1);
            if let ValueRef::Int(_) | ValueRef::UInt(_) | ValueRef::Float(_) = value {
                forms.push(Value::Str(value.to_owned().to_json().to_string().into()));
            }
            keys = keys
                .iter()
                .flat_map(|head| {
                    forms.iter().filter_map(|form| {
                        let mut bytes = head.clone();
                        (!form.as_ref().is_missing() && encode_scalar(form.as_ref(), &mut bytes)).then_some(bytes)
                    })
                })
                .collect();
        }
        for bytes in keys {
            map.entry(bytes.into()).or_insert(i as u32);
        }
    }
    Ok(Index::Key(map))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(path: &str, key: &[&str], text: &str) -> Table {
        let key: Vec<String> = key.iter().map(ToString::to_string).collect();
        Table::load("t", path, &key, text.as_bytes()).expect("a table")
    }

    #[test]
    fn csv_cells_have_types() {
        let t = table("x.csv", &["sku"], "sku,least,name\n007,5,a\n8,2.5,\n");
        let row = t.find(&[ValueRef::Str("007")]).expect("found");
        assert_eq!(t.read(row, &["least".into()]), ValueRef::Int(5));
        assert_eq!(t.find(&[ValueRef::Int(7)]), None);
        let row = t.find(&[ValueRef::Int(8)]).expect("a number finds its text");
        assert_eq!(t.find(&[ValueRef::Str("8")]), Some(row));
        assert!(t.read(row, &["name".into()]).is_missing());
    }

    #[test]
    fn json_shapes() {
        for text in [r#"[{"id":"a","n":1}]"#, r#"{"a":{"n":1}}"#, "{\"id\":\"a\",\"n\":1}\n{\"id\":\"b\",\"n\":2}\n"] {
            let t = table("x.json", &["id"], text);
            let row = t.find(&[ValueRef::Str("a")]).expect("found");
            assert_eq!(t.read(row, &["n".into()]), ValueRef::Int(1));
        }
    }

    #[test]
    fn networks() {
        let t = table("x.csv", &["cidr"], "cidr,who\n10.0.0.0/8,us\n10.9.0.0/16,them\n");
        let row = t.find(&[ValueRef::Str("10.9.1.1")]).expect("found");
        assert_eq!(t.read(row, &["who".into()]), ValueRef::Str("them"));
        assert!(Table::load("t", "x.csv", &["cidr".into()], b"cidr\nabc\n").is_err());
    }
}

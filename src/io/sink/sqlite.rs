//! A table `alerts` in a SQLite file, for people to query.
//!
//! Exactly once: the id is the primary key, a batch is one transaction, and an alert that comes again changes nothing.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, params};

use super::row::{Change, Row};
use crate::io::deliver::{Failure, Letter, Receipt, Sink};

/// How long another writer is waited for.
const BUSY: Duration = Duration::from_secs(5);

/// A SQLite file.
#[derive(Debug)]
pub struct SqliteSink {
    connection: Connection,
    insert: String,
    resolve: String,
    repeat: String,
}

impl SqliteSink {
    /// Opens the file and makes the table if it is not there. `table` is a plain name.
    ///
    /// # Errors
    /// Says in words why the file cannot be used.
    pub fn open(path: &Path, table: &str) -> Result<Self, String> {
        let problem = |error: rusqlite::Error| format!("{}: {error}", path.display());
        let connection = Connection::open(path).map_err(problem)?;
        connection.busy_timeout(BUSY).map_err(problem)?;
        // WAL lets people read while alerts are written; FULL makes what was delivered outlast a power cut.
        connection.query_row("PRAGMA journal_mode = WAL", [], |_| Ok(())).map_err(problem)?;
        connection
            .execute_batch(&format!(
                "PRAGMA synchronous = FULL;
                 CREATE TABLE IF NOT EXISTS {table} (
                   id TEXT PRIMARY KEY NOT NULL, rule TEXT NOT NULL, title TEXT NOT NULL, severity TEXT NOT NULL,
                   time TEXT NOT NULL, message TEXT NOT NULL, status TEXT NOT NULL, resolved_at TEXT,
                   repeats INTEGER NOT NULL, key TEXT NOT NULL, tags TEXT NOT NULL, alert TEXT NOT NULL
                 ) WITHOUT ROWID;
                 CREATE INDEX IF NOT EXISTS {table}_time ON {table} (time);
                 CREATE INDEX IF NOT EXISTS {table}_rule ON {table} (rule, time);"
            ))
            .map_err(problem)?;
        let columns = "id, rule, title, severity, time, message, key, tags, alert, status, resolved_at, repeats";
        let insert =
            format!("INSERT INTO {table} ({columns}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)");
        Ok(Self {
            connection,
            resolve: format!(
                "{insert} ON CONFLICT (id) DO UPDATE SET status = 'resolved', resolved_at = excluded.resolved_at"
            ),
            repeat: format!("{insert} ON CONFLICT (id) DO UPDATE SET repeats = max(repeats, excluded.repeats)"),
            insert: format!("{insert} ON CONFLICT (id) DO NOTHING"),
        })
    }

    fn try_deliver(&mut self, letters: &[Letter]) -> rusqlite::Result<()> {
        let transaction = self.connection.transaction()?;
        for letter in letters {
            let row = Row::new(letter);
            let (sql, status, resolved_at, repeats) = match &row.change {
                Change::New => (&self.insert, "open", None, 0),
                Change::Resolved(at) => (&self.resolve, "resolved", Some(at), 0),
                Change::Repeated(n) => (&self.repeat, "open", None, *n),
            };
            transaction.prepare_cached(sql)?.execute(params![
                row.id,
                row.rule,
                row.title,
                row.severity,
                row.time,
                row.message,
                row.key,
                row.tags,
                row.alert,
                status,
                resolved_at,
                repeats
            ])?;
        }
        transaction.commit()
    }
}

impl Sink for SqliteSink {
    fn deliver(&mut self, letters: &[Letter]) -> Result<Receipt, Failure> {
        match self.try_deliver(letters) {
            Ok(()) => Ok(Receipt::ALL),
            Err(error) => Err(match error.sqlite_error_code() {
                Some(ErrorCode::ConstraintViolation | ErrorCode::TooBig | ErrorCode::TypeMismatch) => {
                    Failure::refused(error)
                }
                // Busy, full, read-only, gone: it may work again, and no letter is at fault.
                _ => Failure::down(error),
            }),
        }
    }
}

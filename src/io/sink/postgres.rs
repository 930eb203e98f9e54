//! A table `alerts` in PostgreSQL.
//!
//! The id is the primary key: `INSERT … ON CONFLICT DO NOTHING`, a batch a statement, so that an alert that comes again
//! changes nothing. PostgreSQL has no NUL in texts, so a NUL from an event is stored as U+FFFD.

use std::fmt;
use std::time::Duration;

use postgres::config::{Host, SslMode};
use postgres::error::SqlState;
use postgres::types::ToSql;
use postgres::{Client, Config};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::row::{Change, Row};
use super::secret::Secret;
use super::tls::TlsOptions;
use crate::io::deliver::{Failure, Letter, Receipt, Sink, Trouble};

/// Where a table of alerts is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PostgresOptions {
    /// `postgres://user@host/database`, or `host=… user=…`, without the password.
    pub address: String,
    /// The password, if one is needed.
    pub password: Option<Secret>,
    /// A plain name, perhaps after that of a schema and a dot.
    pub table: String,
    /// What is trusted. `None` for connections without TLS.
    pub tls: Option<TlsOptions>,
    /// How long connecting and each statement may take.
    pub timeout: Duration,
}

/// A PostgreSQL server.
pub struct PostgresSink {
    config: Config,
    connector: MakeRustlsConnect,
    table: String,
    client: Option<Client>,
}

impl PostgresSink {
    /// Reads the options; connects when there is something to deliver.
    ///
    /// # Errors
    /// Says in words what cannot be used.
    pub fn new(options: &PostgresOptions) -> Result<Self, String> {
        let mut config: Config =
            options.address.parse().map_err(|error| format!("this is no address of a PostgreSQL server: {error}"))?;
        if config.get_password().is_some() {
            return Err("a password does not stand in an address; name its place as `password`".to_owned());
        }
        if let Some(password) = &options.password {
            config.password(password.reveal());
        }
        let statement = format!("-c statement_timeout={}", options.timeout.as_millis());
        let encrypted = options.tls.is_some() && !is_socket(&config);
        config
            .application_name("tripline")
            .connect_timeout(options.timeout)
            .tcp_user_timeout(options.timeout)
            .options(&statement)
            .ssl_mode(if encrypted { SslMode::Require } else { SslMode::Disable });
        let tls = options.tls.clone().unwrap_or_default().client()?;
        let connector = MakeRustlsConnect::new(rustls::ClientConfig::clone(&tls));
        Ok(Self { config, connector, table: options.table.clone(), client: None })
    }

    fn connect(&self) -> Result<Client, Failure> {
        let mut client = self.config.connect(self.connector.clone()).map_err(|error| failure(&error))?;
        let table = &self.table;
        let index = table.replace('.', "_");
        client
            .batch_execute(&format!(
                "SET client_min_messages = warning;
                 CREATE TABLE IF NOT EXISTS {table} (
                   id text PRIMARY KEY, rule text NOT NULL, title text NOT NULL, severity text NOT NULL,
                   time timestamptz NOT NULL, message text NOT NULL, status text NOT NULL DEFAULT 'open',
                   resolved_at timestamptz, repeats bigint NOT NULL DEFAULT 0, key jsonb NOT NULL, tags jsonb NOT NULL,
                   alert jsonb NOT NULL);
                 CREATE INDEX IF NOT EXISTS {index}_time ON {table} (time);"
            ))
            .map_err(|error| Failure::down(words(&error)))?;
        Ok(client)
    }

    fn try_deliver(&mut self, letters: &[Letter]) -> Result<(), Failure> {
        let mut client = match self.client.take() {
            Some(client) if !client.is_closed() => client,
            _ => self.connect()?,
        };
        let rows: Vec<Row> = letters.iter().map(|letter| stored(Row::new(letter))).collect();
        let result = self.write(&mut client, &rows);
        // After an error nothing is assumed of a connection: the next attempt makes a new one.
        if result.is_ok() {
            self.client = Some(client);
        }
        result.map_err(|error| failure(&error))
    }

    /// Rows in one transaction: all of new alerts in one statement, then what is said of alerts, in order.
    fn write(&self, client: &mut Client, rows: &[Row]) -> Result<(), postgres::Error> {
        let table = &self.table;
        let columns = "(id, rule, title, severity, time, message, key, tags, alert)";
        let mut transaction = client.transaction()?;
        // A notice whose alert was never stored, because a route let it not through, makes its row.
        let column = |of: fn(&Row) -> &str| -> Vec<&str> { rows.iter().map(of).collect() };
        let (ids, rules, titles) = (column(|r| &r.id), column(|r| &r.rule), column(|r| &r.title));
        let (severities, times, messages) = (column(|r| r.severity), column(|r| &r.time), column(|r| &r.message));
        let (keys, tags, alerts) = (column(|r| &r.key), column(|r| &r.tags), column(|r| &r.alert));
        let all: [&(dyn ToSql + Sync); 9] =
            [&ids, &rules, &titles, &severities, &times, &messages, &keys, &tags, &alerts];
        transaction.execute(
            &format!(
                "INSERT INTO {table} {columns}
                 SELECT a, b, c, d, e::timestamptz, f, g::jsonb, h::jsonb, i::jsonb FROM unnest($1::text[], $2::text[],
                 $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[])
                 AS t (a, b, c, d, e, f, g, h, i) ON CONFLICT (id) DO NOTHING"
            ),
            &all,
        )?;
        for row in rows {
            match &row.change {
                Change::New => {}
                Change::Resolved(at) => {
                    let sql = format!(
                        "UPDATE {table} SET status = 'resolved', resolved_at = $2::text::timestamptz WHERE id = $1"
                    );
                    transaction.execute(&sql, &[&row.id, at])?;
                }
                Change::Repeated(n) => {
                    let sql = format!("UPDATE {table} SET repeats = greatest(repeats, $2) WHERE id = $1");
                    transaction.execute(&sql, &[&row.id, n])?;
                }
            }
        }
        transaction.commit()
    }
}

impl fmt::Debug for PostgresSink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresSink").field("table", &self.table).finish_non_exhaustive()
    }
}

impl Sink for PostgresSink {
    fn deliver(&mut self, letters: &[Letter]) -> Result<Receipt, Failure> {
        // A connection that lay idle may have been closed by the server: that is no failure yet.
        let idle = self.client.is_some();
        match self.try_deliver(letters) {
            Err(failure) if idle && failure.trouble == Trouble::Down => self.try_deliver(letters)?,
            result => result?,
        }
        Ok(Receipt::ALL)
    }
}

/// Whether every host is a socket in the file system, which nobody can listen in on.
fn is_socket(config: &Config) -> bool {
    config.get_hosts().iter().all(|host| !matches!(host, Host::Tcp(_)))
}

/// The row without NUL.
fn stored(row: Row) -> Row {
    let text = |text: String| if text.contains('\0') { text.replace('\0', "\u{fffd}") } else { text };
    Row {
        rule: text(row.rule),
        title: text(row.title),
        message: text(row.message),
        key: json_without_nul(row.key),
        tags: json_without_nul(row.tags),
        alert: json_without_nul(row.alert),
        ..row
    }
}

/// JSON in which every escaped NUL is an escaped U+FFFD.
fn json_without_nul(json: String) -> String {
    if !json.contains("\\u0000") {
        return json;
    }
    let mut out = String::with_capacity(json.len());
    let mut rest = json.as_str();
    while let Some(at) = rest.find('\\') {
        let (before, escape) = rest.split_at(at);
        out.push_str(before);
        // A backslash and what it escapes go together, so that `\\u0000` stays what it is.
        let length = if escape.starts_with("\\u") { 6 } else { 2 }.min(escape.len());
        out.push_str(if escape.starts_with("\\u0000") { "\\ufffd" } else { &escape[..length] });
        rest = &escape[length..];
    }
    out.push_str(rest);
    out
}

/// What a failure means.
fn failure(error: &postgres::Error) -> Failure {
    let Some(state) = error.code() else { return Failure::down(words(error)) };
    match &state.code()[..2] {
        // Data that cannot be stored.
        "22" | "23" => Failure::refused(words(error)),
        // Lost against another transaction, or too slow.
        "40" => Failure::failed(words(error)),
        "57" if *state == SqlState::QUERY_CANCELED => Failure::failed(words(error)),
        // Connection, resources, rights, a table of another shape: it may work again, and no letter is at fault.
        _ => Failure::down(words(error)),
    }
}

/// The server's words, which say more than the client's.
fn words(error: &postgres::Error) -> String {
    error.as_db_error().map_or_else(|| error.to_string(), |db| format!("{} ({})", db.message(), db.code().code()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nul_is_replaced_and_nothing_else() {
        let same = r#"{"a":"\\u0000 \" \u0001 \n"}"#;
        assert_eq!(json_without_nul(same.to_owned()), same);
        assert_eq!(json_without_nul(r#"{"a":"\u0000\\\u0000é"}"#.to_owned()), r#"{"a":"\ufffd\\\ufffdé"}"#);
    }
}

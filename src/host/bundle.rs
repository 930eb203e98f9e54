//! What a host gets beside events: the texts of rules, the tables they name, and how they are run, in one JSON document.
//!
//! Relies on [`crate::compile`]. It holds texts and not a rule set, since those have no form outside memory: whoever has
//! it compiles it, once.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::names::{HostConfig, HostRules};
use crate::alert::Evidence;
use crate::alert::format::{Format, Formatter};
use crate::base::{Duration, Limits};
use crate::compile::{CompileOptions, compile};
use crate::decode::{OnMissing, TimeConfig, TimeFormat};
use crate::diag::Level;
use crate::diag::render::render_text;
use crate::import::sigma::pipeline::{self, Pipelines};
use crate::session::AtEnd;
use crate::syntax::source::SourceMap;

/// The form of bundles.
const VERSION: u32 = 1;

/// A rule file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuleText {
    /// Its name: its ending says what language it is in.
    pub name: String,
    /// What it says.
    pub text: String,
}

/// A table that a rule file names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableFile {
    /// The rule file that names it, by its place in [`Bundle::rules`].
    pub rules: usize,
    /// Its path, as it is written there.
    pub path: String,
    /// Its bytes, in base64.
    pub bytes: String,
}

/// How rules are run by a host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// The field that holds the class of an event.
    pub type_field: Vec<String>,
    /// Fields that may hold the time of an event; the first that an event has counts.
    pub time_fields: Vec<Vec<String>>,
    /// How times are written; see [`TimeFormat::parse`].
    pub time_format: String,
    /// An event without a time is rejected, instead of getting that of its arrival.
    pub reject_untimed: bool,
    /// How far behind the newest event of its input an event may come, in milliseconds.
    pub lateness_ms: i64,
    /// How much of the bound events alerts carry: `ids`, `fields` or `full`.
    pub evidence: String,
    /// Undecided absences are decided when the input ends, instead of being left out.
    pub flush_at_end: bool,
    /// How alerts are written: `json`, `ecs` or `ocsf`.
    pub format: String,
    /// The names of inputs, in their order, if alerts are to name them.
    pub inputs: Vec<String>,
    /// A rule that panics when an event comes for it: to see what the host does then.
    pub fail_in: Option<String>,
    /// How rules of other languages are read.
    pub import: ImportSettings,
}

/// How Sigma and EQL are read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ImportSettings {
    /// An error in such a rule is an error of all, instead of leaving that rule out.
    pub strict: bool,
    /// The field that holds the category of an event, for EQL; none for what is usual.
    pub event_category: Option<Vec<String>>,
    /// Sequences of EQL are found completely.
    pub eql_complete: bool,
    /// Pipelines for Sigma that come along, by name.
    pub pipelines: Vec<String>,
    /// Others.
    pub pipeline_files: Vec<RuleText>,
}

impl ImportSettings {
    fn apply(&self, options: &mut CompileOptions) -> Result<(), BundleError> {
        options.strict = self.strict;
        options.eql.complete = self.eql_complete;
        if let Some(field) = &self.event_category {
            options.eql.event_category.clone_from(field);
        }
        let (mut sources, mut read) = (SourceMap::new(), Vec::new());
        for file in &self.pipeline_files {
            let source = sources.add(file.name.as_str(), file.text.as_str());
            let (found, problems) = pipeline::read(source, &file.text);
            if problems.iter().any(|problem| problem.level == Level::Error) {
                return Err(BundleError::Rules(render_text(&problems, &sources, false)));
            }
            read.extend(found);
        }
        let names: Vec<&str> = self.pipelines.iter().map(String::as_str).collect();
        options.pipelines =
            Pipelines::new(&names, read).map_err(|wanted| setting("pipelines", &self.pipelines.join(", "), &wanted))?;
        Ok(())
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            type_field: vec!["type".to_owned()],
            time_fields: TimeConfig::default().fields,
            time_format: "auto".to_owned(),
            reject_untimed: false,
            lateness_ms: 0,
            evidence: "fields".to_owned(),
            flush_at_end: false,
            format: "json".to_owned(),
            inputs: Vec::new(),
            fail_in: None,
            import: ImportSettings::default(),
        }
    }
}

/// Rules, tables and settings.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bundle {
    version: u32,
    /// Rule files.
    pub rules: Vec<RuleText>,
    /// The tables that they name.
    pub tables: Vec<TableFile>,
    /// How they are run.
    pub settings: Settings,
}

/// Why a bundle cannot be run.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum BundleError {
    /// It is no bundle.
    #[error("this is no bundle of rules: {0}")]
    NotABundle(String),
    /// Another release wrote it.
    #[error("the bundle has form {0}, this release reads form {VERSION}; package the rules again")]
    Version(u32),
    /// A setting that means nothing.
    #[error("`{name}` cannot be `{value}`: {wanted}")]
    Setting {
        /// Which.
        name: &'static str,
        /// What it says.
        value: String,
        /// What it may say.
        wanted: String,
    },
    /// Errors in rules, rendered.
    #[error("{0}")]
    Rules(String),
}

/// A bundle that was compiled.
#[derive(Debug)]
pub struct Opened {
    /// The rules.
    pub rules: Arc<HostRules>,
    /// What becomes of undecided absences.
    pub at_end: AtEnd,
    /// How alerts are written.
    pub formatter: Formatter,
}

fn setting(name: &'static str, value: &str, wanted: &str) -> BundleError {
    BundleError::Setting { name, value: value.to_owned(), wanted: wanted.to_owned() }
}

impl Bundle {
    /// A bundle; `load` gives the bytes of a table by its path as written and the place of the file that names it.
    pub fn new(rules: Vec<RuleText>, settings: Settings, tables: &[(usize, String, Vec<u8>)]) -> Self {
        let table = |(rules, path, bytes): &(usize, String, Vec<u8>)| TableFile {
            rules: *rules,
            path: path.clone(),
            bytes: STANDARD.encode(bytes),
        };
        Self { version: VERSION, rules, tables: tables.iter().map(table).collect(), settings }
    }

    /// As JSON.
    pub fn to_bytes(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("a bundle is plain data")
    }

    /// Reads what [`Bundle::to_bytes`] gave.
    ///
    /// # Errors
    /// It is no bundle, or of another release.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, BundleError> {
        #[derive(Deserialize)]
        struct Head {
            version: u32,
        }
        let not = |error: serde_json::Error| BundleError::NotABundle(error.to_string());
        let head: Head = serde_json::from_slice(bytes).map_err(not)?;
        if head.version != VERSION {
            return Err(BundleError::Version(head.version));
        }
        serde_json::from_slice(bytes).map_err(not)
    }

    /// Compiles it.
    ///
    /// # Errors
    /// A setting means nothing, or the rules have errors.
    pub fn open(&self) -> Result<Opened, BundleError> {
        let settings = &self.settings;
        let format = TimeFormat::parse(&settings.time_format)
            .map_err(|wanted| setting("time_format", &settings.time_format, &wanted))?;
        let on_missing = if settings.reject_untimed { OnMissing::Reject } else { OnMissing::Arrival };
        let evidence = match settings.evidence.as_str() {
            "ids" => Evidence::Ids,
            "fields" => Evidence::Fields,
            "full" => Evidence::Full,
            other => return Err(setting("evidence", other, "it is `ids`, `fields` or `full`")),
        };
        let written = match settings.format.as_str() {
            "json" => Format::Json,
            "ecs" => Format::Ecs,
            "ocsf" => Format::Ocsf,
            other => return Err(setting("format", other, "it is `json`, `ecs` or `ocsf`")),
        };
        let mut sources = SourceMap::new();
        for rule in &self.rules {
            sources.add(rule.name.as_str(), rule.text.as_str());
        }
        let mut options = CompileOptions { type_field: settings.type_field.clone(), ..CompileOptions::default() };
        settings.import.apply(&mut options)?;
        let compiled = compile(&sources, &options, &|path, source| {
            let of = |table: &&TableFile| table.path == path && table.rules == source.0 as usize;
            let table = self.tables.iter().find(of).ok_or("is not in the bundle")?;
            STANDARD.decode(&table.bytes).map_err(|error| error.to_string())
        });
        let Some(ruleset) = compiled.ruleset else {
            return Err(BundleError::Rules(render_text(&compiled.diagnostics, &sources, false)));
        };
        let fail_in = match &settings.fail_in {
            Some(name) => Some(ruleset.rule(name).ok_or_else(|| setting("fail_in", name, "there is no such rule"))?.id),
            None => None,
        };
        let config = HostConfig {
            time: TimeConfig { fields: settings.time_fields.clone(), format, on_missing },
            lateness: Duration::from_millis(settings.lateness_ms),
            evidence,
            limits: Limits::default(),
            fail_in,
        };
        Ok(Opened {
            rules: Arc::new(HostRules::new(ruleset, config)),
            at_end: if settings.flush_at_end { AtEnd::Flush } else { AtEnd::Pending },
            formatter: Formatter::new(written, settings.inputs.clone()),
        })
    }
}

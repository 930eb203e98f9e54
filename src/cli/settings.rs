//! The configuration file as the commands see it: found, read, and its paths made relative to where it lies.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher as _, Hasher as _};
use std::io;
use std::path::{Path, PathBuf};

use tripline::compile::CompileOptions;
use tripline::config::{Config, Input, Origin, field_path};
use tripline::decode::timefield::TimeConfig;
use tripline::diag::Level;
use tripline::host::bundle::{ImportSettings, RuleText};
use tripline::import::eql;
use tripline::import::sigma::pipeline::{self, Pipelines};
use tripline::io::trust;
use tripline::syntax::source::SourceMap;

use super::args::{ImportArgs, TimeArgs};
use super::exit::Stop;
use super::rules::show;
use super::terminal::Terminal;

/// The file that is read without being asked for.
const DEFAULT_FILE: &str = "tripline.yaml";

/// A configuration file, or none.
#[derive(Debug, Default)]
pub struct Settings {
    /// What it says.
    pub config: Config,
    /// How imported rules are taken, from the command line.
    pub import: ImportArgs,
    /// What Sigma rules are mapped by.
    pipelines: Pipelines,
    /// The names among what they were made of, and the texts of files.
    pipeline_parts: (Vec<String>, Vec<RuleText>),
    /// Where it lies: its paths are relative to this directory.
    directory: PathBuf,
    /// The file, if everyone may write to it.
    open_to_all: Option<PathBuf>,
    key_seed: KeySeed,
}

/// What nobody outside knows, the same for all that is compiled in this process.
#[derive(Debug)]
struct KeySeed(u64);

impl Default for KeySeed {
    fn default() -> Self {
        // The standard library takes its keys from the system.
        Self(RandomState::new().build_hasher().finish())
    }
}

impl Settings {
    /// Reads the file that `--config` names, else `tripline.yaml` in the working directory if there is one.
    pub fn load(named: Option<&Path>, terminal: Terminal) -> Result<Self, Stop> {
        let path = named.unwrap_or(Path::new(DEFAULT_FILE));
        let content = match trust::look(path) {
            Ok(content) => content,
            Err(error) if named.is_none() && error.kind() == io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) => return Err(Stop::usage(format!("{}: cannot be read: {error}", path.display()))),
        };
        let text = String::from_utf8(content.bytes)
            .map_err(|_| Stop::usage(format!("{}: is not UTF-8 text; save the file as UTF-8", path.display())))?;
        let open_to_all = content.is_open_to_all.then(|| path.to_owned());
        let mut sources = SourceMap::new();
        let source = sources.add(path.display().to_string(), text);
        match Config::parse(source, &sources.get(source).text) {
            Ok(config) => {
                let directory = path.parent().map(Path::to_owned).unwrap_or_default();
                Ok(Self { config, directory, open_to_all, ..Self::default() })
            }
            Err(problems) => {
                show(&problems, &sources, terminal);
                Err(Stop::shown())
            }
        }
    }

    /// Refuses a file that everyone may write to: it says which secrets are sent where. For commands that act on it.
    pub fn require_trust(&self) -> Result<(), Stop> {
        match &self.open_to_all {
            Some(path) => Err(Stop::usage(format!("{} {}", path.display(), trust::way_out(path)))),
            None => Ok(()),
        }
    }

    /// Takes what the command line says about imported rules, and reads the pipelines that it or the file names.
    pub fn take_import(&mut self, import: ImportArgs, terminal: Terminal) -> Result<(), Stop> {
        let written = if import.pipelines.is_empty() { &self.config.pipelines } else { &import.pipelines };
        let is_file = |word: &str| word.contains(['.', '/', std::path::MAIN_SEPARATOR]);
        let (mut names, mut read, mut texts) = (Vec::new(), Vec::new(), Vec::new());
        let (mut sources, mut problems) = (SourceMap::new(), Vec::new());
        for word in written {
            if !is_file(word) {
                names.push(word.as_str());
                continue;
            }
            let path = if import.pipelines.is_empty() { self.path(word) } else { PathBuf::from(word) };
            let text = super::rules::read_text(&path)?;
            let source = sources.add(path.display().to_string(), text);
            let (found, wrong) = pipeline::read(source, &sources.get(source).text);
            let (name, text) = (sources.get(source).name.clone(), sources.get(source).text.clone());
            texts.push(RuleText { name, text });
            problems.extend(wrong);
            read.extend(found);
        }
        show(&problems, &sources, terminal);
        if problems.iter().any(|problem| problem.level == Level::Error) {
            return Err(Stop::shown());
        }
        self.pipelines = Pipelines::new(&names, read).map_err(Stop::usage)?;
        self.pipeline_parts = (names.iter().map(ToString::to_string).collect(), texts);
        self.import = import;
        Ok(())
    }

    /// How imported rules are taken, for whoever compiles them elsewhere.
    pub fn host_import(&self) -> ImportSettings {
        let (pipelines, pipeline_files) = self.pipeline_parts.clone();
        ImportSettings {
            strict: self.import.strict,
            event_category: self.import.event_category.as_deref().map(field_path),
            eql_complete: self.import.eql_complete,
            pipelines,
            pipeline_files,
        }
    }

    /// How rules are compiled: the file's settings, with those of the command line over them.
    pub fn compile_options(&self, time: &TimeArgs) -> CompileOptions {
        let default = CompileOptions::default();
        CompileOptions {
            type_field: self.type_field(time),
            limits: self.config.limits.clone(),
            strict: self.import.strict,
            eql: eql::Options {
                event_category: self.import.event_category.as_deref().map_or(default.eql.event_category, field_path),
                complete: self.import.eql_complete,
            },
            pipelines: self.pipelines.clone(),
            key_seed: self.key_seed.0,
            ..CompileOptions::default()
        }
    }

    /// The path of the field that holds the class of an event.
    pub fn type_field(&self, time: &TimeArgs) -> Vec<String> {
        let named = time.type_field.as_ref().or(self.config.type_field.as_ref());
        named.map_or_else(|| CompileOptions::default().type_field, |field| field_path(field))
    }

    /// Where the time of events stands and how it is written.
    pub fn time_config(&self, time: &TimeArgs) -> TimeConfig {
        let default = TimeConfig::default();
        let named = if time.time_field.is_empty() { self.config.time_fields.as_ref() } else { Some(&time.time_field) };
        let format = time.time_format.clone().or_else(|| self.config.time_format.clone());
        TimeConfig {
            fields: named.map_or(default.fields, |names| names.iter().map(|name| field_path(name)).collect()),
            format: format.unwrap_or(default.format),
            on_missing: self.config.on_missing.unwrap_or(default.on_missing),
        }
    }

    /// The inputs of the file, with paths as they are seen from the working directory.
    pub fn inputs(&self) -> Result<Vec<Input>, Stop> {
        let mut inputs = self.config.inputs.clone();
        for input in &mut inputs {
            let Origin::File { path, .. } = &mut input.origin else { continue };
            let seen = self.path(path).into_os_string().into_string();
            let seen = seen.map_err(|path| Stop::usage(format!("{}: the path is not UTF-8", path.display())))?;
            // Without a name of its own it is called by its path.
            if input.name == *path {
                input.name.clone_from(&seen);
            }
            *path = seen;
        }
        Ok(inputs)
    }

    /// The directory that paths of the file are relative to.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// A path of the file, seen from the working directory. `-` stays what it is.
    pub fn path(&self, written: &str) -> PathBuf {
        if written == "-" { PathBuf::from(written) } else { self.directory.join(written) }
    }
}

//! The pipelines that come along, by name: which routes they know, and the names of fields of common agents.

use std::collections::BTreeMap;

use super::model::{Change, Conditions, FieldCondition, Join, Pipeline, RuleCondition, Step};
use super::routing::Routes;
use crate::syntax::source::Span;
use crate::syntax::spelling::nearest;

/// Every name with what it is for.
pub const NAMES: [(&str, &str); 10] = [
    ("windows", "Windows event logs with flat fields (`Channel`, `EventID`, `Image`), as NXLog and others write them"),
    ("sysmon", "categories such as process_creation by the events of Sysmon, and 4688 of the audit log"),
    ("nxlog", "the same as `windows` and `sysmon`"),
    ("winlogbeat", "Windows event logs below `winlog`, as Winlogbeat ships them; with `sysmon`"),
    ("evtx", "Windows event logs as XML turned into JSON: `Event.System.EventID`; with `sysmon`"),
    ("ecs", "the Elastic Common Schema: Windows and Linux hosts"),
    ("cloudtrail", "records of AWS CloudTrail"),
    ("auditd", "records of the Linux audit daemon"),
    ("zeek", "logs of Zeek as JSON, with `_path`"),
    ("none", "no routing: a rule applies to every event"),
];

/// What a name stands for.
#[derive(Clone, Debug)]
pub struct Builtin {
    /// Which log sources it knows.
    pub routes: Routes,
    /// What it renames.
    pub pipelines: Vec<Pipeline>,
}

/// The pipeline of a name.
///
/// # Errors
///
/// What is wrong with the name, in a sentence.
pub fn find(name: &str) -> Result<Builtin, String> {
    let windows = Routes::WINDOWS.with(Routes::SYSMON);
    let built = |routes, pipelines| Ok(Builtin { routes, pipelines });
    match name {
        "windows" => built(Routes::WINDOWS, vec![flat()]),
        "sysmon" => built(Routes::SYSMON, vec![flat()]),
        "nxlog" => built(windows, vec![flat()]),
        "winlogbeat" => built(windows, vec![winlogbeat()]),
        "evtx" => built(windows, vec![evtx()]),
        "ecs" => built(windows.with(Routes::ECS_LINUX), vec![ecs()]),
        "cloudtrail" => built(Routes::CLOUDTRAIL, Vec::new()),
        "auditd" => built(Routes::AUDITD, Vec::new()),
        "zeek" => built(Routes::ZEEK, vec![zeek()]),
        "none" => built(Routes::NONE, Vec::new()),
        _ => {
            let names = NAMES.map(|(name, _)| name);
            Err(match nearest(name, names) {
                Some(near) => format!("there is no pipeline `{name}`; did you mean `{near}`?"),
                None => format!("there is no pipeline `{name}`; there are {}", names.join(", ")),
            })
        }
    }
}

/// What is renamed when no pipeline is named.
pub(super) fn default_mappings() -> Vec<Pipeline> {
    vec![flat(), zeek()]
}

fn pipeline(name: &str, steps: Vec<Step>) -> Pipeline {
    Pipeline { name: name.into(), priority: 20, vars: BTreeMap::new(), steps }
}

fn all<C>(list: Vec<C>) -> Conditions<C> {
    Conditions { list: list.into_iter().map(|one| (String::new(), one)).collect(), join: Join::And, negated: false }
}

fn source(product: &str, category: Option<&str>, service: Option<&str>) -> RuleCondition {
    RuleCondition::Logsource {
        category: category.map(Into::into),
        product: Some(product.into()),
        service: service.map(Into::into),
    }
}

fn step(id: &str, rule: RuleCondition, change: Change) -> Step {
    Step {
        id: Some(id.into()),
        change,
        rules: all(vec![rule]),
        items: all(Vec::new()),
        fields: all(Vec::new()),
        span: Span::default(),
    }
}

/// A mapping from lines `from to`, `from to or to`.
fn mapping(pairs: &[(&str, &[&str])]) -> Change {
    let texts = |to: &[&str]| to.iter().map(|name| (*name).to_owned()).collect();
    Change::Map(pairs.iter().map(|(from, to)| ((*from).to_owned(), texts(to))).collect())
}

/// Every field that a step before did not map gets a prefix.
fn rest(id: &str, product: &str, mapped: &str, prefix: &str) -> Step {
    let mut step = step(id, source(product, None, None), Change::Prefix(prefix.into()));
    step.fields = all(vec![FieldCondition::Applied(mapped.into())]);
    step.fields.negated = true;
    step
}

/// Agents that put every field at the top: what Sysmon and the audit log call differently.
fn flat() -> Pipeline {
    let agents = mapping(&[
        ("Provider_Name", &["Provider_Name", "SourceName", "ProviderName"]),
        ("Computer", &["Computer", "Hostname"]),
        ("ComputerName", &["ComputerName", "Computer", "Hostname"]),
    ]);
    let audit =
        mapping(&[("Image", &["Image", "NewProcessName"]), ("ParentImage", &["ParentImage", "ParentProcessName"])]);
    pipeline(
        "windows",
        vec![
            step("windows_agents", source("windows", None, None), agents),
            step("windows_audit", source("windows", Some("process_creation"), None), audit),
        ],
    )
}

fn winlogbeat() -> Pipeline {
    let system = mapping(&[
        ("Channel", &["winlog.channel"]),
        ("EventID", &["winlog.event_id"]),
        ("Provider_Name", &["winlog.provider_name"]),
        ("Computer", &["winlog.computer_name"]),
        ("ComputerName", &["winlog.computer_name"]),
        ("Level", &["log.level"]),
        ("Task", &["winlog.task"]),
        ("Opcode", &["winlog.opcode"]),
        ("Keywords", &["winlog.keywords"]),
        ("Message", &["message"]),
    ]);
    let audit = mapping(&[
        ("Image", &["winlog.event_data.Image", "winlog.event_data.NewProcessName"]),
        ("ParentImage", &["winlog.event_data.ParentImage", "winlog.event_data.ParentProcessName"]),
    ]);
    pipeline(
        "winlogbeat",
        vec![
            step("winlogbeat", source("windows", None, None), system),
            step("winlogbeat", source("windows", Some("process_creation"), None), audit),
            rest("winlogbeat_rest", "windows", "winlogbeat", "winlog.event_data."),
        ],
    )
}

fn evtx() -> Pipeline {
    let system = mapping(&[
        ("Channel", &["Event.System.Channel"]),
        ("EventID", &["Event.System.EventID", "Event.System.EventID.#text"]),
        ("Provider_Name", &["Event.System.Provider.#attributes.Name", "Event.System.Provider_attributes.Name"]),
        ("Computer", &["Event.System.Computer"]),
        ("ComputerName", &["Event.System.Computer"]),
        ("Level", &["Event.System.Level"]),
        ("Task", &["Event.System.Task"]),
        ("Opcode", &["Event.System.Opcode"]),
        ("Keywords", &["Event.System.Keywords"]),
    ]);
    let audit = mapping(&[
        ("Image", &["Event.EventData.Image", "Event.EventData.NewProcessName"]),
        ("ParentImage", &["Event.EventData.ParentImage", "Event.EventData.ParentProcessName"]),
    ]);
    pipeline(
        "evtx",
        vec![
            step("evtx", source("windows", None, None), system),
            step("evtx", source("windows", Some("process_creation"), None), audit),
            rest("evtx_rest", "windows", "evtx", "Event.EventData."),
        ],
    )
}

/// Fields of Windows events by their names in the Elastic Common Schema.
const ECS_WINDOWS: &[(&str, &[&str])] = &[
    ("Channel", &["winlog.channel"]),
    ("EventID", &["event.code"]),
    ("Provider_Name", &["winlog.provider_name"]),
    ("Computer", &["winlog.computer_name", "host.name"]),
    ("ComputerName", &["winlog.computer_name", "host.name"]),
    ("Message", &["message"]),
    ("Description", &["process.pe.description"]),
    ("Company", &["process.pe.company"]),
    ("Product", &["process.pe.product"]),
    ("FileVersion", &["process.pe.file_version"]),
    ("OriginalFileName", &["process.pe.original_file_name"]),
    ("IntegrityLevel", &["winlog.event_data.IntegrityLevel"]),
    ("ImageLoaded", &["dll.path", "file.path"]),
    ("Signature", &["dll.code_signature.subject_name", "file.code_signature.subject_name"]),
    ("TargetObject", &["registry.path"]),
    ("Details", &["registry.data.strings", "winlog.event_data.Details"]),
    ("PipeName", &["file.name"]),
    ("QueryName", &["dns.question.name"]),
    ("SourceIp", &["source.ip"]),
    ("SourcePort", &["source.port"]),
    ("SourceHostname", &["source.domain"]),
    ("DestinationHostname", &["destination.domain"]),
    ("Initiated", &["winlog.event_data.Initiated"]),
    ("Protocol", &["network.transport"]),
    ("md5", &["process.hash.md5"]),
    ("sha1", &["process.hash.sha1"]),
    ("sha256", &["process.hash.sha256"]),
    ("Imphash", &["process.pe.imphash"]),
    ("ScriptBlockText", &["powershell.file.script_block_text"]),
    ("TargetUserName", &["user.target.name", "winlog.event_data.TargetUserName"]),
    ("SubjectUserName", &["user.name", "winlog.event_data.SubjectUserName"]),
    ("IpAddress", &["source.ip"]),
    ("WorkstationName", &["source.domain"]),
];

/// Fields of events of hosts by their names in the Elastic Common Schema.
const ECS_HOSTS: &[(&str, &[&str])] = &[
    ("Image", &["process.executable"]),
    ("ProcessName", &["process.executable"]),
    ("CommandLine", &["process.command_line"]),
    ("CurrentDirectory", &["process.working_directory"]),
    ("ProcessId", &["process.pid"]),
    ("ProcessGuid", &["process.entity_id"]),
    ("ParentImage", &["process.parent.executable"]),
    ("ParentCommandLine", &["process.parent.command_line"]),
    ("ParentProcessId", &["process.parent.pid"]),
    ("ParentProcessGuid", &["process.parent.entity_id"]),
    ("User", &["user.name"]),
    ("TargetFilename", &["file.path"]),
    ("DestinationIp", &["destination.ip"]),
    ("DestinationPort", &["destination.port"]),
];

/// Names of fields that events of Windows have, as Sysmon and the event log write them.
pub fn windows_fields() -> impl Iterator<Item = &'static str> {
    ECS_WINDOWS.iter().chain(ECS_HOSTS).map(|(name, _)| *name)
}

fn ecs() -> Pipeline {
    let windows = [ECS_WINDOWS, ECS_HOSTS].concat();
    pipeline(
        "ecs",
        vec![
            step("ecs", source("windows", None, None), mapping(&windows)),
            step("ecs_linux", source("linux", None, None), mapping(ECS_HOSTS)),
            rest("ecs_rest", "windows", "ecs", "winlog.event_data."),
        ],
    )
}

fn zeek() -> Pipeline {
    let http = mapping(&[
        ("c-uri", &["uri"]),
        ("c-uri-query", &["uri"]),
        ("c-useragent", &["user_agent"]),
        ("cs-method", &["method"]),
        ("cs-host", &["host"]),
        ("cs-referrer", &["referrer"]),
        ("sc-status", &["status_code"]),
        ("dst_ip", &["id.resp_h"]),
        ("src_ip", &["id.orig_h"]),
        ("dst_port", &["id.resp_p"]),
        ("src_port", &["id.orig_p"]),
    ]);
    pipeline("zeek", vec![step("zeek", source("zeek", None, None), http)])
}

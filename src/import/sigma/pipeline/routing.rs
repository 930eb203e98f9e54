//! By which fields events of a log source are told from others.
//!
//! The fields are those of the events as their sources write them: `Channel` and `EventID` of Windows event logs,
//! `_path` of Zeek, and so on. Pipelines that rename fields rename these too, so one table serves every agent.

use super::super::model::{Logsource, Text};

/// Which routes are known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Routes(u8);

/// Fields with the values of which they have one; all of them hold.
pub type Fields = Vec<(String, Vec<String>)>;

impl Routes {
    /// None.
    pub const NONE: Self = Self(0);
    /// Services of Windows by their channels.
    pub const WINDOWS: Self = Self(1);
    /// Categories by the events of Sysmon, on Windows and on Linux, and by those of the audit log.
    pub const SYSMON: Self = Self(2);
    /// Records of CloudTrail.
    pub const CLOUDTRAIL: Self = Self(4);
    /// Records of the Linux audit daemon.
    pub const AUDITD: Self = Self(8);
    /// Logs of Zeek.
    pub const ZEEK: Self = Self(16);
    /// Events of Linux hosts in the Elastic Common Schema.
    pub const ECS_LINUX: Self = Self(32);
    /// Those that need no mapping of names.
    pub const ALL: Self = Self(1 | 2 | 4 | 8 | 16);

    /// Both.
    #[must_use]
    pub fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// The alternatives, of which one holds for every event of a log source; none where it is not known. Nothing to
    /// ask for is an empty list: a log source without parts holds every event.
    pub fn find(self, source: &Logsource) -> Option<Vec<Fields>> {
        let word = |text: &'_ Option<Text>| text.as_ref().map(|text| text.value.to_lowercase());
        let (category, product, service) = (word(&source.category), word(&source.product), word(&source.service));
        let (category, service) = (category.as_deref(), service.as_deref());
        match product.as_deref() {
            None if category.is_none() && service.is_none() => Some(Vec::new()),
            None if service.is_none() && self.has(Self::SYSMON) => {
                let mut found = windows_category(category?).unwrap_or_default();
                found.extend(linux_category(category?).unwrap_or_default());
                (!found.is_empty()).then_some(found)
            }
            Some("windows") => self.windows(category, service),
            Some("linux") => match (category, service) {
                (None, Some("auditd")) if self.has(Self::AUDITD) => {
                    Some(vec![vec![field("type|re", &["^[A-Z][A-Z0-9_]+$"])]])
                }
                (Some(category), None) if self.has(Self::ECS_LINUX) => ecs_linux(category),
                (Some(category), None) if self.has(Self::SYSMON) => linux_category(category),
                _ => None,
            },
            Some("aws") if self.has(Self::CLOUDTRAIL) && service == Some("cloudtrail") && category.is_none() => {
                Some(vec![vec![field("eventVersion|exists", &["true"]), field("eventSource|exists", &["true"])]])
            }
            Some("zeek") if self.has(Self::ZEEK) && category.is_none() => {
                let service = service?;
                Some(vec![
                    vec![field("_path", &[service])],
                    vec![field("event.dataset", &[&format!("zeek.{service}")])],
                ])
            }
            _ => None,
        }
    }

    fn windows(self, category: Option<&str>, service: Option<&str>) -> Option<Vec<Fields>> {
        let channels = match service {
            Some(service) if self.has(Self::WINDOWS) || service == "sysmon" => Some(channels(service)?),
            Some(_) => return None,
            None => None,
        };
        match (category, channels) {
            (None, None) if self.has(Self::WINDOWS) => Some(vec![vec![field("Channel|exists", &["true"])]]),
            (None, None) => None,
            (None, Some(channels)) => Some(vec![vec![field("Channel", channels)]]),
            (Some(category), channels) => {
                let mut found = if self.has(Self::SYSMON) { windows_category(category) } else { None };
                if found.is_none() && self.has(Self::WINDOWS) {
                    found = powershell(category);
                }
                let mut found = found?;
                if let Some(channels) = channels {
                    let of_service = |values: &[String]| values.iter().any(|v| channels.contains(&v.as_str()));
                    found.retain(|fields| fields.iter().any(|(name, values)| name == "Channel" && of_service(values)));
                }
                (!found.is_empty()).then_some(found)
            }
        }
    }
}

/// A log source as fields of the event, as some shippers add them: `product`, or `logsource.product`.
pub fn as_fields(source: &Logsource) -> Vec<Fields> {
    let parts = [("product", &source.product), ("category", &source.category), ("service", &source.service)];
    let named = |prefix: &str| -> Fields {
        let of = |(name, value): &(&str, &Option<Text>)| {
            value.as_ref().map(|value| field(&format!("{prefix}{name}"), &[value.as_str()]))
        };
        parts.iter().filter_map(of).collect()
    };
    vec![named(""), named("logsource.")]
}

fn field(name: &str, values: &[&str]) -> (String, Vec<String>) {
    (name.to_owned(), values.iter().map(|value| (*value).to_owned()).collect())
}

fn event(channel: &str, ids: &[&str]) -> Fields {
    vec![field("Channel", &[channel]), field("EventID", ids)]
}

const SYSMON: &str = "Microsoft-Windows-Sysmon/Operational";

/// The numbers of Sysmon's events.
fn sysmon(category: &str) -> Option<&'static [&'static str]> {
    Some(match category {
        "process_creation" => &["1"],
        "file_change" => &["2"],
        "network_connection" => &["3"],
        "sysmon_status" => &["4", "16"],
        "process_termination" => &["5"],
        "driver_load" => &["6"],
        "image_load" => &["7"],
        "create_remote_thread" => &["8"],
        "raw_access_thread" => &["9"],
        "process_access" => &["10"],
        "file_event" => &["11"],
        "registry_add" | "registry_delete" => &["12"],
        "registry_set" => &["13"],
        "registry_rename" => &["14"],
        "registry_event" => &["12", "13", "14"],
        "create_stream_hash" => &["15"],
        "pipe_created" => &["17", "18"],
        "wmi_event" => &["19", "20", "21"],
        "dns_query" => &["22"],
        "file_delete" => &["23", "26"],
        "clipboard_capture" | "clipboard_change" => &["24"],
        "process_tampering" => &["25"],
        "file_block" | "file_block_executable" => &["27"],
        "file_block_shredding" => &["28"],
        "file_executable_detected" => &["29"],
        "sysmon_error" => &["255"],
        _ => return None,
    })
}

fn windows_category(category: &str) -> Option<Vec<Fields>> {
    let mut found = vec![event(SYSMON, sysmon(category)?)];
    if category == "process_creation" {
        found.push(event("Security", &["4688"]));
    }
    Some(found)
}

fn powershell(category: &str) -> Option<Vec<Fields>> {
    let operational = |id| {
        let channels = ["Microsoft-Windows-PowerShell/Operational", "PowerShellCore/Operational"];
        Some(vec![vec![field("Channel", &channels), field("EventID", &[id])]])
    };
    let classic = |id| Some(vec![event("Windows PowerShell", &[id])]);
    match category {
        "ps_module" => operational("4103"),
        "ps_script" => operational("4104"),
        "ps_classic_start" => classic("400"),
        "ps_classic_provider_start" => classic("600"),
        "ps_classic_script" => classic("800"),
        _ => None,
    }
}

fn linux_category(category: &str) -> Option<Vec<Fields>> {
    let of_linux = ["process_creation", "network_connection", "process_termination", "file_event", "file_delete"];
    let ids = sysmon(category).filter(|_| of_linux.contains(&category))?;
    Some(vec![event("Linux-Sysmon/Operational", ids)])
}

fn ecs_linux(category: &str) -> Option<Vec<Fields>> {
    let (category, kind): (&str, &[&str]) = match category {
        "process_creation" => ("process", &["start"]),
        "network_connection" => ("network", &["start", "connection"]),
        "file_event" => ("file", &["creation"]),
        "file_delete" => ("file", &["deletion"]),
        _ => return None,
    };
    let kinds = field("event.type", kind);
    Some(vec![vec![field("host.os.type", &["linux"]), field("event.category", &[category]), kinds]])
}

/// The channels of a service of Windows.
fn channels(service: &str) -> Option<&'static [&'static str]> {
    Some(match service {
        "application" => &["Application"],
        "security" => &["Security"],
        "system" => &["System"],
        "sysmon" => &[SYSMON],
        "powershell" => &["Microsoft-Windows-PowerShell/Operational", "PowerShellCore/Operational"],
        "powershell-classic" => &["Windows PowerShell"],
        "applocker" => &[
            "Microsoft-Windows-AppLocker/EXE and DLL",
            "Microsoft-Windows-AppLocker/MSI and Script",
            "Microsoft-Windows-AppLocker/Packaged app-Deployment",
            "Microsoft-Windows-AppLocker/Packaged app-Execution",
        ],
        "appmodel-runtime" => &["Microsoft-Windows-AppModel-Runtime/Admin"],
        "appxdeployment-server" => &["Microsoft-Windows-AppXDeploymentServer/Operational"],
        "appxpackaging-om" => &["Microsoft-Windows-AppxPackaging/Operational"],
        "bits-client" => &["Microsoft-Windows-Bits-Client/Operational"],
        "capi2" => &["Microsoft-Windows-CAPI2/Operational"],
        "certificateservicesclient-lifecycle-system" => {
            &["Microsoft-Windows-CertificateServicesClient-Lifecycle-System/Operational"]
        }
        "codeintegrity-operational" => &["Microsoft-Windows-CodeIntegrity/Operational"],
        "dhcp" => &["Microsoft-Windows-DHCP-Server/Operational"],
        "diagnosis-scripted" => &["Microsoft-Windows-Diagnosis-Scripted/Operational"],
        "dns-client" => {
            &["Microsoft-Windows-DNS Client Events/Operational", "Microsoft-Windows-DNS-Client/Operational"]
        }
        "dns-server" => &["DNS Server"],
        "dns-server-analytic" => &["Microsoft-Windows-DNS-Server/Analytical", "Microsoft-Windows-DNSServer/Analytical"],
        "dns-server-audit" => &["Microsoft-Windows-DNS-Server/Audit", "Microsoft-Windows-DNSServer/Audit"],
        "driver-framework" => &["Microsoft-Windows-DriverFrameworks-UserMode/Operational"],
        "firewall-as" => &["Microsoft-Windows-Windows Firewall With Advanced Security/Firewall"],
        "hyper-v-worker" => &["Microsoft-Windows-Hyper-V-Worker-Admin", "Microsoft-Windows-Hyper-V-Worker/Admin"],
        "iis-configuration" => &["Microsoft-IIS-Configuration/Operational"],
        "kernel-event-tracing" => &["Microsoft-Windows-Kernel-EventTracing/Admin"],
        "kernel-shimengine" => {
            &["Microsoft-Windows-Kernel-ShimEngine/Operational", "Microsoft-Windows-Kernel-ShimEngine/Diagnostic"]
        }
        "ldap" | "ldap_debug" => &["Microsoft-Windows-LDAP-Client/Debug"],
        "lsa-server" => &["Microsoft-Windows-LSA/Operational"],
        "microsoft-servicebus-client" => &[
            "Microsoft-ServiceBus-Client",
            "Microsoft-ServiceBus-Client/Admin",
            "Microsoft-ServiceBus-Client/Operational",
        ],
        "msexchange-management" => &["MSExchange Management"],
        "ntfs" => &["Microsoft-Windows-Ntfs/Operational"],
        "ntlm" => &["Microsoft-Windows-NTLM/Operational"],
        "openssh" => &["OpenSSH/Operational"],
        "printservice-admin" => &["Microsoft-Windows-PrintService/Admin"],
        "printservice-operational" => &["Microsoft-Windows-PrintService/Operational"],
        "security-mitigations" => {
            &["Microsoft-Windows-Security-Mitigations/Kernel Mode", "Microsoft-Windows-Security-Mitigations/User Mode"]
        }
        "shell-core" => &["Microsoft-Windows-Shell-Core/Operational"],
        "smbclient-connectivity" => &["Microsoft-Windows-SmbClient/Connectivity"],
        "smbclient-security" => &["Microsoft-Windows-SmbClient/Security"],
        "smbserver-connectivity" => &["Microsoft-Windows-SMBServer/Connectivity"],
        "taskscheduler" => &["Microsoft-Windows-TaskScheduler/Operational"],
        "terminalservices-localsessionmanager" => {
            &["Microsoft-Windows-TerminalServices-LocalSessionManager/Operational"]
        }
        "vhdmp" => &["Microsoft-Windows-VHDMP/Operational", "Microsoft-Windows-VHDMP-Operational"],
        "windefend" => &["Microsoft-Windows-Windows Defender/Operational"],
        "wmi" => &["Microsoft-Windows-WMI-Activity/Operational"],
        _ => return None,
    })
}

//! Lines of events, made up here: three shapes of about 430 bytes each, nested objects, escapes and non-ASCII text in
//! some. Six fields are read, two of which most lines lack, so that no reader can stop early.

use std::fmt::Write;

use tripline::decode::PathTrie;

const PATHS: [&str; 6] = ["@timestamp", "host.name", "event.action", "user.name", "source.ip", "network.bytes"];

/// So many lines.
pub fn lines(count: u32) -> String {
    let mut text = String::new();
    for n in 0..count {
        // Spreads without a pattern that a branch predictor could learn.
        let random = n.wrapping_mul(2_654_435_761) >> 7;
        let (host, user, port) = (random % 500, random % 977, 1_024 + random % 60_000);
        let second = n / 100 % 60;
        let head = format!(
            r#"{{"@timestamp":"2024-05-01T10:{:02}:{second:02}.{:03}Z","ecs":{{"version":"8.11.0"}},"host":{{"name":"web-{host}","id":"{random:032x}","os":{{"family":"linux","kernel":"6.1.0-18-amd64"}}}}"#,
            n / 6_000 % 60,
            n % 1_000,
        );
        text.push_str(&head);
        let tail = match random % 20 {
            0..8 => write!(
                text,
                r#","event":{{"category":"authentication","action":"ssh_login","outcome":"failure","severity":{}}},"user":{{"name":"user{user}","domain":"CORP","roles":["staff","vpn"]}},"source":{{"ip":"10.1.{}.{}","port":{port}}},"message":"Failed password for user{user} from 10.1.0.7 port {port} ssh2"}}"#,
                n % 10,
                host % 256,
                user % 256,
            ),
            8..15 => write!(
                text,
                r#","event":{{"category":"process","action":"start","outcome":"success"}},"user":{{"name":"CORP\\user{user}"}},"process":{{"executable":"C:\\Windows\\System32\\cmd.exe","command_line":"cmd.exe /c \"dir C:\\Users\\Zoë\"","pid":{port},"parent":{{"pid":{host},"name":"explorer.exe"}}}},"score":{}.25}}"#,
                n % 100,
            ),
            _ => write!(
                text,
                r#","event":{{"category":"network","action":"flow","duration":{}.5}},"source":{{"ip":"10.2.0.{}","port":{port}}},"destination":{{"ip":"192.0.2.{}","port":443}},"network":{{"bytes":{},"packets":{host},"protocol":"tls","transport":"tcp"}},"tls":{{"version":"1.3","server_name":"example.org"}}}}"#,
                n % 300,
                host % 256,
                user % 256,
                u64::from(random) * 3,
            ),
        };
        tail.expect("memory takes everything");
        text.push('\n');
    }
    text
}

/// The fields that are read.
pub fn trie() -> PathTrie {
    let paths: Vec<Vec<String>> = PATHS.iter().map(|path| path.split('.').map(str::to_owned).collect()).collect();
    PathTrie::new(&paths)
}

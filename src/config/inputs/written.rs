//! An input as it stands in the file.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::value::MapAccessDeserializer;
use serde::de::{self, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::super::kafka::WrittenSetting;
use super::super::outputs::WrittenText;
use super::super::{OneOrMany, WrittenTime};

/// `inputs: a` is `inputs: [a]`.
#[derive(Debug, Default)]
pub(in crate::config) struct WrittenInputs(pub(super) Vec<WrittenInput>);

/// A path alone, or an input with its settings.
#[derive(Debug)]
pub(super) enum WrittenInput {
    Path(String),
    Full(Box<Written>),
}

/// All keys that any input may have. Which of them go together is for [`super::read`] to say.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Written {
    pub(super) name: Option<String>,
    // Where from: one of these.
    pub(super) file: Option<String>,
    pub(super) http: Option<WrittenAddress>,
    pub(super) tcp: Option<WrittenAddress>,
    pub(super) unix: Option<String>,
    pub(super) syslog: Option<String>,
    pub(super) kafka: Option<String>,
    // How events are read.
    pub(super) time: Option<WrittenTime>,
    pub(super) type_field: Option<String>,
    pub(super) lateness: Option<String>,
    pub(super) idle: Option<String>,
    pub(super) max_future: Option<String>,
    pub(super) preset: Option<String>,
    // What only some of them have.
    pub(super) format: Option<String>,
    pub(super) columns: Option<BTreeMap<String, String>>,
    pub(super) delimiter: Option<String>,
    pub(super) token: Option<WrittenText>,
    pub(super) max_body: Option<String>,
    pub(super) mode: Option<String>,
    pub(super) open_json: Option<bool>,
    pub(super) zone: Option<String>,
    pub(super) cert: Option<String>,
    pub(super) key: Option<String>,
    pub(super) ca: Option<String>,
    pub(super) connections: Option<usize>,
    pub(super) queue: Option<String>,
    pub(super) timeout: Option<String>,
    pub(super) topics: Option<OneOrMany>,
    pub(super) group: Option<String>,
    pub(super) start: Option<String>,
    pub(super) until: Option<String>,
    pub(super) state_topic: Option<String>,
    pub(super) rejects: Option<String>,
    pub(super) partition_by: Option<OneOrMany>,
    pub(super) instance: Option<String>,
    pub(super) protocol: Option<String>,
    pub(super) tls: Option<String>,
    pub(super) mechanism: Option<String>,
    pub(super) user: Option<String>,
    pub(super) password: Option<WrittenText>,
    pub(super) settings: Option<BTreeMap<String, WrittenSetting>>,
}

impl Written {
    /// The keys that are set, of those that only some inputs have.
    pub(super) fn special(&self) -> Vec<&'static str> {
        keys_set!(self;
            format, columns, delimiter, token, max_body, mode, open_json, zone, cert, key, ca, connections,
            queue, timeout, topics, group, start, until, state_topic, rejects, partition_by, instance, protocol, tls, mechanism, user, password,
            settings
        )
    }

    /// The keys that are set, of those that say where from.
    pub(super) fn origins(&self) -> Vec<&'static str> {
        keys_set!(self; file, http, tcp, unix, syslog, kafka)
    }
}

/// An address with a port, or a port alone.
#[derive(Debug)]
pub(super) struct WrittenAddress(pub(super) String);

impl<'de> Deserialize<'de> for WrittenAddress {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Address;
        impl Visitor<'_> for Address {
            type Value = WrittenAddress;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an address with a port, or a port")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<WrittenAddress, E> {
                Ok(WrittenAddress(text.to_owned()))
            }

            fn visit_u64<E: de::Error>(self, port: u64) -> Result<WrittenAddress, E> {
                Ok(WrittenAddress(port.to_string()))
            }
        }
        from.deserialize_any(Address)
    }
}

impl<'de> Deserialize<'de> for WrittenInput {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Item;
        impl<'de> Visitor<'de> for Item {
            type Value = WrittenInput;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a path, or the settings of an input")
            }

            fn visit_str<E: de::Error>(self, path: &str) -> Result<WrittenInput, E> {
                Ok(WrittenInput::Path(path.to_owned()))
            }

            fn visit_map<M: MapAccess<'de>>(self, map: M) -> Result<WrittenInput, M::Error> {
                Written::deserialize(MapAccessDeserializer::new(map)).map(|full| WrittenInput::Full(Box::new(full)))
            }
        }
        from.deserialize_any(Item)
    }
}

impl<'de> Deserialize<'de> for WrittenInputs {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Items;
        impl<'de> Visitor<'de> for Items {
            type Value = WrittenInputs;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a path, or a list of inputs")
            }

            fn visit_str<E: de::Error>(self, path: &str) -> Result<WrittenInputs, E> {
                Ok(WrittenInputs(vec![WrittenInput::Path(path.to_owned())]))
            }

            fn visit_seq<S: SeqAccess<'de>>(self, mut seq: S) -> Result<WrittenInputs, S::Error> {
                let mut items = Vec::new();
                while let Some(item) = seq.next_element()? {
                    items.push(item);
                }
                Ok(WrittenInputs(items))
            }
        }
        from.deserialize_any(Items)
    }
}

impl WrittenTime {
    /// The fields, if any are named.
    pub(super) fn fields(&self) -> Option<Vec<String>> {
        self.fields.as_ref().map(OneOrMany::as_slice).map(<[String]>::to_vec)
    }
}

//! The subscriptions file: which paths take deliveries, whose they are, how they are read and how they prove to be genuine.
//!
//! ```toml
//! version = 1
//!
//! [[subscription]]
//! name = "genesys-main"
//! path = "/hooks/genesys"
//! tenant = "acme"
//! format = "genesys-webhook"            # or another of those that the example file lists
//! max_body_bytes = 1048576
//!
//! [subscription.signature]
//! header = "x-genesys-signature"
//! secrets = [{ file = "secret-new" }, { env = "SECRET_OLD" }, "a value, for tests only"]
//! ```
//!
//! Other ways than a signature are a `[[subscription.auth]]` each, see `subscriptions/auth.rs`.

mod auth;
pub mod platform;
mod secrets;
pub mod transport;

pub use transport::Transport;

use crate::auth::Authentication;
use crate::auth::jwt::RemoteKeys;
use runtime::toml_file::secret::environment;
use runtime::toml_file::{self, Section, TomlFile};
use schema::{BodyFormat, SubscriptionName, TenantId};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// The version of the file this release reads.
const FILE_VERSION: u64 = 1;
/// The body limit where none is configured.
pub const BODY_BYTES_DEFAULT: usize = 1 << 20;
/// The largest body limit that can be configured: one body and its envelope must fit into one broker message.
const BODY_BYTES_MAX: u64 = 15 << 20;
/// The formats a body may have.
const FORMATS: [&str; 11] = [
    "genesys-webhook",
    "genesys-details",
    "genesys-user-details",
    "genesys-schedules",
    "cxone-contacts",
    "cxone-contact-states",
    "cxone-call-detail",
    "cxone-digital",
    "cxone-agent-states",
    "cxone-agent-state-log",
    "mapped",
];
/// Those of them whose times are local to a zone that the body does not state.
const LOCAL_FORMATS: [&str; 2] = ["cxone-call-detail", "cxone-agent-state-log"];

/// One source of deliveries.
#[derive(Debug, Clone)]
pub struct Subscription {
    /// Its name.
    pub name: SubscriptionName,
    /// The HTTP path, beginning with a slash.
    pub path: String,
    /// Whose deliveries these are.
    pub tenant: TenantId,
    /// How bodies are read.
    pub format: BodyFormat,
    /// How deliveries prove to be genuine. Absent only when the file was read without secrets.
    pub authentication: Option<Authentication>,
    /// The largest body taken.
    pub max_body_bytes: usize,
    /// How its deliveries travel.
    pub transport: Transport,
    /// The platform's side of it, where the file says something about that.
    pub platform: Option<platform::Platform>,
    /// How its deliveries prove to be genuine, in words for a list.
    pub ways: Option<String>,
}

/// The whole file.
#[derive(Debug, Clone, Default)]
pub struct Subscriptions {
    /// The sources, in the order of the file.
    pub list: Vec<Subscription>,
    /// The mapping files that formats name: name to path.
    pub mappings: BTreeMap<String, PathBuf>,
    /// File and line that name each of them first.
    pub mapping_places: BTreeMap<String, String>,
    /// The files that secrets and keys were read from.
    pub secret_files: Vec<PathBuf>,
    /// The keys that issuers of tokens publish, one each URL.
    pub remote_keys: Vec<RemoteKeys>,
}

impl Subscriptions {
    /// The subscription of this name.
    pub fn named(&self, name: &str) -> Option<&Subscription> {
        self.list.iter().find(|found| found.name.as_str() == name)
    }
}

/// Whether secrets are needed: only *receive* checks signatures, and only it should be given them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Secrets {
    /// Resolve and require them.
    Required,
    /// Leave them alone.
    NotNeeded,
}

/// Reads the file, or lists everything that is wrong with it.
pub fn load(path: &Path, secrets: Secrets) -> Result<Subscriptions, Vec<String>> {
    good(load_all(path, secrets))
}

/// Reads the file as far as it can be read, and lists everything that is wrong with it.
pub fn load_all(path: &Path, secrets: Secrets) -> (Subscriptions, Vec<String>) {
    match toml_file::open(path) {
        Ok(file) => parse_all(&file.name, &file.text, file.folder, secrets, &environment),
        Err(problem) => (Subscriptions::default(), vec![problem]),
    }
}

fn good((found, problems): (Subscriptions, Vec<String>)) -> Result<Subscriptions, Vec<String>> {
    if problems.is_empty() {
        Ok(found)
    } else {
        Err(problems)
    }
}

/// Reads the text of a file; `folder` is what relative file names start from, `variable` looks up environment variables.
pub fn parse(
    name: &str,
    text: &str,
    folder: &Path,
    secrets: Secrets,
    variable: &dyn Fn(&str) -> Option<String>,
) -> Result<Subscriptions, Vec<String>> {
    good(parse_all(name, text, folder, secrets, variable))
}

fn parse_all(
    name: &str,
    text: &str,
    folder: &Path,
    secrets: Secrets,
    variable: &dyn Fn(&str) -> Option<String>,
) -> (Subscriptions, Vec<String>) {
    let mut file = TomlFile::new(name, text);
    let root = file.parse();
    if file.has_problems() {
        // What is missing behind a mistake in the syntax may well be there.
        return (Subscriptions::default(), file.into_problems());
    }
    let root = Section {
        table: root.get_ref(),
        at: 0,
    };
    let mut reader = Reader {
        file,
        folder,
        secrets,
        variable,
        found: Subscriptions::default(),
        names: BTreeSet::new(),
        paths: BTreeSet::new(),
    };
    let without = "nothing could be received";
    for section in reader
        .file
        .entries(root, FILE_VERSION, "subscription", &[], without)
    {
        reader.subscription(section);
    }
    (reader.found, reader.file.into_problems())
}

struct Reader<'a> {
    file: TomlFile<'a>,
    folder: &'a Path,
    secrets: Secrets,
    variable: &'a dyn Fn(&str) -> Option<String>,
    found: Subscriptions,
    names: BTreeSet<String>,
    paths: BTreeSet<String>,
}

impl Reader<'_> {
    fn subscription(&mut self, section: Section<'_>) {
        let known = [
            "name",
            "path",
            "tenant",
            "format",
            "mapping",
            "zone",
            "max_body_bytes",
            "signature",
            "auth",
            "require",
            "platform",
        ];
        self.file
            .only(section, &[&known[..], &transport::SETTINGS].concat());
        let name = self.file.own_name(section, &mut self.names);
        let path = self.path(section);
        let tenant = self.file.name(section, "tenant");
        let format = self.format(section);
        let max_body_bytes = self
            .file
            .number(section, "max_body_bytes", 1..BODY_BYTES_MAX + 1)
            .and_then(|bytes| usize::try_from(bytes).ok())
            .unwrap_or(BODY_BYTES_DEFAULT);
        let transport = self.transport(section, max_body_bytes);
        let platform = platform::platform(&mut self.file, self.folder, section);
        let ways = platform::ways(section);
        let authentication = match self.secrets {
            Secrets::Required => self.authentication(section).map(Some),
            Secrets::NotNeeded => Some(None),
        };
        let (Some(name), Some(path), Some((tenant, _)), Some(format), Some(authentication)) =
            (name, path, tenant, format, authentication)
        else {
            return; // every missing part has been noted
        };
        self.found.list.push(Subscription {
            name: name.into(),
            path,
            tenant: tenant.into(),
            format,
            authentication,
            max_body_bytes,
            transport,
            platform,
            ways,
        });
    }

    fn path(&mut self, section: Section<'_>) -> Option<String> {
        let (path, at) = self.file.required(section, "path")?;
        let fits = path.starts_with('/')
            && path
                .bytes()
                .all(|byte| byte.is_ascii_graphic() && !b"?#".contains(&byte));
        if !fits {
            self.file.problem(
                at,
                format_args!(
                    "`path` is `{path}`; it begins with / and has no query, fragment or blank"
                ),
            );
            return None;
        }
        if !self.paths.insert(path.to_owned()) {
            self.file
                .problem(at, format_args!("the path `{path}` is taken by another"));
        }
        Some(path.to_owned())
    }

    fn format(&mut self, section: Section<'_>) -> Option<BodyFormat> {
        let (format, at) = self.file.required(section, "format")?;
        let mapping = self.file.text(section, "mapping");
        if format != "mapped"
            && let Some((_, at)) = mapping
        {
            self.file
                .problem(at, "`mapping` has a meaning only with format = \"mapped\"");
        }
        let zone = self.file.text(section, "zone");
        if !LOCAL_FORMATS.contains(&format)
            && let Some((_, at)) = zone
        {
            let formats = LOCAL_FORMATS.join(" and ");
            self.file
                .problem(at, format_args!("`zone` has a meaning only with {formats}"));
        }
        match format {
            "genesys-webhook" => Some(BodyFormat::GenesysWebhook),
            "genesys-details" => Some(BodyFormat::GenesysDetails),
            "genesys-user-details" => Some(BodyFormat::GenesysUserDetails),
            "genesys-schedules" => Some(BodyFormat::GenesysSchedules),
            "cxone-contacts" => Some(BodyFormat::CxoneContacts),
            "cxone-contact-states" => Some(BodyFormat::CxoneContactStates),
            "cxone-digital" => Some(BodyFormat::CxoneDigital),
            "cxone-agent-states" => Some(BodyFormat::CxoneAgentStates),
            "cxone-call-detail" => {
                let zone = self.zone(zone, format, at)?.into();
                Some(BodyFormat::CxoneCallDetail { zone })
            }
            "cxone-agent-state-log" => {
                let zone = self.zone(zone, format, at)?.into();
                Some(BodyFormat::CxoneAgentStateLog { zone })
            }
            "mapped" => {
                if let Some((file, at)) = mapping {
                    return self.mapping(file, at);
                }
                self.file.problem(
                    at,
                    "format \"mapped\" needs `mapping`, the mapping file's name",
                );
                None
            }
            other => {
                let known = FORMATS.join(", ");
                self.file
                    .problem(at, format_args!("`format` is `{other}`; known are {known}"));
                None
            }
        }
    }

    /// The zone that the times of a report are local to.
    fn zone<'t>(
        &mut self,
        stated: Option<(&'t str, usize)>,
        format: &str,
        at: usize,
    ) -> Option<&'t str> {
        let Some((zone, at)) = stated else {
            self.file.problem(
                at,
                format_args!("format \"{format}\" needs `zone`, the business unit's IANA zone"),
            );
            return None;
        };
        match adapter::cxone_call_detail::check_zone(zone) {
            Ok(()) => Some(zone),
            Err(error) => {
                self.file.problem(at, format_args!("`zone`: {error}"));
                None
            }
        }
    }

    /// A mapping is known by its file's stem: the event log keeps that name, so that a replay finds the file again.
    fn mapping(&mut self, file: &str, at: usize) -> Option<BodyFormat> {
        let path = self.folder.join(file);
        let Some(name) = path.file_stem().and_then(|stem| stem.to_str()) else {
            self.file.problem(
                at,
                format_args!("`mapping` is `{file}`, which names no file"),
            );
            return None;
        };
        let name = name.to_owned();
        if let Some(other) = self.found.mappings.get(&name)
            && *other != path
        {
            self.file.problem(
                at,
                format_args!(
                    "two mapping files are called `{name}`; a mapping's name must be its own"
                ),
            );
            return None;
        }
        self.found.mappings.insert(name.clone(), path);
        let place = self.file.place(at);
        self.found
            .mapping_places
            .entry(name.clone())
            .or_insert(place);
        Some(BodyFormat::Mapped {
            mapping: name.as_str().into(),
        })
    }
}

#[cfg(test)]
mod tests;

//! Where a feed's files go.

use crate::feeds::sink::{FolderPlace, HttpPlace, Manner, Place, S3Place};
use crate::targets::headers;
use access::entry::{Query, http_url};
use platform::secret::Secret;
use runtime::toml_file::secret::Secrets;
use runtime::toml_file::{Section, TomlFile};

#[derive(Debug, Clone, Copy)]
enum Kind {
    Http,
    Folder,
    S3,
}

const KINDS: [(&str, Kind); 3] = [
    ("http", Kind::Http),
    ("folder", Kind::Folder),
    ("s3", Kind::S3),
];

/// The table `sink`.
pub(super) fn place(
    file: &mut TomlFile<'_>,
    feed: Section<'_>,
    secrets: Secrets<'_>,
) -> Option<Place> {
    if !feed.table.contains_key("sink") {
        file.problem(feed.at, "[feed.sink] is missing: the files go nowhere");
    }
    let section = file.section(feed, "sink")?;
    file.required(section, "kind")?;
    match file.choice(section, "kind", &KINDS, Kind::Folder)? {
        Kind::Http => http(file, section, secrets).map(Place::Http),
        Kind::Folder => {
            file.only(section, &["kind", "path"]);
            let (path, _) = file.required(section, "path")?;
            let path = secrets.folder.join(path);
            Some(Place::Folder(FolderPlace { path }))
        }
        Kind::S3 => s3(file, section, secrets).map(Place::S3),
    }
}

fn http(file: &mut TomlFile<'_>, section: Section<'_>, secrets: Secrets<'_>) -> Option<HttpPlace> {
    file.only(section, &["kind", "url", "method", "headers"]);
    if !section.table.contains_key("url") {
        file.problem(section.at, "`url` is missing");
    }
    let url = http_url(file, section, "url", Query::Allowed);
    let manners = [("PUT", Manner::Put), ("POST", Manner::Post)];
    let manner = file.choice(section, "method", &manners, Manner::Put);
    let headers = headers(file, section, secrets);
    let place = HttpPlace {
        url: url?,
        manner: manner?,
        headers,
    };
    if place.manner == Manner::Put && !place.is_named() {
        file.problem(
            section.at,
            "a PUT replaces what is there: a part of the path of `url` must be {file}, where the name of the file goes",
        );
    }
    Some(place)
}

fn s3(file: &mut TomlFile<'_>, section: Section<'_>, secrets: Secrets<'_>) -> Option<S3Place> {
    file.only(
        section,
        &[
            "kind",
            "endpoint",
            "region",
            "bucket",
            "style",
            "prefix",
            "access_key",
            "secret_key",
        ],
    );
    if !section.table.contains_key("endpoint") {
        file.problem(section.at, "`endpoint` is missing");
    }
    let endpoint = http_url(file, section, "endpoint", Query::Refused);
    let region = file
        .text(section, "region")
        .map_or("us-east-1", |(text, _)| text);
    let bucket = file.plain(section, "bucket");
    let in_path = file.choice(section, "style", &[("path", true), ("host", false)], true);
    let prefix = prefix(file, section);
    let mut secret = |key| {
        let secret = file.secret(section, key, secrets);
        secret.map(|secret| Secret::new(secret.expose()))
    };
    let (access_key, secret_key) = (secret("access_key"), secret("secret_key"));
    let place = S3Place {
        endpoint: endpoint?,
        region: region.to_owned(),
        bucket: bucket?.to_owned(),
        in_path: in_path?,
        prefix: prefix?,
        access_key: access_key?,
        secret_key: secret_key?,
    };
    if place.bucket().is_err() {
        file.problem(
            section.at,
            "`bucket` cannot be part of the host of `endpoint`; write style = \"path\"",
        );
    }
    Some(place)
}

/// What all names begin with: nothing, or folders.
fn prefix(file: &mut TomlFile<'_>, section: Section<'_>) -> Option<String> {
    let Some((text, at)) = file.text(section, "prefix") else {
        return (!section.table.contains_key("prefix")).then(String::new);
    };
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-=".contains(c);
    let is_folder =
        |part: &str| !part.is_empty() && !part.starts_with('.') && part.chars().all(plain);
    let trimmed = text.trim_end_matches('/');
    if !trimmed.split('/').all(is_folder) {
        file.problem(
            at,
            format_args!("`prefix` is `{text}`; folders of letters, digits and . _ - = are allowed, with slashes between"),
        );
        return None;
    }
    Some(format!("{trimmed}/"))
}

//! Files that workers share: a chunk is a file.

use super::file::{Cursor, FileRef, Params, is_standard_input, message, open};
use super::pages::{Page, Pages};
use super::record::ReadError;
use super::source::Source;
use crate::config::Files;
use crate::ready::{Ready, Unready};
use adapter::Mappings;
use anyhow::Context as _;
use schema::{JobId, MetricVersion};
use std::sync::Arc;

/// A job of files, as it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FilesPlan {
    pub(crate) params_json: String,
    /// The first cursor of each chunk.
    pub(crate) chunks: Vec<String>,
    /// The size of the files, as they are stored.
    pub(crate) bytes: u64,
}

/// What a job of these files is. Each is opened and its beginning looked at, so that what can never be read is refused before a job begins.
pub(crate) fn plan(
    files: &Files,
    page_bytes: usize,
    mappings: &Arc<Mappings>,
) -> anyhow::Result<FilesPlan> {
    if files.paths.iter().any(|path| is_standard_input(path)) {
        anyhow::bail!(
            "standard input is read by `backfill import` itself: workers take files that each of them can open"
        );
    }
    let params = super::params(files, page_bytes)?;
    let mut chunks = Vec::new();
    for (number, file) in params.files.iter().enumerate() {
        let cursor = Cursor {
            file: number,
            ..Cursor::default()
        };
        open(file, &params, mappings, &cursor)?;
        chunks.push(serde_json::to_string(&cursor)?);
    }
    Ok(FilesPlan {
        params_json: serde_json::to_string(&params)?,
        chunks,
        bytes: params.files.iter().map(|file| file.bytes).sum(),
    })
}

/// Reads chunks of files page by page. One a lane: it keeps the file open between two pages, and opens it anew where another chunk's cursor is asked for.
#[derive(Debug)]
pub(crate) struct FileChunks {
    mappings: Arc<Mappings>,
    open: Option<Open>,
}

#[derive(Debug)]
struct Open {
    job: JobId,
    /// Behind the last page that was given out.
    cursor: Cursor,
    pages: Pages<Source>,
}

impl FileChunks {
    pub(crate) const fn new(mappings: Arc<Mappings>) -> Self {
        Self {
            mappings,
            open: None,
        }
    }

    /// The next page of a chunk; none when all of its file was read.
    pub(crate) async fn page(
        &mut self,
        (job, version): (JobId, MetricVersion),
        params_json: &str,
        cursor_json: &str,
    ) -> Result<Option<Ready>, Unready> {
        let params: Params = serde_json::from_str(params_json)
            .context("read the job's parameters")
            .map_err(Unready::Refused)?;
        let mut cursor: Cursor = serde_json::from_str(cursor_json)
            .context("read the chunk's cursor")
            .map_err(Unready::Refused)?;
        let file = params.files.get(cursor.file).cloned();
        let file = file
            .context("the job has no such file")
            .map_err(Unready::Refused)?;
        let kept = self
            .open
            .take()
            .filter(|open| open.job == job && open.cursor == cursor);
        let mappings = Arc::clone(&self.mappings);
        let (at, of) = (cursor.clone(), params.clone());
        let read = move || read(kept, &file, &of, &mappings, &at);
        let read = tokio::task::spawn_blocking(read).await;
        let (pages, page) = read.map_err(Unready::refused)?.map_err(unready)?;
        let Some(page) = page else {
            return Ok(None);
        };
        let (records, next) = (page.records, page.next);
        let message = message((job, version), &params, &cursor, page).map_err(Unready::Refused)?;
        cursor.passed(records, next);
        let cursor_json = serde_json::to_string(&cursor).map_err(Unready::refused)?;
        self.open = Some(Open { job, cursor, pages });
        Ok(Some(Ready {
            messages: vec![message],
            cursor_json,
            records: u64::from(records),
        }))
    }
}

fn read(
    kept: Option<Open>,
    file: &FileRef,
    params: &Params,
    mappings: &Arc<Mappings>,
    cursor: &Cursor,
) -> anyhow::Result<(Pages<Source>, Option<Page>)> {
    let mut pages = match kept {
        Some(kept) => kept.pages,
        None => open(file, params, mappings, cursor)?.0,
    };
    let page = pages.read().with_context(|| cursor.broke_off(file))?;
    Ok((pages, page))
}

/// A file may not be there yet, or not for this worker; what is in it does not change.
fn unready(error: anyhow::Error) -> Unready {
    let of_system = match error.downcast_ref::<ReadError>() {
        Some(error) => !error.is_for_good(),
        None => error.is::<std::io::Error>(),
    };
    if of_system {
        Unready::Later(error)
    } else {
        Unready::Refused(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use schema::{BodyFormat, RawMessage, SubscriptionName, TenantId};
    use std::io::Write as _;
    use std::path::PathBuf;
    use tempfile::NamedTempFile;
    use uuid::Uuid;

    const JOB: (JobId, MetricVersion) = (JobId(Uuid::nil()), MetricVersion(3));

    fn file(lines: std::ops::Range<u32>, packed: bool) -> NamedTempFile {
        let lines: Vec<_> = lines.map(|n| format!("{{\"n\":{n}}}\n")).collect();
        let text = lines.concat();
        let mut file = NamedTempFile::new().unwrap();
        if packed {
            let mut encoder = flate2::write::GzEncoder::new(&mut file, flate2::Compression::fast());
            encoder.write_all(text.as_bytes()).unwrap();
            encoder.finish().unwrap();
        } else {
            file.write_all(text.as_bytes()).unwrap();
        }
        file.flush().unwrap();
        file
    }

    fn files(paths: Vec<PathBuf>) -> Files {
        Files {
            paths,
            format: BodyFormat::GenesysWebhook,
            tenant: TenantId::new("acme"),
            subscription: SubscriptionName::new("import"),
            version: JOB.1,
        }
    }

    fn body(ready: &Ready) -> String {
        let message = RawMessage::decode(&ready.messages[0].body).unwrap();
        assert_eq!(message.deliveries[0].job.unwrap().version, JOB.1);
        String::from_utf8(message.deliveries[0].body.to_vec()).unwrap()
    }

    #[tokio::test]
    async fn a_chunk_is_a_file_and_goes_on_with_whoever_has_its_cursor() {
        let two = [file(0..300, false), file(300..700, true)];
        let paths = two.iter().map(|file| file.path().to_owned()).collect();
        let none = Arc::new(Mappings::none());
        let plan = plan(&files(paths), 512, &none).unwrap();
        assert_eq!(plan.chunks.len(), 2);
        for (cursor, lines) in plan.chunks.iter().zip([0..300, 300..700]) {
            // Two workers in turns, so that each has another chunk's file open or none: one keeps going, the other takes over.
            let mut workers = [FileChunks::new(none.clone()), FileChunks::new(none.clone())];
            let (mut cursor, mut found, mut ids) = (cursor.clone(), String::new(), Vec::new());
            let mut records = 0;
            for turn in [0, 0, 1, 1, 0, 1].into_iter().cycle() {
                let next = workers[turn].page(JOB, &plan.params_json, &cursor);
                let Some(ready) = next.await.unwrap() else {
                    break;
                };
                // Asked again, for whoever did not get it confirmed, it is the same.
                let mut other = FileChunks::new(none.clone());
                let again = other.page(JOB, &plan.params_json, &cursor).await.unwrap();
                assert_eq!(body(&again.unwrap()), body(&ready));
                found.push_str(&body(&ready));
                ids.push(ready.messages[0].message_id);
                records += ready.records;
                cursor = ready.cursor_json;
            }
            let wanted: Vec<String> = lines.clone().map(|n| format!("{{\"n\":{n}}}")).collect();
            assert_eq!(found.replace("][", ","), format!("[{}]", wanted.join(",")));
            assert_eq!(records, lines.len() as u64);
            let pages = ids.len();
            ids.sort_unstable();
            ids.dedup();
            assert!(pages > 5 && ids.len() == pages);
        }
    }

    #[tokio::test]
    async fn what_time_may_heal_is_told_from_what_it_does_not() {
        let none = Arc::new(Mappings::none());
        let mut file = file(0..10, false);
        let plan = plan(&files(vec![file.path().to_owned()]), 512, &none).unwrap();
        file.write_all(b"{}").unwrap();
        let mut worker = FileChunks::new(none.clone());
        let error = worker.page(JOB, &plan.params_json, &plan.chunks[0]).await;
        let error = error.unwrap_err();
        assert!(
            matches!(&error, Unready::Refused(_))
                && error.to_string().contains("when the job began"),
            "{error}"
        );
        drop(file);
        let error = worker.page(JOB, &plan.params_json, &plan.chunks[0]).await;
        let error = error.unwrap_err();
        assert!(matches!(error, Unready::Later(_)), "{error}");
    }

    #[test]
    fn a_job_for_workers_is_refused_before_it_begins_where_it_cannot_be_done() {
        let none = Arc::new(Mappings::none());
        let refused = |files: &Files| format!("{:#}", plan(files, 512, &none).unwrap_err());
        assert!(refused(&files(vec!["-".into()])).contains("standard input"));
        assert!(refused(&files(vec!["nowhere.json".into()])).contains("nowhere.json"));
        let lines = file(0..3, false);
        let mut mapped = files(vec![lines.path().to_owned()]);
        mapped.format = BodyFormat::Mapped {
            mapping: "shop".into(),
        };
        assert!(refused(&mapped).contains("--mapping shop.toml"));
        mapped.format = BodyFormat::CxoneCallDetail { zone: "UTC".into() };
        assert!(refused(&mapped).contains("this is JSON"));
    }
}

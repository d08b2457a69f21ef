//! Files as objects of an S3-compatible store.

use super::Parcel;
use platform::client::{CallError, Client, Method};
use platform::outcome::Answer;
use platform::secret::Secret;
use rusty_s3::actions::PutObject;
use rusty_s3::{Bucket, BucketError, Credentials, S3Action as _, UrlStyle};
use std::time::Duration;
use url::Url;

/// For so long a signature is good: longer than a request takes to get there, and than clocks differ.
const GOOD_FOR: Duration = Duration::from_secs(900);

/// A bucket.
#[derive(Debug, Clone)]
pub struct S3Place {
    /// Where the store is.
    pub endpoint: Url,
    /// Its region, which is signed.
    pub region: String,
    /// The bucket.
    pub bucket: String,
    /// Whether the bucket is the first part of the path, and not of the host.
    pub in_path: bool,
    /// What all names begin with; empty or with a slash at its end.
    pub prefix: String,
    /// Who signs.
    pub access_key: Secret,
    /// With what.
    pub secret_key: Secret,
}

impl S3Place {
    /// The bucket, if there can be one like that.
    pub fn bucket(&self) -> Result<Bucket, BucketError> {
        let style = if self.in_path {
            UrlStyle::Path
        } else {
            UrlStyle::VirtualHost
        };
        Bucket::new(
            self.endpoint.clone(),
            style,
            self.bucket.clone(),
            self.region.clone(),
        )
    }

    pub(super) async fn send(&self, client: &Client, parcel: Parcel) -> Result<Answer, CallError> {
        let bucket = self
            .bucket()
            .map_err(|_| CallError::Request { what: "the bucket" })?;
        let credentials = Credentials::new(self.access_key.expose(), self.secret_key.expose());
        let object = format!("{}{}", self.prefix, parcel.name);
        let mut put = PutObject::new(&bucket, Some(&credentials), &object);
        let mut headers = Vec::with_capacity(parcel.about.len());
        // Signed with the rest: what the store keeps beside the object is what was said.
        for (name, value) in &parcel.about {
            let name = format!("x-amz-meta-kpiline-{name}");
            put.headers_mut().insert(name.clone(), value.clone());
            headers.push((name, Secret::new(value)));
        }
        put.headers_mut()
            .insert("content-type", parcel.content_type);
        let url = put.sign(GOOD_FOR);
        client
            .send_raw(
                Method::Put,
                &url,
                &headers,
                parcel.content_type,
                parcel.bytes,
            )
            .await
    }
}

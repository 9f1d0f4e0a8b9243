//! A bucket whose client can die before and after every write.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use futures::stream::BoxStream;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore, ObjectStoreExt,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};

use super::mutant::Mutant;
use super::switch::Switch;

pub(crate) struct CrashingStore {
    pub(crate) inner: InMemory,
    pub(crate) switch: Arc<Switch>,
    pub(crate) mutant: Option<Mutant>,
}

impl CrashingStore {
    /// The text of an object; empty when it does not exist.
    pub(crate) async fn text(&self, path: &Path) -> String {
        match self.inner.get(path).await {
            Ok(result) => String::from_utf8(result.bytes().await.unwrap().to_vec()).unwrap(),
            Err(_) => String::new(),
        }
    }

    /// Ends the lease as the death of a process ends a file lock.
    pub(crate) async fn free(&self, path: &Path) {
        let text = self.text(path).await;
        let Some((lease, entries)) = text.split_once('\n') else { return };
        let mut lease: serde_json::Value = serde_json::from_str(lease).unwrap();
        lease["holder"] = serde_json::Value::Null;
        self.inner.put(path, PutPayload::from(format!("{lease}\n{entries}"))).await.unwrap();
    }
}

#[async_trait]
impl ObjectStore for CrashingStore {
    async fn put_opts(&self, location: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        if self.mutant == Some(Mutant::JournalAfterSubmit) {
            // Says that it wrote, which is true only now and then.
            self.switch.boundary().await;
            let e_tag = self.inner.get(location).await.ok().and_then(|found| found.meta.e_tag);
            return match e_tag {
                Some(e_tag) if !self.switch.count().is_multiple_of(7) => {
                    Ok(PutResult { e_tag: Some(e_tag), version: None, extensions: options.extensions })
                }
                _ => self.inner.put_opts(location, payload, options).await,
            };
        }
        self.switch.boundary().await;
        let result = self.inner.put_opts(location, payload, options).await;
        self.switch.boundary().await;
        result
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.inner.put_multipart_opts(location, options).await
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.inner.get_opts(location, options).await
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        self.inner.delete_stream(locations)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.inner.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.inner.copy_opts(from, to, options).await
    }
}

impl fmt::Debug for CrashingStore {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("CrashingStore")
    }
}

impl fmt::Display for CrashingStore {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("CrashingStore")
    }
}

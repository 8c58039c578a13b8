//! A store that dies after so many writes.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use futures_util::stream::BoxStream;
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta,
    ObjectStore, PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};

/// Fails every write after the first `after` of them; the last one it takes may be done and yet
/// answered with an error, as when the answer is lost.
#[derive(Debug)]
pub(super) struct Failing {
    inner: Arc<dyn ObjectStore>,
    after: usize,
    answer_lost: bool,
    writes: AtomicUsize,
}

impl Failing {
    pub(super) fn new(inner: Arc<dyn ObjectStore>, after: usize, answer_lost: bool) -> Self {
        Self { inner, after, answer_lost, writes: AtomicUsize::new(0) }
    }
}

impl fmt::Display for Failing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "failing {}", self.inner)
    }
}

fn dead() -> Error {
    Error::Generic { store: "failing", source: "the store is dead".into() }
}

#[async_trait]
impl ObjectStore for Failing {
    async fn put_opts(
        &self,
        location: &Path,
        payload: PutPayload,
        options: PutOptions,
    ) -> Result<PutResult> {
        let nth = self.writes.fetch_add(1, Ordering::SeqCst);
        if nth > self.after || (nth == self.after && !self.answer_lost) {
            return Err(dead());
        }
        let put = self.inner.put_opts(location, payload, options).await?;
        if nth == self.after { Err(dead()) } else { Ok(put) }
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

    fn delete_stream(
        &self,
        locations: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
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

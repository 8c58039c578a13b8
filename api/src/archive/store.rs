//! Where an archive lies: a folder of this machine or a bucket.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path as FilePath, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use deltalake_core::logstore::{LogStoreRef, StorageConfig, default_logstore};
use futures_util::stream::BoxStream;
use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey};
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::prefix::PrefixStore;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, RenameOptions,
};
use url::Url;

use super::ArchiveError;
use super::schema::Table;

/// An archive's place.
#[derive(Debug, Clone)]
pub struct Store {
    /// `file:///…/` or `s3://bucket/prefix/`, with a slash at the end.
    url: Url,
    /// From the root of the file system or the bucket.
    objects: Arc<dyn ObjectStore>,
}

impl Store {
    /// Opens a folder (a path or `file://…`, made if it is missing) or a bucket
    /// (`s3://BUCKET/PREFIX`). Options are those of `object_store` for S3 (`aws_endpoint`,
    /// `aws_access_key_id`, `aws_allow_http` and so on).
    pub fn open(place: &str, options: &BTreeMap<String, String>) -> Result<Self, ArchiveError> {
        match place.split_once("://") {
            None => Self::folder(FilePath::new(place)),
            Some(("file", path)) => Self::folder(FilePath::new(path)),
            Some(("s3", _)) => Self::bucket(place, options),
            Some(_) => Err(ArchiveError::Place {
                place: place.to_owned(),
                expected: "a folder, `file://…` or `s3://BUCKET/PREFIX`",
            }),
        }
    }

    fn folder(path: &FilePath) -> Result<Self, ArchiveError> {
        let failed = |source| ArchiveError::Folder { path: path.to_owned(), source };
        std::fs::create_dir_all(path).map_err(failed)?;
        let path = path.canonicalize().map_err(failed)?;
        let url = Url::from_directory_path(&path).map_err(|()| ArchiveError::Place {
            place: path.display().to_string(),
            expected: "an absolute path",
        })?;
        Ok(Self { url, objects: Arc::new(Synced(Arc::new(LocalFileSystem::new()))) })
    }

    fn bucket(place: &str, options: &BTreeMap<String, String>) -> Result<Self, ArchiveError> {
        let wrong = |expected| ArchiveError::Place { place: place.to_owned(), expected };
        let mut url = Url::parse(place).map_err(|_source| wrong("`s3://BUCKET/PREFIX`"))?;
        let bucket = url.host_str().ok_or_else(|| wrong("the name of a bucket"))?;
        let mut builder = AmazonS3Builder::new().with_bucket_name(bucket);
        for (name, value) in options {
            let key: AmazonS3ConfigKey = name.parse()?;
            builder = builder.with_config(key, value);
        }
        let objects = Arc::new(builder.build()?);
        if !url.path().ends_with('/') {
            let path = format!("{}/", url.path());
            url.set_path(&path);
        }
        Ok(Self { url, objects })
    }

    /// Over any object store; for tests.
    #[cfg(test)]
    pub(crate) fn of(url: Url, objects: Arc<dyn ObjectStore>) -> Self {
        Self { url, objects }
    }

    /// Its place as a URL, with a slash at the end.
    pub const fn url(&self) -> &Url {
        &self.url
    }

    /// The store that [`Store::path`] is a path of.
    pub(crate) fn objects(&self) -> Arc<dyn ObjectStore> {
        Arc::clone(&self.objects)
    }

    /// Scheme and host: what data fusion finds the store by.
    pub(crate) fn root(&self) -> Result<Url, ArchiveError> {
        let root = &self.url[..url::Position::BeforePath];
        Url::parse(&format!("{root}/")).map_err(|_source| ArchiveError::Place {
            place: self.url.to_string(),
            expected: "a scheme and a host",
        })
    }

    /// A file of a table, from the store's root.
    pub(crate) fn path(&self, table: Table, file: &str) -> Result<Path, ArchiveError> {
        self.beside(&format!("{}/{file}", table.name()))
    }

    /// A folder beside the tables, or a file in it, from the store's root.
    pub(crate) fn beside(&self, name: &str) -> Result<Path, ArchiveError> {
        let base = Path::from_url_path(self.url.path())?;
        Ok(Path::parse(format!("{base}/{name}"))?)
    }

    /// The Delta log of a table.
    pub(crate) fn log(&self, table: Table) -> Result<LogStoreRef, ArchiveError> {
        let url = self.url.join(&format!("{}/", table.name())).map_err(|_source| {
            ArchiveError::Place {
                place: self.url.to_string(),
                expected: "a URL that folders can be joined to",
            }
        })?;
        let path = Path::from_url_path(url.path())?;
        let prefixed = Arc::new(PrefixStore::new(self.objects(), path));
        Ok(default_logstore(prefixed, self.objects(), &url, &StorageConfig::default()))
    }
}

/// A local file system whose files are on the disk when a write has been answered.
#[derive(Debug, Clone)]
struct Synced(Arc<LocalFileSystem>);

impl Synced {
    /// Waits until a written file and its name are on the disk.
    async fn sync(&self, location: &Path) -> object_store::Result<()> {
        let path = self.0.path_to_filesystem(location)?;
        let synced = tokio::task::spawn_blocking(move || sync(&path)).await;
        let failed = |source| object_store::Error::Generic { store: "LocalFileSystem", source };
        match synced {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(failed(Box::new(error))),
            Err(error) => Err(failed(Box::new(error))),
        }
    }
}

/// The file, and the folders that may have been made for it.
fn sync(path: &PathBuf) -> std::io::Result<()> {
    std::fs::File::open(path)?.sync_all()?;
    // A partition's folders lie at most three deep in a table.
    for folder in path.ancestors().skip(1).take(3) {
        std::fs::File::open(folder)?.sync_all()?;
    }
    Ok(())
}

impl fmt::Display for Synced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

#[async_trait]
impl ObjectStore for Synced {
    async fn put_opts(
        &self,
        location: &Path,
        payload: PutPayload,
        options: PutOptions,
    ) -> object_store::Result<PutResult> {
        let put = self.0.put_opts(location, payload, options).await?;
        self.sync(location).await?;
        Ok(put)
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> object_store::Result<Box<dyn MultipartUpload>> {
        self.0.put_multipart_opts(location, options).await
    }

    async fn get_opts(
        &self,
        location: &Path,
        options: GetOptions,
    ) -> object_store::Result<GetResult> {
        self.0.get_opts(location, options).await
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, object_store::Result<Path>>,
    ) -> BoxStream<'static, object_store::Result<Path>> {
        self.0.delete_stream(locations)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, object_store::Result<ObjectMeta>> {
        self.0.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> object_store::Result<ListResult> {
        self.0.list_with_delimiter(prefix).await
    }

    async fn copy_opts(
        &self,
        from: &Path,
        to: &Path,
        options: CopyOptions,
    ) -> object_store::Result<()> {
        self.0.copy_opts(from, to, options).await?;
        self.sync(to).await
    }

    async fn rename_opts(
        &self,
        from: &Path,
        to: &Path,
        options: RenameOptions,
    ) -> object_store::Result<()> {
        self.0.rename_opts(from, to, options).await?;
        self.sync(to).await
    }
}

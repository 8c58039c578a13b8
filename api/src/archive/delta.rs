//! One table of the archive as its Delta log has it: which files it is made of, and up to where
//! of `outputs` it goes.
//!
//! A commit adds files and moves the offsets of the partitions they come from, together or not at
//! all. The offsets are the log's `txn` actions, one application a partition
//! (`milepost-archive/outputs/<partition>`), whose version is the last offset contained. A commit
//! goes through only onto the version it was prepared for, so that of two archivers that believe
//! to own a partition one is refused, and an answer that got lost is found when asked again.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use deltalake_core::kernel::transaction::{CommitBuilder, CommitProperties, TransactionError};
use deltalake_core::kernel::{Action, Add, DataType, Remove, StructField, Transaction};
use deltalake_core::logstore::get_actions;
use deltalake_core::operations::create::CreateBuilder;
use deltalake_core::protocol::{DeltaOperation, SaveMode};
use deltalake_core::{DeltaTable, DeltaTableError};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use ingest::log::Clock;
use ingest::time::Timestamp;
use object_store::ObjectStoreExt as _;
use serde_json::{Value, json};

use super::ArchiveError;
use super::file::{About, Hour, NewFile};
use super::schema::{Kind, SORTED_BY, Table};
use super::store::Store;

/// Other commits that a commit gives way to before it gives up.
const TRIES_MAX: usize = 32;
/// Commits between two checkpoints of the Delta log.
const CHECKPOINT_EVERY: &str = "32";
/// How long the Delta log remembers commits and removed files.
const LOG_KEPT: &str = "interval 7 days";
/// Files that are stored at a time.
const PUTS: usize = 4;
/// Tags of a file: what [`About`] holds beside the statistics.
const OFFSETS: &str = "milepost.offsets";
const CHECKSUM: &str = "milepost.xxh3";

/// By partition of `outputs` an offset.
pub(crate) type Offsets = BTreeMap<u32, u64>;

/// A table at one version; never changes.
#[derive(Debug, Clone, Default)]
pub struct Listing {
    /// Version of the Delta log.
    pub version: u64,
    /// Its files, by hour and path.
    pub files: Vec<Listed>,
    /// By partition of `outputs` the next offset that is not contained.
    pub(crate) next: Offsets,
}

/// A file of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// From the table's folder.
    pub path: String,
    /// Bytes.
    pub size: u64,
    /// Its partition.
    pub hour: Hour,
    /// When it was stored, milliseconds.
    pub stored_ms: i64,
    /// What it holds.
    pub about: About,
}

/// What a commit takes over: by partition from where it went on and the last offset contained.
pub(crate) type Taken = BTreeMap<u32, (u64, u64)>;

/// A table that can be changed.
pub(crate) struct Delta {
    store: Store,
    table: Table,
    log: DeltaTable,
    partitions: u32,
    clock: Clock,
    listing: Arc<Listing>,
    vacuumed_at: Timestamp,
}

impl std::fmt::Debug for Delta {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Delta").field("table", &self.table).finish_non_exhaustive()
    }
}

impl Delta {
    /// Opens a table, and makes it where it is not.
    pub(crate) async fn open(
        store: &Store,
        table: Table,
        partitions: u32,
        clock: &Clock,
    ) -> Result<Self, ArchiveError> {
        if let Some(found) = Self::existing(store, table, partitions, clock).await? {
            return found.evolved().await;
        }
        let fields: Vec<StructField> = fields(table)?;
        let made = CreateBuilder::new()
            .with_log_store(store.log(table)?)
            .with_table_name(table.name())
            .with_columns(fields)
            .with_partition_columns(["day", "hour"])
            .with_configuration([
                ("delta.checkpointInterval", Some(CHECKPOINT_EVERY)),
                ("delta.logRetentionDuration", Some(LOG_KEPT)),
            ])
            .with_raise_if_key_not_exists(false)
            .with_save_mode(SaveMode::Ignore)
            .await;
        // Somebody else may have made it meanwhile: then it is there.
        if let Err(error) = made
            && !may_be_tried_again(&error)
        {
            return Err(error.into());
        }
        Self::existing(store, table, partitions, clock).await?.ok_or_else(|| {
            ArchiveError::NoTable { place: store.url().to_string(), table: table.name() }
        })
    }

    /// Opens a table; `None` where there is none.
    pub(crate) async fn existing(
        store: &Store,
        table: Table,
        partitions: u32,
        clock: &Clock,
    ) -> Result<Option<Self>, ArchiveError> {
        let mut log = DeltaTable::new(store.log(table)?);
        if !log.verify_deltatable_existence().await? {
            return Ok(None);
        }
        log.load().await?;
        let mut opened = Self {
            store: store.clone(),
            table,
            log,
            partitions,
            clock: Arc::clone(clock),
            listing: Arc::default(),
            vacuumed_at: clock(),
        };
        let next = opened.all_offsets().await?;
        opened.list(next)?;
        Ok(Some(opened))
    }

    /// With the columns that this version has more.
    async fn evolved(mut self) -> Result<Self, ArchiveError> {
        let schema = self.log.snapshot()?.schema();
        let mut new = Vec::new();
        for field in fields(self.table)? {
            match schema.field(field.name()) {
                None => new.push(field),
                Some(found) if found.data_type() == field.data_type() => {}
                Some(found) => {
                    return Err(ArchiveError::Otherwise {
                        table: self.table.name(),
                        column: field.name().clone(),
                        found: found.data_type().to_string(),
                        expected: field.data_type().to_string(),
                    });
                }
            }
        }
        if !new.is_empty() {
            self.log = self.log.add_columns().with_fields(new).await?;
        }
        Ok(self)
    }

    /// Which table it is.
    pub(crate) const fn table(&self) -> Table {
        self.table
    }

    /// Where it lies.
    pub(crate) const fn store(&self) -> &Store {
        &self.store
    }

    /// When unlisted files were last looked for, or it was opened.
    pub(crate) const fn vacuumed_at(&self) -> Timestamp {
        self.vacuumed_at
    }

    /// The newest version that this handle has seen.
    pub(crate) fn listing(&self) -> Arc<Listing> {
        Arc::clone(&self.listing)
    }

    /// Looks for a newer version; whether there was one.
    pub(crate) async fn refresh(&mut self) -> Result<bool, ArchiveError> {
        let before = self.listing.version;
        self.log.update_state().await?;
        if self.version()? == before {
            return Ok(false);
        }
        let next = self.offsets_since(before).await?;
        self.list(next)?;
        Ok(true)
    }

    /// Adds files and moves the offsets. Asking again after an error is harmless: what went
    /// through is not done twice.
    ///
    /// # Errors
    /// [`ArchiveError::Taken`] when the offsets are not where this archiver left them.
    pub(crate) async fn append(
        &mut self,
        files: &[NewFile],
        taken: &Taken,
    ) -> Result<(), ArchiveError> {
        self.put(files).await?;
        let mut actions: Vec<Action> =
            files.iter().map(|file| Action::Add(self.add(file))).collect();
        for _ in 0..TRIES_MAX {
            self.refresh().await?;
            let next = |partition: &u32| self.listing.next.get(partition).copied().unwrap_or(0);
            if taken.iter().all(|(partition, (_, last))| next(partition) > *last) {
                return Ok(());
            }
            if let Some((partition, _)) = taken.iter().find(|(p, (from, _))| next(p) != *from) {
                return Err(ArchiveError::Taken {
                    table: self.table.name(),
                    partition: *partition,
                });
            }
            let moved = |(partition, (_, last)): (&u32, &(u64, u64))| {
                Transaction::new(application(*partition), *last as i64)
            };
            let transactions = taken.iter().map(moved).collect();
            let operation = DeltaOperation::Write {
                mode: SaveMode::Append,
                partition_by: Some(vec!["day".to_owned(), "hour".to_owned()]),
                predicate: None,
            };
            match self.commit(actions, transactions, operation).await? {
                Ok(()) => return Ok(()),
                Err(back) => actions = back,
            }
        }
        Err(ArchiveError::Busy { table: self.table.name() })
    }

    /// Puts files in the place of others that hold the same rows, or of rows that are let go.
    /// `false`: one of them is not listed any more, nothing was done.
    pub(crate) async fn replace(
        &mut self,
        old: &[Listed],
        new: &[NewFile],
    ) -> Result<bool, ArchiveError> {
        self.put(new).await?;
        let same_rows = !new.is_empty();
        for _ in 0..TRIES_MAX {
            self.refresh().await?;
            let listed = |file: &Listed| self.listing.files.iter().any(|f| f.path == file.path);
            if !old.iter().all(listed) {
                return Ok(false);
            }
            let mut actions: Vec<Action> =
                old.iter().map(|file| Action::Remove(self.remove(file, !same_rows))).collect();
            actions.extend(
                new.iter().map(|file| Action::Add(Add { data_change: false, ..self.add(file) })),
            );
            let operation = if same_rows {
                DeltaOperation::Optimize { predicate: None, target_size: 0 }
            } else {
                DeltaOperation::Delete { predicate: Some("older than its rows are kept".into()) }
            };
            if self.commit(actions, Vec::new(), operation).await?.is_ok() {
                return Ok(true);
            }
        }
        Err(ArchiveError::Busy { table: self.table.name() })
    }

    /// Commits onto the version this handle has; the actions back when somebody was faster.
    async fn commit(
        &mut self,
        actions: Vec<Action>,
        transactions: Vec<Transaction>,
        operation: DeltaOperation,
    ) -> Result<Result<(), Vec<Action>>, ArchiveError> {
        let properties = CommitProperties::default()
            .with_max_retries(0)
            .with_application_transactions(transactions);
        let kept = actions.clone();
        let before = self.log.snapshot()?.snapshot().clone();
        let committed = CommitBuilder::from(properties)
            .with_actions(actions)
            .build(Some(&before), self.log.log_store(), operation)
            .await;
        match committed {
            Ok(_) => {
                self.refresh().await?;
                Ok(Ok(()))
            }
            Err(error) if may_be_tried_again(&error) => Ok(Err(kept)),
            Err(error) => Err(error.into()),
        }
    }

    /// Stores files under their names. Nothing lists them yet.
    async fn put(&self, files: &[NewFile]) -> Result<(), ArchiveError> {
        let objects = self.store.objects();
        let put = |file: &NewFile| {
            let (objects, bytes) = (Arc::clone(&objects), file.bytes.clone());
            let path = self.store.path(self.table, &file.path);
            async move {
                objects.put(&path?, bytes.into()).await?;
                Ok::<(), ArchiveError>(())
            }
        };
        stream::iter(files.iter().map(put)).buffer_unordered(PUTS).try_collect().await
    }

    fn add(&self, file: &NewFile) -> Add {
        add(file, (self.clock)().millis())
    }

    fn remove(&self, file: &Listed, data_change: bool) -> Remove {
        remove(file, data_change, (self.clock)().millis())
    }

    fn version(&self) -> Result<u64, ArchiveError> {
        Ok(self.log.snapshot()?.version())
    }

    /// Offsets as of this version, when those of `before` are known: read from the commits between.
    async fn offsets_since(&self, before: u64) -> Result<Offsets, ArchiveError> {
        let (mut next, log) = (self.listing.next.clone(), self.log.log_store());
        for version in before + 1..=self.version()? {
            let Some(bytes) = log.read_commit_entry(version).await? else {
                // Cleaned up already.
                return self.all_offsets().await;
            };
            for action in get_actions(version, &bytes)? {
                if let Action::Txn(txn) = action
                    && let Some(partition) = partition_of(&txn.app_id)
                {
                    next.insert(partition, txn.version as u64 + 1);
                }
            }
        }
        Ok(next)
    }

    async fn all_offsets(&self) -> Result<Offsets, ArchiveError> {
        let (state, log) = (self.log.snapshot()?, self.log.log_store());
        let mut next = Offsets::new();
        for partition in 0..self.partitions {
            let last = state.transaction_version(log.as_ref(), application(partition)).await?;
            next.extend(last.map(|last| (partition, last as u64 + 1)));
        }
        Ok(next)
    }

    fn list(&mut self, next: Offsets) -> Result<(), ArchiveError> {
        let mut files = Vec::new();
        for view in self.log.snapshot()?.log_data().iter() {
            #[expect(deprecated, reason = "tags are told in no other way")]
            let add = view.add_action();
            files.push(listed(add).ok_or_else(|| ArchiveError::Foreign {
                table: self.table.name(),
                path: view.path().into_owned(),
            })?);
        }
        files.sort_by(|a: &Listed, b| (a.hour, &a.path).cmp(&(b.hour, &b.path)));
        self.listing = Arc::new(Listing { version: self.version()?, files, next });
        Ok(())
    }

    /// Deletes files that no version of the last `kept` refers to.
    pub(crate) async fn vacuum(
        &mut self,
        kept: chrono::Duration,
        now: Timestamp,
    ) -> Result<usize, ArchiveError> {
        self.vacuumed_at = now;
        let vacuum = self.log.clone().vacuum();
        let (table, done) =
            vacuum.with_retention_period(kept).with_enforce_retention_duration(false).await?;
        self.log = table;
        self.refresh().await?;
        Ok(done.files_deleted.len())
    }
}

/// Whether somebody else's commit was in the way.
const fn may_be_tried_again(error: &DeltaTableError) -> bool {
    matches!(
        error,
        DeltaTableError::VersionAlreadyExists(_)
            | DeltaTableError::Transaction {
                source: TransactionError::MaxCommitAttempts(_)
                    | TransactionError::CommitConflict(_)
                    | TransactionError::VersionAlreadyExists(_)
            }
    )
}

fn application(partition: u32) -> String {
    format!("milepost-archive/outputs/{partition}")
}

fn partition_of(application: &str) -> Option<u32> {
    application.strip_prefix("milepost-archive/outputs/")?.parse().ok()
}

fn fields(table: Table) -> Result<Vec<StructField>, ArchiveError> {
    let mut fields = Vec::new();
    for (i, column) in table.columns().iter().enumerate() {
        let kind = match column.kind {
            Kind::Word | Kind::Text => DataType::STRING,
            Kind::Time => DataType::TIMESTAMP,
            Kind::Flag => DataType::BOOLEAN,
            Kind::Whole => DataType::LONG,
            Kind::Decimal(digits, scale) => {
                DataType::decimal(digits, scale.unsigned_abs()).map_err(DeltaTableError::from)?
            }
        };
        let field = StructField::new(column.name, kind, i > SORTED_BY);
        fields.push(field.with_metadata([("comment", column.meaning)]));
    }
    fields.push(StructField::new("day", DataType::DATE, false));
    fields.push(StructField::new("hour", DataType::INTEGER, false));
    Ok(fields)
}

fn add(file: &NewFile, now_ms: i64) -> Add {
    let about = &file.about;
    let (day, hour) = file.hour.values();
    let time = |micros: i64| {
        // Milliseconds are what readers of statistics know; the newest is told a little too new.
        Timestamp::from_micros(micros).to_string()
    };
    let stats = json!({
        "numRecords": about.rows,
        "minValues": {
            "tenant": about.tenants.0, "vehicle": about.vehicles.0, "time": time(about.times.0),
        },
        "maxValues": {
            "tenant": about.tenants.1, "vehicle": about.vehicles.1,
            "time": time(about.times.1 + 999),
        },
        "nullCount": {"tenant": 0, "vehicle": 0, "time": 0},
    });
    let offsets: BTreeMap<String, [u64; 2]> =
        about.offsets.iter().map(|(p, span)| (p.to_string(), [span.0, span.1])).collect();
    Add {
        path: file.path.clone(),
        partition_values: HashMap::from([
            ("day".to_owned(), Some(day)),
            ("hour".to_owned(), Some(hour)),
        ]),
        size: file.bytes.len() as i64,
        modification_time: now_ms,
        data_change: true,
        stats: Some(stats.to_string()),
        tags: Some(HashMap::from([
            (OFFSETS.to_owned(), Some(json!(offsets).to_string())),
            (CHECKSUM.to_owned(), Some(about.checksum.clone())),
        ])),
        ..Add::default()
    }
}

fn remove(file: &Listed, data_change: bool, now_ms: i64) -> Remove {
    let (day, hour) = file.hour.values();
    Remove {
        path: file.path.clone(),
        data_change,
        deletion_timestamp: Some(now_ms),
        extended_file_metadata: Some(true),
        partition_values: Some(HashMap::from([
            ("day".to_owned(), Some(day)),
            ("hour".to_owned(), Some(hour)),
        ])),
        size: Some(file.size as i64),
        ..Remove::default()
    }
}

/// Reads what [`add`] wrote; `None` when it is not ours.
fn listed(add: Add) -> Option<Listed> {
    let value = |name: &str| add.partition_values.get(name)?.clone();
    let hour = Hour::parse(&value("day")?, &value("hour")?)?;
    let stats: Value = serde_json::from_str(add.stats.as_deref()?).ok()?;
    let text = |of: &str, name: &str| Some(stats[of][name].as_str()?.to_owned());
    let time = |of: &str| Some(Timestamp::parse(&text(of, "time")?).ok()?.micros());
    let tags = add.tags.as_ref()?;
    let tag = |name: &str| tags.get(name)?.clone();
    let offsets: BTreeMap<String, [u64; 2]> = serde_json::from_str(&tag(OFFSETS)?).ok()?;
    let offsets = offsets.into_iter().filter_map(|(p, [a, b])| Some((p.parse().ok()?, (a, b))));
    let about = About {
        rows: stats["numRecords"].as_u64()?,
        tenants: (text("minValues", "tenant")?, text("maxValues", "tenant")?),
        vehicles: (text("minValues", "vehicle")?, text("maxValues", "vehicle")?),
        times: (time("minValues")?, time("maxValues")? + 999),
        offsets: offsets.collect(),
        checksum: tag(CHECKSUM)?,
    };
    Some(Listed {
        path: add.path,
        size: u64::try_from(add.size).ok()?,
        hour,
        stored_ms: add.modification_time,
        about,
    })
}

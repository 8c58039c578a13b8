//! Merges two sorted inputs: of the right one only the newest row so far is remembered.

use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, RecordBatch, RecordBatchOptions, new_null_array};
use datafusion::arrow::compute::{SortOptions, interleave};
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::arrow::row::{RowConverter, Rows, SortField};
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{Result, internal_err, plan_err};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::{
    Distribution, EquivalenceProperties, LexOrdering, OrderingRequirements, Partitioning,
    PhysicalExpr, PhysicalSortExpr,
};
use datafusion::physical_plan::distribution_requirements::InputDistributionRequirements;
use datafusion::physical_plan::execution_plan::{
    Boundedness, ChildrenPropertiesMode, EmissionType, PlanProperties, ReplaceChildrenOptions,
};
use datafusion::physical_plan::metrics::{BaselineMetrics, ExecutionPlanMetricsSet, MetricsSet};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, ExecutionPlanProperties as _,
};
use futures_util::{StreamExt as _, stream};

use super::{Match, Times};

type Expr = Arc<dyn PhysicalExpr>;

/// An ASOF join; every row of the left input stays.
#[derive(Debug)]
pub(super) struct AsofExec {
    left: Arc<dyn ExecutionPlan>,
    right: Arc<dyn ExecutionPlan>,
    /// What has to be equal.
    on: Vec<(Expr, Expr)>,
    by: Match,
    times: (Expr, Expr),
    schema: SchemaRef,
    properties: Arc<PlanProperties>,
    metrics: ExecutionPlanMetricsSet,
}

impl AsofExec {
    pub(super) fn new(
        (left, right): (Arc<dyn ExecutionPlan>, Arc<dyn ExecutionPlan>),
        on: Vec<(Expr, Expr)>,
        (by, left_time, right_time): Times,
        schema: SchemaRef,
    ) -> Result<Self> {
        if on.is_empty() {
            return plan_err!("an ASOF JOIN needs `ON` with what has to be equal");
        }
        let partitions = left.output_partitioning().partition_count();
        let properties = PlanProperties::new(
            EquivalenceProperties::new(Arc::clone(&schema)),
            Partitioning::UnknownPartitioning(partitions),
            EmissionType::Incremental,
            Boundedness::Bounded,
        );
        Ok(Self {
            left,
            right,
            on,
            by,
            times: (left_time, right_time),
            schema,
            properties: Arc::new(properties),
            metrics: ExecutionPlanMetricsSet::new(),
        })
    }

    /// Times in the order in which the row that fits is the last one so far.
    fn options(&self) -> SortOptions {
        let descending = matches!(self.by, Match::AtOrBefore | Match::Before);
        SortOptions { descending, nulls_first: true }
    }

    fn ordering(
        &self,
        keys: impl Iterator<Item = Expr>,
        time: &Expr,
    ) -> Option<OrderingRequirements> {
        let keys = keys.map(|key| PhysicalSortExpr::new(key, SortOptions::new(false, true)));
        let time = PhysicalSortExpr::new(Arc::clone(time), self.options());
        LexOrdering::new(keys.chain([time])).map(OrderingRequirements::from)
    }

    fn left_keys(&self) -> impl Iterator<Item = Expr> {
        self.on.iter().map(|(left, _)| Arc::clone(left))
    }

    fn right_keys(&self) -> impl Iterator<Item = Expr> {
        self.on.iter().map(|(_, right)| Arc::clone(right))
    }

    fn merge(&self, partition: usize, context: &Arc<TaskContext>) -> Result<Merge> {
        let left_schema = self.left.schema();
        let fields = self.left_keys().map(|key| Ok(SortField::new(key.data_type(&left_schema)?)));
        let keys = fields.collect::<Result<Vec<_>>>()?;
        let time = self.times.0.data_type(&left_schema)?;
        let all = keys.iter().cloned().chain([SortField::new_with_options(time, self.options())]);
        let order = Order {
            all: RowConverter::new(all.collect())?,
            keys: RowConverter::new(keys)?,
            strict: matches!(self.by, Match::After | Match::Before),
        };
        let right_schema = self.right.schema();
        let nulls = right_schema.fields().iter().map(|f| new_null_array(f.data_type(), 1));
        Ok(Merge {
            order,
            left: Input {
                stream: self.left.execute(partition, Arc::clone(context))?,
                keys: self.left_keys().collect(),
                time: Arc::clone(&self.times.0),
            },
            right: Input {
                stream: self.right.execute(partition, Arc::clone(context))?,
                keys: self.right_keys().collect(),
                time: Arc::clone(&self.times.1),
            },
            left_now: None,
            right_now: None,
            right_ended: false,
            newest: None,
            before: None,
            nulls: nulls.collect(),
            schema: Arc::clone(&self.schema),
        })
    }
}

impl DisplayAs for AsofExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let on = self.on.iter().map(|(left, right)| format!("{left} = {right}"));
        let on = on.collect::<Vec<_>>().join(" AND ");
        write!(f, "AsofExec: {}({}, {}) on {on}", self.by.function(), self.times.0, self.times.1)
    }
}

impl ExecutionPlan for AsofExec {
    fn name(&self) -> &'static str {
        "AsofExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn input_distribution_requirements(&self) -> InputDistributionRequirements {
        InputDistributionRequirements::co_partitioned(vec![
            Distribution::KeyPartitioned(self.left_keys().collect()),
            Distribution::KeyPartitioned(self.right_keys().collect()),
        ])
    }

    fn required_input_ordering(&self) -> Vec<Option<OrderingRequirements>> {
        vec![
            self.ordering(self.left_keys(), &self.times.0),
            self.ordering(self.right_keys(), &self.times.1),
        ]
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.left, &self.right]
    }

    fn apply_expressions(
        &self,
        f: &mut dyn FnMut(&Expr) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        let keys = self.on.iter().flat_map(|(left, right)| [left, right]);
        for expr in keys.chain([&self.times.0, &self.times.1]) {
            if f(expr)? == TreeNodeRecursion::Stop {
                return Ok(TreeNodeRecursion::Stop);
            }
        }
        Ok(TreeNodeRecursion::Continue)
    }

    fn replace_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
        _: ReplaceChildrenOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let [left, right] = <[_; 2]>::try_from(children).or_else(|children: Vec<_>| {
            internal_err!("an ASOF join of {} inputs", children.len())
        })?;
        let (left_time, right_time) = (Arc::clone(&self.times.0), Arc::clone(&self.times.1));
        let times = (self.by, left_time, right_time);
        let schema = Arc::clone(&self.schema);
        Ok(Arc::new(Self::new((left, right), self.on.clone(), times, schema)?))
    }

    fn with_new_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let options = ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute);
        self.replace_children(children, options)
    }

    fn execute(
        &self,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        let merge = self.merge(partition, &context)?;
        let metrics = BaselineMetrics::new(&self.metrics, partition);
        let next = |(mut merge, metrics): (Merge, BaselineMetrics)| async move {
            let batch = merge.next().await.transpose()?;
            if let Ok(batch) = &batch {
                metrics.record_output(batch.num_rows());
            }
            Some((batch, (merge, metrics)))
        };
        let batches = stream::unfold((merge, metrics), next);
        Ok(Box::pin(RecordBatchStreamAdapter::new(Arc::clone(&self.schema), batches)))
    }

    fn metrics(&self) -> Option<MetricsSet> {
        Some(self.metrics.clone_inner())
    }
}

/// One of the two inputs.
struct Input {
    stream: SendableRecordBatchStream,
    keys: Vec<Expr>,
    time: Expr,
}

/// In which order both inputs come.
struct Order {
    /// Keys and time.
    all: RowConverter,
    keys: RowConverter,
    /// Whether an equal time does not fit.
    strict: bool,
}

/// A batch of an input and how far it has been looked at.
struct Seen {
    batch: RecordBatch,
    all: Rows,
    keys: Rows,
    /// Those that a comparison may be about: keys and time.
    compared: Vec<ArrayRef>,
    at: usize,
}

impl Seen {
    /// Null is equal to nothing and neither before nor behind anything.
    fn is_null(&self, row: usize) -> bool {
        self.compared.iter().any(|column| column.is_null(row))
    }

    fn is_over(&self) -> bool {
        self.at >= self.batch.num_rows()
    }
}

impl Input {
    /// The next batch that has rows.
    async fn next(&mut self, order: &Order) -> Result<Option<Seen>> {
        while let Some(batch) = self.stream.next().await {
            let batch = batch?;
            let rows = batch.num_rows();
            if rows == 0 {
                continue;
            }
            let exprs = self.keys.iter().chain([&self.time]);
            let compared = exprs.map(|expr| expr.evaluate(&batch)?.into_array(rows));
            let compared = compared.collect::<Result<Vec<_>>>()?;
            let all = order.all.convert_columns(&compared)?;
            let keys = compared.get(..self.keys.len()).unwrap_or_default();
            let keys = order.keys.convert_columns(keys)?;
            return Ok(Some(Seen { batch, all, keys, compared, at: 0 }));
        }
        Ok(None)
    }
}

/// Where a row of the right input is: among the batch before, or in the present one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Before(usize),
    Now(usize),
}

/// Both inputs on their way.
struct Merge {
    order: Order,
    left: Input,
    right: Input,
    left_now: Option<Seen>,
    right_now: Option<Seen>,
    right_ended: bool,
    /// The last row of the right input that was passed.
    newest: Option<Place>,
    /// The batch that was over before, of which a row was the newest.
    before: Option<Seen>,
    /// A null of each column of the right input.
    nulls: Vec<ArrayRef>,
    schema: SchemaRef,
}

impl Merge {
    /// Rows of the left input with what fits to them; `None` at the end.
    async fn next(&mut self) -> Result<Option<RecordBatch>> {
        loop {
            if self.left_now.as_ref().is_none_or(Seen::is_over) {
                self.left_now = self.left.next(&self.order).await?;
            }
            let Some(mut left) = self.left_now.take() else { return Ok(None) };
            if !self.right_ended && self.right_now.as_ref().is_none_or(Seen::is_over) {
                self.keep_newest();
                self.right_now = self.right.next(&self.order).await?;
                self.right_ended = self.right_now.is_none();
            }
            let first = left.at;
            let places = self.places(&mut left);
            let made =
                if places.is_empty() { None } else { Some(self.rows(&left, first, &places)?) };
            self.left_now = Some(left);
            if made.is_some() {
                return Ok(made);
            }
        }
    }

    /// Takes the batch of the newest row along when it is over.
    fn keep_newest(&mut self) {
        let Some(over) = self.right_now.take() else { return };
        if let Some(Place::Now(row)) = self.newest {
            self.newest = Some(Place::Before(row));
            self.before = Some(over);
        }
    }

    /// What fits to the rows from here on, as far as the right batch reaches.
    fn places(&mut self, left: &mut Seen) -> Vec<Option<Place>> {
        let mut places = Vec::new();
        while !left.is_over() {
            let row = left.at;
            if let Some(right) = &mut self.right_now {
                while !right.is_over() {
                    match right.all.row(right.at).cmp(&left.all.row(row)) {
                        Ordering::Greater => break,
                        Ordering::Equal if self.order.strict => break,
                        _ => {}
                    }
                    if !right.is_null(right.at) {
                        self.newest = Some(Place::Now(right.at));
                    }
                    right.at += 1;
                }
                // The next batch may hold a newer one.
                if right.is_over() && !self.right_ended {
                    break;
                }
            }
            places.push(self.fits(left, row));
            left.at += 1;
        }
        places
    }

    fn fits(&self, left: &Seen, row: usize) -> Option<Place> {
        if left.is_null(row) {
            return None;
        }
        let newest = self.newest?;
        let keys = match newest {
            Place::Before(at) => self.before.as_ref()?.keys.row(at),
            Place::Now(at) => self.right_now.as_ref()?.keys.row(at),
        };
        (keys == left.keys.row(row)).then_some(newest)
    }

    fn rows(&self, left: &Seen, first: usize, places: &[Option<Place>]) -> Result<RecordBatch> {
        let (now, before) = (self.right_now.as_ref(), self.before.as_ref());
        let place = |place: &Option<Place>| match place {
            None => (0, 0),
            Some(Place::Now(row)) => (1, *row),
            Some(Place::Before(row)) => (2, *row),
        };
        let indices: Vec<_> = places.iter().map(place).collect();
        let mut columns = left.batch.slice(first, places.len()).columns().to_vec();
        for (i, null) in self.nulls.iter().enumerate() {
            let now = now.map_or(null, |seen| seen.batch.column(i));
            let before = before.map_or(null, |seen| seen.batch.column(i));
            let sources: [&dyn Array; 3] = [null, now, before];
            columns.push(interleave(&sources, &indices)?);
        }
        let options = RecordBatchOptions::new().with_row_count(Some(places.len()));
        Ok(RecordBatch::try_new_with_options(Arc::clone(&self.schema), columns, &options)?)
    }
}

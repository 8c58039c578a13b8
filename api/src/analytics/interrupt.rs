//! Makes a plan end when it is told to.
//!
//! A task ends where it yields. Joins do not: one batch read can become any number of batches
//! written, and a condition that never holds lets a join run on without writing any. So every join
//! yields after some batches, and conditions of joins ask whether the query is over.

use std::fmt::{self, Display, Formatter};
use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::{FieldRef, Schema};
use datafusion::common::tree_node::{Transformed, TransformedResult as _, TreeNode as _};
use datafusion::common::{Result, exec_err};
use datafusion::logical_expr::ColumnarValue;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::coop::CooperativeExec;
use datafusion::physical_plan::joins::utils::JoinFilter;
use datafusion::physical_plan::joins::{
    CrossJoinExec, HashJoinExec, NestedLoopJoinExec, NestedLoopJoinExecBuilder, SortMergeJoinExec,
};

/// The same plan, whose joins yield, and end when `over` is set.
pub(super) fn interruptible(
    plan: Arc<dyn ExecutionPlan>,
    over: &Arc<AtomicBool>,
) -> Result<Arc<dyn ExecutionPlan>> {
    let join = |plan: Arc<dyn ExecutionPlan>| {
        let watched = |filter: &JoinFilter| {
            let condition =
                Condition { holds: Arc::clone(filter.expression()), over: Arc::clone(over) };
            let columns = filter.column_indices().to_vec();
            Some(JoinFilter::new(Arc::new(condition), columns, Arc::clone(filter.schema())))
        };
        let any = plan.as_ref();
        let join: Arc<dyn ExecutionPlan> = if let Some(join) = any.downcast_ref::<HashJoinExec>() {
            match join.filter() {
                Some(filter) => join.builder().with_filter(watched(filter)).build_exec()?,
                None => plan,
            }
        } else if let Some(join) = any.downcast_ref::<NestedLoopJoinExec>() {
            match join.filter() {
                Some(filter) => {
                    let builder = NestedLoopJoinExecBuilder::from(join);
                    Arc::new(builder.with_filter(watched(filter)).build()?)
                }
                None => plan,
            }
        } else if any.is::<CrossJoinExec>() || any.is::<SortMergeJoinExec>() {
            plan
        } else {
            return Ok(Transformed::no(plan));
        };
        Ok(Transformed::yes(Arc::new(CooperativeExec::new(join)) as Arc<dyn ExecutionPlan>))
    };
    plan.transform_up(join).data()
}

/// A condition that is an error as soon as the query is over.
#[derive(Debug)]
struct Condition {
    holds: Arc<dyn PhysicalExpr>,
    over: Arc<AtomicBool>,
}

impl PartialEq for Condition {
    fn eq(&self, other: &Self) -> bool {
        self.holds.eq(&other.holds) && Arc::ptr_eq(&self.over, &other.over)
    }
}

impl Eq for Condition {}

impl Hash for Condition {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.holds.hash(state);
    }
}

impl Display for Condition {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        Display::fmt(&self.holds, f)
    }
}

impl PhysicalExpr for Condition {
    fn return_field(&self, schema: &Schema) -> Result<FieldRef> {
        self.holds.return_field(schema)
    }

    fn evaluate(&self, batch: &RecordBatch) -> Result<ColumnarValue> {
        if self.over.load(Ordering::Relaxed) {
            return exec_err!("the query is over");
        }
        self.holds.evaluate(batch)
    }

    fn children(&self) -> Vec<&Arc<dyn PhysicalExpr>> {
        vec![&self.holds]
    }

    fn with_new_children(
        self: Arc<Self>,
        mut children: Vec<Arc<dyn PhysicalExpr>>,
    ) -> Result<Arc<dyn PhysicalExpr>> {
        let holds = children.pop().unwrap_or_else(|| Arc::clone(&self.holds));
        Ok(Arc::new(Self { holds, over: Arc::clone(&self.over) }))
    }

    fn fmt_sql(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.holds.fmt_sql(f)
    }
}

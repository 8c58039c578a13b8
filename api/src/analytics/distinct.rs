//! `DISTINCT ON (key) … ORDER BY key, time DESC` by `last_by`.
//!
//! `DataFusion` makes an aggregate of it in which each column orders all rows for itself.
//! [`LastBy`] makes one of [`last_by`](super::functions) where that gives the same: the order's
//! last word is a time or whole number that is never null. Of 1,000 trucks' last rows in 7.8
//! million that takes 0.78 of the processor time (`make bench-history`, low-fuel).

use std::sync::Arc;

use datafusion::arrow::datatypes::DataType;
use datafusion::common::tree_node::Transformed;
use datafusion::common::{Column, Result};
use datafusion::logical_expr::expr_rewriter::normalize_cols;
use datafusion::logical_expr::{
    Aggregate, Distinct, DistinctOn, Expr, ExprSchemable as _, LogicalPlan, LogicalPlanBuilder,
    SortExpr,
};
use datafusion::optimizer::optimizer::{ApplyOrder, Optimizer};
use datafusion::optimizer::{OptimizerConfig, OptimizerRule};

/// The rule that would make the slower aggregate.
const BEFORE: &str = "replace_distinct_aggregate";

/// All of `DataFusion`'s rules, and this one where it belongs.
pub(super) fn rules() -> Vec<Arc<dyn OptimizerRule + Send + Sync>> {
    let mut rules = Optimizer::new().rules;
    let at = rules.iter().position(|rule| rule.name() == BEFORE).unwrap_or(0);
    rules.insert(at, Arc::new(LastBy));
    rules
}

/// The rule.
#[derive(Debug)]
struct LastBy;

impl OptimizerRule for LastBy {
    fn name(&self) -> &'static str {
        "distinct_on_last_by"
    }

    fn apply_order(&self) -> Option<ApplyOrder> {
        Some(ApplyOrder::TopDown)
    }

    fn supports_rewrite(&self) -> bool {
        true
    }

    fn rewrite(
        &self,
        plan: LogicalPlan,
        config: &dyn OptimizerConfig,
    ) -> Result<Transformed<LogicalPlan>> {
        let (LogicalPlan::Distinct(Distinct::On(distinct)), Some(registry)) =
            (&plan, config.function_registry())
        else {
            return Ok(Transformed::no(plan));
        };
        let Some((keys, by)) = ordered(distinct)? else { return Ok(Transformed::no(plan)) };
        let name = if by.asc { "first_by" } else { "last_by" };
        let made = aggregate(distinct, keys, |value| {
            Ok(registry.udaf(name)?.call(vec![value, by.expr.clone()]))
        });
        Ok(Transformed::yes(made?))
    }
}

/// How the keys are sorted, and by what the row of each is chosen, where `last_by` can do that.
fn ordered(distinct: &DistinctOn) -> Result<Option<(&[SortExpr], &SortExpr)>> {
    let Some((by, keys)) = distinct.sort_expr.as_deref().and_then(<[SortExpr]>::split_last) else {
        return Ok(None);
    };
    let are_keys = keys.len() == distinct.on_expr.len()
        && keys.iter().zip(&distinct.on_expr).all(|(key, on)| key.expr == *on);
    if !are_keys {
        return Ok(None);
    }
    let schema = distinct.input.schema();
    let is_time = matches!(by.expr.get_type(schema)?, DataType::Timestamp(..) | DataType::Int64);
    Ok((is_time && !by.expr.nullable(schema)?).then_some((keys, by)))
}

fn aggregate(
    distinct: &DistinctOn,
    keys: &[SortExpr],
    chosen: impl Fn(Expr) -> Result<Expr>,
) -> Result<LogicalPlan> {
    let input = Arc::clone(&distinct.input);
    let mut values: Vec<Expr> = Vec::new();
    // Of each selected column its place among the aggregate's: keys first, then what was chosen.
    let mut places = Vec::new();
    for selected in &distinct.select_expr {
        let selected = selected.clone().unalias();
        let key = distinct.on_expr.iter().position(|key| *key == selected);
        if let Some(key) = key {
            places.push(key);
        } else {
            let value = chosen(selected)?;
            let at = values.iter().position(|known| *known == value).unwrap_or(values.len());
            if at == values.len() {
                values.push(value);
            }
            places.push(distinct.on_expr.len() + at);
        }
    }
    let values = normalize_cols(values, input.as_ref())?;
    let groups = normalize_cols(distinct.on_expr.iter().cloned(), input.as_ref())?;
    let made = LogicalPlan::Aggregate(Aggregate::try_new(input, groups, values)?);
    let sorted = LogicalPlanBuilder::from(made).sort(keys.to_vec())?.build()?;
    let schema = Arc::clone(sorted.schema());
    let answered = places.into_iter().zip(distinct.schema.iter()).map(|(place, (whose, field))| {
        let column = Expr::Column(Column::from(schema.qualified_field(place)));
        column.alias_qualified(whose.cloned(), field.name())
    });
    LogicalPlanBuilder::from(sorted).project(answered.collect::<Vec<_>>())?.build()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::analytics::tests::World;

    #[test]
    fn the_last_row_of_each_is_found_by_its_time() {
        let world = World::new("distinct");
        let over = world.analytics(|_| {});
        let last = "SELECT DISTINCT ON (vehicle) seq, vehicle AS van, round(lat, 3), seq AS n
                    FROM positions
                    ORDER BY vehicle, time DESC";
        let rows = |seq: u64, lat: f64| {
            json!(["van-1", "van-2", "van-3"].map(|van| json!([seq, van, lat, seq])))
        };
        assert_eq!(world.rows(&over, "acme", last), rows(200, 41.161));
        let first = last.replace("time DESC", "time");
        assert_eq!(world.rows(&over, "acme", &first), rows(201, 41.077));
        let how = |sql: &str| world.rows(&over, "acme", &format!("EXPLAIN {sql}")).to_string();
        assert!(how(last).contains("last_by(") && how(&first).contains("first_by("));
        // A time that may be unknown comes first when it is; two words are no time.
        for order in ["vehicle, device_time DESC", "vehicle, time DESC, seq DESC", "vehicle"] {
            let sql = last.replace("vehicle, time DESC", order);
            assert!(how(&sql).contains("first_value("), "{order}");
        }
    }
}

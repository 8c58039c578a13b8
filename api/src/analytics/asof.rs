//! ASOF joins: to each row the newest one of another table as of its time.
//!
//! ```sql
//! SELECT p.time, e.p50 FROM positions p
//! ASOF JOIN etas e MATCH_CONDITION (p.time >= e.time) ON p.vehicle = e.vehicle
//! ```
//!
//! As Snowflake has it: every row of the left table stays, with nulls where nothing fits; `>=` and
//! `>` take the last row before, `<=` and `<` the first one behind; of rows of one time any.
//!
//! `DataFusion` reads such a join but does not plan it. So the text's join becomes a left join with
//! a function that nobody calls, `asof_ge(p.time, e.time)`, in its condition. Everything that is
//! known about left joins holds for it: which columns are read, which filters go where. When the
//! join of hashes is there, [`Rule`] puts [`join::AsofExec`] in its place.

use std::ops::ControlFlow;
use std::sync::Arc;

use datafusion::arrow::datatypes::DataType;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TransformedResult as _, TreeNode as _};
use datafusion::common::{JoinSide, JoinType, Result, exec_err, plan_datafusion_err, plan_err};
use datafusion::error::DataFusionError;
use datafusion::execution::context::{SQLOptions, SessionContext};
use datafusion::execution::{FunctionRegistry as _, SessionState};
use datafusion::logical_expr::binary::comparison_coercion;
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_expr::{PhysicalExpr, ScalarFunctionExpr};
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_optimizer::optimizer::PhysicalOptimizer;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::joins::HashJoinExec;
use datafusion::physical_plan::joins::utils::JoinFilter;
use datafusion::prelude::DataFrame;
use datafusion::sql::parser::Statement;
use datafusion::sql::sqlparser::ast::{
    BinaryOperator, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArgumentList,
    FunctionArguments, Ident, JoinConstraint, JoinOperator, ObjectName, Select, TableFactor,
    TableWithJoins, VisitMut as _, VisitorMut,
};

mod join;
#[cfg(test)]
mod tests;

use join::AsofExec;

/// Makes an inner join of a left one whose nulls a filter leaves out; then filters of the right
/// table would go before the join, and another row would be the newest. Not where there is one.
const NOT_WITH_ASOF: &str = "eliminate_outer_join";

/// Tables after one `FROM`: each makes the plan one level deeper.
const TABLES_MAX: usize = 100;

/// How the times of a pair are to each other, the left one first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Match {
    AtOrAfter,
    After,
    AtOrBefore,
    Before,
}

impl Match {
    const ALL: [Self; 4] = [Self::AtOrAfter, Self::After, Self::AtOrBefore, Self::Before];

    const fn function(self) -> &'static str {
        match self {
            Self::AtOrAfter => "asof_ge",
            Self::After => "asof_gt",
            Self::AtOrBefore => "asof_le",
            Self::Before => "asof_lt",
        }
    }

    const fn of(operator: &BinaryOperator) -> Option<Self> {
        Some(match operator {
            BinaryOperator::GtEq => Self::AtOrAfter,
            BinaryOperator::Gt => Self::After,
            BinaryOperator::LtEq => Self::AtOrBefore,
            BinaryOperator::Lt => Self::Before,
            _ => return None,
        })
    }

    /// The same with the right time first.
    const fn turned(self) -> Self {
        match self {
            Self::AtOrAfter => Self::AtOrBefore,
            Self::After => Self::Before,
            Self::AtOrBefore => Self::AtOrAfter,
            Self::Before => Self::After,
        }
    }
}

/// Lets a session plan ASOF joins.
pub(super) fn register(state: &mut SessionState) {
    for by in Match::ALL {
        let signature = Signature::user_defined(Volatility::Immutable);
        let function = ScalarUDF::from(Marker { by, signature });
        // Nobody had the name.
        drop(state.register_udf(Arc::new(function)));
    }
}

/// What makes plans of physical plans, ours first: it looks for joins as they were planned.
pub(super) fn rules() -> Vec<Arc<dyn PhysicalOptimizerRule + Send + Sync>> {
    let mut rules = PhysicalOptimizer::new().rules;
    rules.insert(0, Arc::new(Rule));
    rules
}

/// A query as it would be without ASOF joins, and with them.
pub(super) async fn frame(
    context: &SessionContext,
    sql: &str,
    options: SQLOptions,
) -> Result<DataFrame> {
    let state = context.state();
    let dialect = state.config().options().sql_parser.dialect;
    let mut statement = state.sql_to_statement(sql, &dialect)?;
    let mut rewrite = Rewrite::default();
    rewrite.statement(&mut statement)?;
    if rewrite.found {
        context.remove_optimizer_rule(NOT_WITH_ASOF);
    }
    let plan = context.state().statement_to_plan(statement).await?;
    options.verify_plan(&plan)?;
    context.execute_logical_plan(plan).await
}

/// Makes left joins of the ASOF joins of a statement.
#[derive(Default)]
struct Rewrite {
    found: bool,
}

impl Rewrite {
    fn statement(&mut self, statement: &mut Statement) -> Result<()> {
        match statement {
            Statement::Statement(statement) => match statement.visit(self) {
                ControlFlow::Break(error) => Err(error),
                ControlFlow::Continue(()) => Ok(()),
            },
            Statement::Explain(explain) => self.statement(&mut explain.statement),
            // Nothing else may be asked.
            _ => Ok(()),
        }
    }

    fn joins(&mut self, table: &mut TableWithJoins) -> ControlFlow<DataFusionError> {
        for join in &mut table.joins {
            if !matches!(join.join_operator, JoinOperator::AsOf { .. }) {
                continue;
            }
            self.found = true;
            let operator = std::mem::replace(&mut join.join_operator, JoinOperator::CrossApply);
            match rewritten(operator) {
                Ok(operator) => join.join_operator = operator,
                Err(error) => return ControlFlow::Break(error),
            }
        }
        ControlFlow::Continue(())
    }
}

impl VisitorMut for Rewrite {
    type Break = DataFusionError;

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<DataFusionError> {
        if select.from.len() > TABLES_MAX {
            let found = select.from.len();
            let error =
                plan_datafusion_err!("FROM names {found} tables, expected at most {TABLES_MAX}");
            return ControlFlow::Break(error);
        }
        for table in &mut select.from {
            self.joins(table)?;
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_table_factor(&mut self, table: &mut TableFactor) -> ControlFlow<DataFusionError> {
        match table {
            TableFactor::NestedJoin { table_with_joins, .. } => self.joins(table_with_joins),
            _ => ControlFlow::Continue(()),
        }
    }
}

fn rewritten(operator: JoinOperator) -> Result<JoinOperator> {
    let JoinOperator::AsOf { match_condition, constraint } = operator else { return Ok(operator) };
    let JoinConstraint::On(on) = constraint else {
        return plan_err!("an ASOF JOIN needs `ON` with what has to be equal");
    };
    let comparison = match match_condition {
        Expr::BinaryOp { left, op, right } => {
            Match::of(&op).map(|by| (by, *left, *right)).ok_or_else(|| op.to_string())
        }
        other => Err(other.to_string()),
    };
    let (by, left, right) = match comparison {
        Ok(comparison) => comparison,
        Err(found) => {
            return plan_err!(
                "MATCH_CONDITION is `{found}`, expected a comparison by >=, >, <= or <"
            );
        }
    };
    let argument = |expr| FunctionArg::Unnamed(FunctionArgExpr::Expr(expr));
    let marker = Expr::Function(Function {
        name: ObjectName::from(vec![Ident::new(by.function())]),
        uses_odbc_syntax: false,
        parameters: FunctionArguments::None,
        args: FunctionArguments::List(FunctionArgumentList {
            duplicate_treatment: None,
            args: vec![argument(left), argument(right)],
            clauses: Vec::new(),
        }),
        filter: None,
        null_treatment: None,
        over: None,
        within_group: Vec::new(),
    });
    let both = Expr::BinaryOp {
        left: Box::new(Expr::Nested(Box::new(on))),
        op: BinaryOperator::And,
        right: Box::new(marker),
    };
    Ok(JoinOperator::LeftOuter(JoinConstraint::On(both)))
}

/// Stands for the comparison of an ASOF join until that is planned.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Marker {
    by: Match,
    signature: Signature,
}

impl ScalarUDFImpl for Marker {
    fn name(&self) -> &str {
        self.by.function()
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, given: &[DataType]) -> Result<Vec<DataType>> {
        let [left, right] = given else {
            return plan_err!("MATCH_CONDITION compares {} values", given.len());
        };
        let Some(both) = comparison_coercion(left, right) else {
            return plan_err!("MATCH_CONDITION compares {left} with {right}");
        };
        Ok(vec![both.clone(), both])
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Boolean)
    }

    fn invoke_with_args(&self, _: ScalarFunctionArgs) -> Result<ColumnarValue> {
        exec_err!("an ASOF JOIN needs `ON` with equalities of both tables and nothing else")
    }
}

/// Puts [`AsofExec`] where a join was marked.
#[derive(Debug)]
struct Rule;

impl PhysicalOptimizerRule for Rule {
    fn name(&self) -> &'static str {
        "asof_join"
    }

    fn schema_check(&self) -> bool {
        true
    }

    fn optimize(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        _: &ConfigOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let replace = |plan: Arc<dyn ExecutionPlan>| {
            let Some(join) = plan.downcast_ref::<HashJoinExec>() else {
                return Ok(Transformed::no(plan));
            };
            let Some(times) = join.filter.as_ref().and_then(marked) else {
                return Ok(Transformed::no(plan));
            };
            if join.join_type != JoinType::Left || join.projection.is_some() {
                return exec_err!("an ASOF JOIN became a {} join", join.join_type);
            }
            let exec = AsofExec::new(
                (Arc::clone(&join.left), Arc::clone(&join.right)),
                join.on.clone(),
                times,
                join.schema(),
            )?;
            Ok(Transformed::yes(Arc::new(exec) as Arc<dyn ExecutionPlan>))
        };
        plan.transform_up(replace).data()
    }
}

type Times = (Match, Arc<dyn PhysicalExpr>, Arc<dyn PhysicalExpr>);

/// What is compared, each over its own table, if a join is marked and asks for nothing else.
fn marked(filter: &JoinFilter) -> Option<Times> {
    let function = filter.expression().downcast_ref::<ScalarFunctionExpr>()?;
    let by = Match::ALL.into_iter().find(|by| by.function() == function.name())?;
    let [one, other] = function.args() else { return None };
    match (over_one_table(one, filter)?, over_one_table(other, filter)?) {
        ((JoinSide::Left, left), (JoinSide::Right, right)) => Some((by, left, right)),
        ((JoinSide::Right, right), (JoinSide::Left, left)) => Some((by.turned(), left, right)),
        _ => None,
    }
}

/// An expression with the columns of the table it is about.
fn over_one_table(
    expr: &Arc<dyn PhysicalExpr>,
    filter: &JoinFilter,
) -> Option<(JoinSide, Arc<dyn PhysicalExpr>)> {
    let mut sides = Vec::new();
    let own = |expr: Arc<dyn PhysicalExpr>| {
        let Some(column) = expr.downcast_ref::<Column>() else { return Ok(Transformed::no(expr)) };
        let Some(place) = filter.column_indices().get(column.index()) else {
            return Ok(Transformed::no(expr));
        };
        sides.push(place.side);
        let own = Column::new(column.name(), place.index);
        Ok(Transformed::yes(Arc::new(own) as Arc<dyn PhysicalExpr>))
    };
    let own = Arc::clone(expr).transform_up(own).data().ok()?;
    let first = *sides.first()?;
    sides.iter().all(|side| *side == first).then_some((first, own))
}

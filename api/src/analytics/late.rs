//! Whether few rows are wanted of a file: then its other columns are read for those alone.
//!
//! Choosing rows first costs a selection to be kept and followed in every column. Where most rows
//! are wanted that is more than reading all: 1.37 times the processor time for one filter that
//! keeps two rows of three (`make bench-history`, average against projected consumption).

use datafusion::arrow::datatypes::DataType;
use datafusion::logical_expr::{BinaryExpr, Expr, Operator};

/// Whether filters are likely to leave few rows: something equals a constant, or lies in a period.
pub(super) fn leave_few(filters: &[Expr]) -> bool {
    filters.iter().any(is_narrow)
}

fn is_narrow(filter: &Expr) -> bool {
    match filter {
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::And, right }) => {
            is_narrow(left) || is_narrow(right)
        }
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::Or, right }) => {
            is_narrow(left) && is_narrow(right)
        }
        Expr::BinaryExpr(BinaryExpr { left, op, right }) => match (&**left, &**right) {
            (Expr::Literal(value, _), _) | (_, Expr::Literal(value, _)) => {
                let is_bound =
                    matches!(op, Operator::Lt | Operator::LtEq | Operator::Gt | Operator::GtEq);
                *op == Operator::Eq || is_bound && is_time(&value.data_type())
            }
            _ => false,
        },
        Expr::InList(list) => !list.negated,
        Expr::Between(between) => !between.negated,
        _ => false,
    }
}

fn is_time(kind: &DataType) -> bool {
    matches!(kind, DataType::Timestamp(..) | DataType::Date32)
}

#[cfg(test)]
mod tests {
    use datafusion::prelude::{col, lit, lit_timestamp_nano};

    use super::leave_few;

    #[test]
    fn constants_and_periods_leave_few() {
        let period = col("time").gt_eq(lit_timestamp_nano(0));
        let few = [
            col("vehicle").eq(lit("van-1")),
            lit("van-1").eq(col("vehicle")),
            col("vehicle").in_list(vec![lit("van-1"), lit("van-2")], false),
            col("speed_mps").between(lit(1.0), lit(2.0)),
            period.clone(),
            period.clone().and(col("speed_mps").gt(lit(1.0))),
            col("vehicle").eq(lit("van-1")).or(col("vehicle").eq(lit("van-2"))),
        ];
        for filter in few {
            assert!(leave_few(std::slice::from_ref(&filter)), "{filter}");
        }
        let many = [
            col("speed_mps").gt(lit(1.0)),
            col("vehicle").is_not_null(),
            col("vehicle").in_list(vec![lit("van-1")], true),
            period.or(col("valid")),
        ];
        for filter in many {
            assert!(!leave_few(std::slice::from_ref(&filter)), "{filter}");
        }
        assert!(!leave_few(&[]));
    }
}

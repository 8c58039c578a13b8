//! The speed that is allowed on a way.

use std::hash::{Hash, Hasher};
use std::sync::{Arc, OnceLock};

use datafusion::arrow::array::{Array as _, ArrayRef, Float64Array};
use datafusion::arrow::datatypes::DataType;
use datafusion::common::{Result, ScalarValue, plan_err};
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility,
};
use engine::road::{EdgeId, Profile, Road};

use super::Described;
use super::argument::{Arguments, Kind};

/// For people.
pub(super) const ABOUT: Described = Described {
    call: "speed_limit_mps(way)",
    meaning: "speed allowed on an OpenStreetMap way, metres per second, the higher of both \
              directions; null where the map does not tell it for sure",
};

/// What a map's free flow is of the signed limit.
const OF_LIMIT: f64 = 0.8;
/// Kilometres in a mile.
const MILE_KM: f64 = 1.609_344;
/// A map keeps speeds in steps of 1 cm/s.
const STEP_MPS: f64 = 0.01;

/// `speed_limit_mps`.
#[derive(Debug)]
pub(super) struct SpeedLimit {
    signature: Signature,
    road: Option<Arc<Road>>,
    /// Sorted by way; made when it is first asked for.
    ways: OnceLock<Vec<(i64, f64)>>,
}

impl SpeedLimit {
    pub(super) fn new(road: Option<Arc<Road>>) -> Self {
        let signature = Signature::user_defined(Volatility::Immutable);
        Self { signature, road, ways: OnceLock::new() }
    }

    fn ways(&self) -> &[(i64, f64)] {
        self.ways.get_or_init(|| self.road.as_deref().map(of_road).unwrap_or_default())
    }
}

/// A map holds how fast a road is driven when it is free, not its limit. But where a limit is
/// signed that is a fixed share of it, so a speed that is this share of a round limit, and is not
/// what a road of its class is driven at without a sign, tells the limit.
fn limit_mps(free_mps: f64, usual_kmh: f64) -> Option<f64> {
    if (free_mps - usual_kmh / 3.6).abs() <= STEP_MPS {
        return None;
    }
    let nearest = |step_kmh: f64| {
        let kmh = (free_mps * 3.6 / OF_LIMIT / step_kmh).round() * step_kmh;
        (kmh > 0.0 && (kmh / 3.6 * OF_LIMIT - free_mps).abs() <= STEP_MPS).then_some(kmh / 3.6)
    };
    nearest(10.0).or_else(|| nearest(5.0 * MILE_KM))
}

fn of_road(road: &Road) -> Vec<(i64, f64)> {
    let mut ways: Vec<(i64, f64)> = Vec::new();
    for edge in (0..road.edges() as u32).map(EdgeId) {
        let Some(seconds) = road.seconds(edge, Profile::Car) else { continue };
        let free_mps = road.length_m(edge) / seconds;
        if let Some(limit) = limit_mps(free_mps, road.class(edge).free_flow_kmh()) {
            ways.push((road.osm(edge).0, limit));
        }
    }
    // The higher of a way's limits stands first, and alone remains.
    ways.sort_unstable_by(|a, b| a.0.cmp(&b.0).then(b.1.total_cmp(&a.1)));
    ways.dedup_by_key(|way| way.0);
    ways.shrink_to_fit();
    ways
}

impl PartialEq for SpeedLimit {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for SpeedLimit {}

impl Hash for SpeedLimit {
    fn hash<H: Hasher>(&self, state: &mut H) {
        ABOUT.call.hash(state);
    }
}

impl ScalarUDFImpl for SpeedLimit {
    fn name(&self) -> &'static str {
        "speed_limit_mps"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, given: &[DataType]) -> Result<Vec<DataType>> {
        match given {
            [way] if Kind::Whole.read_as(way).is_some() => Ok(vec![DataType::Int64]),
            other => plan_err!("`{}` is given {other:?}, expected a whole number", ABOUT.call),
        }
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Float64)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let arguments = Arguments::new(&args.args, args.number_rows)?;
        let (asked, ways) = (arguments.wholes(0)?, self.ways());
        let limit = |row: usize| {
            let way = asked.get(row)?;
            let at = ways.binary_search_by_key(&way, |known| known.0).ok()?;
            ways.get(at).map(|known| known.1)
        };
        let limits: Float64Array = (0..arguments.rows()).map(limit).collect();
        if arguments.is_constant() {
            let limit = limits.is_valid(0).then(|| limits.value(0));
            return Ok(ColumnarValue::Scalar(ScalarValue::Float64(limit)));
        }
        Ok(ColumnarValue::Array(Arc::new(limits) as ArrayRef))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(free_kmh: f64, usual_kmh: f64, limit_kmh: Option<f64>) {
        let free_mps = (free_kmh / 3.6 * 100.0).floor() / 100.0;
        let found = limit_mps(free_mps, usual_kmh).map(|mps| (mps * 36.0).round() / 10.0);
        assert_eq!(found, limit_kmh, "{free_kmh} km/h on a road of {usual_kmh}");
    }

    #[test]
    fn signed_limits_are_found_again_and_nothing_else_is() {
        for limit in [20.0, 30.0, 50.0, 60.0, 70.0, 80.0, 90.0, 100.0, 120.0, 130.0] {
            check(limit * 0.8, 25.0, Some(limit));
        }
        for miles in [20.0, 30.0, 40.0, 60.0, 70.0] {
            let limit = miles * MILE_KM;
            check(limit * 0.8, 65.0, Some((limit * 10.0).round() / 10.0));
        }
        // What a class is driven at without a sign, and what a surface allows.
        for usual in [90.0, 45.0, 85.0, 40.0, 65.0, 30.0, 55.0, 25.0, 20.0, 10.0, 15.0] {
            check(usual, usual, None);
        }
        for surface in [60.0, 30.0, 20.0, 10.0] {
            check(surface, 65.0, None);
        }
    }
}

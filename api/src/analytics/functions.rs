//! Functions that fleets need and SQL lacks.

use datafusion::execution::SessionState;

/// Adds them all to a session.
pub(super) fn register(_state: &mut SessionState) {}

//! One customer to be: a link to the page of an order that a van is about to bring.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use simulator::live::client::Client;

/// How often the routes are looked at, and how many times: the first vans leave within a minute.
const LOOK: Duration = Duration::from_secs(2);
const LOOKS_MAX: u32 = 90;
/// Routes that are looked at.
const ROUTES: usize = 200;

/// Waits for an order with one stop before it, makes a link to it and answers the page's path;
/// `None` when there was none or `stop` turned true. Blocks.
pub(super) fn link(api: &str, stop: &Arc<AtomicBool>) -> Option<String> {
    let client = Client::new(api, None);
    for _ in 0..LOOKS_MAX {
        if stop.load(Ordering::Acquire) {
            return None;
        }
        std::thread::sleep(LOOK);
        let Ok(routes) = client.get(&format!("/routes?limit={ROUTES}")) else { continue };
        let Some(order) = soonest(&routes) else { continue };
        match client.post("/links", &json!({ "order": order })) {
            Ok(link) => return link["url"].as_str().map(str::to_owned),
            Err(error) => tracing::warn!(%error, "no customer link"),
        }
    }
    None
}

/// The order that is expected first among those with just one stop before them.
fn soonest(routes: &Value) -> Option<&str> {
    let routes = routes["routes"].as_array()?;
    let second = |route: &'_ Value| -> Option<(String, usize)> {
        let stops = route["stops"].as_array()?;
        let next = stops.iter().position(|stop| stop["state"] == "next")?;
        let likely = stops.get(next + 1)?["eta"]["p50"].as_str()?;
        Some((likely.to_owned(), next + 1))
    };
    let found = routes.iter().filter_map(|route| second(route).map(|found| (found, route)));
    let ((_, stop), route) = found.min_by(|a, b| a.0.cmp(&b.0))?;
    route["stops"][stop]["order"].as_str()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_after_the_next_stop_that_comes_first_is_taken() {
        let stop = |order: &str, state: &str, p50: &str| json!({"order": order, "state": state, "eta": {"p50": p50}});
        let routes = json!({"routes": [
            {"stops": [stop("a", "next", "10:00"), stop("b", "later", "10:20")]},
            {"stops": [stop("c", "completed", ""), stop("d", "next", "10:01"),
                       stop("e", "later", "10:10"), stop("f", "later", "10:30")]},
            {"stops": [stop("g", "next", "09:00")]},
            {"stops": [{"order": "h"}]},
        ]});
        assert_eq!(soonest(&routes), Some("e"));
        assert_eq!(soonest(&json!({})), None);
    }
}

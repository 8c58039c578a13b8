//! The same on a real broker, one of this test's own: others leave records on theirs that are
//! none of an engine's.

use std::sync::Arc;

use ingest::log::Log;
use milepost::log::kafka::{KafkaLog, Properties, topics};

use super::{another_version_doubles_nothing, reassignment_doubles_nothing};
use crate::broker::Broker;
use crate::line::with_roles;
use crate::log::kafka::extra;

#[test]
fn by_another_version_and_after_a_reassignment_it_doubles_nothing() {
    let broker = Broker::start("resend");
    topics::create(&Properties::new(broker.address(), &extra()), 1).unwrap();
    let log: Arc<dyn Log> = Arc::new(KafkaLog::connect(broker.address(), &extra()).unwrap());
    with_roles(async {
        another_version_doubles_nothing(Arc::clone(&log)).await;
        reassignment_doubles_nothing(log, None).await;
    });
}

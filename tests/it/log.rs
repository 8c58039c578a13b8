//! The promises of `ingest::log`, written once and held against every log.
//!
//! A log joins by a [`Harness`](harness::Harness): how it is opened, restarted, and what can be
//! done to it. The checks never assume that offsets start at 0 or have no gaps.

mod commands;
mod compaction;
pub(crate) mod disk;
mod groups;
mod harness;
pub(crate) mod held;
#[cfg(feature = "kafka")]
pub(crate) mod kafka;
mod kill;
mod memory;
mod oracle;
mod order;
mod retention;

use harness::Harness;

/// One promise; gets a log that holds nothing of this check's yet.
type Check = fn(&mut dyn Harness);

/// All of them, by name.
const CHECKS: &[(&str, Check)] = &[
    ("order", order::records_of_a_partition_have_one_order),
    ("calls", order::records_of_one_call_stay_together),
    ("fields", order::a_record_comes_back_as_it_was_written),
    ("placement", order::a_key_finds_its_partition_unless_one_is_named),
    ("dropped", order::a_dropped_future_takes_nothing_back),
    ("refused", order::what_can_never_be_taken_is_refused_whole),
    ("bytes", order::reads_stop_near_their_bound_and_go_on_where_they_stopped),
    ("waiting", order::a_waiting_reader_wakes),
    ("durable", order::what_was_acknowledged_is_there_after_a_restart),
    ("times", order::offsets_are_found_by_time),
    ("commit", groups::outputs_and_offsets_appear_together_or_not_at_all),
    ("resume", groups::a_group_goes_on_where_it_committed),
    ("apart", groups::groups_do_not_disturb_each_other),
    ("rewind", groups::rewind_reads_again_from_the_commit),
    ("rebalance", groups::two_members_share_and_every_record_is_committed_once),
    ("fencing", groups::a_replaced_member_commits_nothing),
    ("silence", groups::a_silent_member_loses_its_partitions),
    ("compaction", compaction::only_the_newest_of_each_key_is_needed),
    ("retention", retention::old_records_go_and_readers_are_told),
];

/// Holds every promise against logs that `make` makes, one for each check.
fn conform(make: impl Fn(&str) -> Box<dyn Harness>) {
    for (name, check) in CHECKS {
        eprintln!("check {name}");
        check(&mut *make(name));
    }
}

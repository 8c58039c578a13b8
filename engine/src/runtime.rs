//! Partitions, shards, checkpoints, recovery: the only threads of the engine.

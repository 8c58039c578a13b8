//! Plans, actions, assignments, worlds, states and outputs as bytes and as canonical JSON.

//! Fixes to roads: an online hidden Markov model with bounded lag and bounded state.

//! The step function: one vehicle, one input, all that it means. Pure.

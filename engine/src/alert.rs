//! What a person should hear of: one file a rule, each condition raised once and cleared once.

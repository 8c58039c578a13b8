//! What a step reads besides its vehicle: immutable, numbered, named by content.

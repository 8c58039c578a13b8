# The README's two commands are `make demo` and `make test`.

CARGO_TARGET_DIR ?= $(HOME)/.cache/milepost-target
export CARGO_TARGET_DIR

.PHONY: test fmt lint

test:
	cargo test --workspace

fmt:
	cargo fmt --all

lint:
	cargo clippy --workspace --all-targets -- -D warnings

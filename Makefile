# The README's two commands are `make demo` and `make test`.

CARGO_TARGET_DIR ?= $(HOME)/.cache/milepost-target
export CARGO_TARGET_DIR

.PHONY: demo test bench fmt lint doc deps

# A synthetic town, its fleet, all roles in one process; prints the URL.
demo:
	@deploy/needs.sh demo
	cargo build --release --locked -p milepost
	$(CARGO_TARGET_DIR)/release/milepost demo

# Two suites: the code alone, then what needs a real Kafka broker.
test:
	@deploy/needs.sh test
	cargo test --workspace --locked
	deploy/kafka/with-broker.sh cargo test --locked -p tests --features kafka --test it kafka:: -- --test-threads 1

# Every benchmark prints its ratio to a reference measured in the same run.
bench:
	@deploy/needs.sh demo
	cargo bench --workspace --locked

fmt:
	cargo fmt --all

lint:
	cargo clippy --workspace --all-targets --locked -- -D warnings

doc:
	RUSTDOCFLAGS="-D warnings -A rustdoc::private_intra_doc_links" cargo doc --workspace --no-deps --document-private-items --locked

# Installs with Debian's or Ubuntu's packages whatever `demo` and `test` need but Rust.
deps:
	@deploy/needs.sh demo test --install

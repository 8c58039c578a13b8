# The README's two commands are `make demo` and `make test`.

CARGO_TARGET_DIR ?= $(HOME)/.cache/milepost-target
export CARGO_TARGET_DIR
# Where deploy/needs.sh puts a newer Node than the distribution's; absent where that is new enough.
export PATH := $(HOME)/.cache/milepost-node/node_modules/.bin:$(PATH)

.PHONY: demo test test-code test-kafka test-screens bench bench-gateway bench-hostile bench-history bench-roads test-ballista fuzz fuzz-roads fmt lint doc deps web

WEB_SOURCES := $(shell find api/web -type f -not -path '*/node_modules/*' -not -path '*/dist/*' -not -name .stamp -not -name schema.d.ts)

# A synthetic town, its fleet, all roles in one process; prints the URL.
demo:
	@deploy/needs.sh demo
	@$(MAKE) --no-print-directory web
	cargo build --profile demo --locked -p milepost
	$(CARGO_TARGET_DIR)/demo/milepost demo

# The dispatcher app, into api/web/dist/; built again only when its sources changed.
web: api/web/.stamp
api/web/.stamp: $(WEB_SOURCES)
	cd api/web && npm ci --no-audit --no-fund --loglevel=error && npm run --silent build
	@touch $@

# Three suites: the code alone, what needs a real Kafka broker, what needs a real browser. All of
# them select the whole workspace and its tests, so that the features of what lies below are the
# same and nothing is compiled twice. They run at once, since most of them is waiting; what one has
# said stands together at its end.
test:
	@deploy/needs.sh test
	@$(MAKE) --no-print-directory web
	cargo test --workspace --locked --no-run
	cargo test --workspace --locked --no-run --features tests/kafka
	cargo build --workspace --locked --bins --tests
	@echo "three suites run at once; each is told whole when it ends"
	@$(MAKE) --no-print-directory --jobs 3 --keep-going --output-sync=target test-code test-kafka test-screens

test-code:
	cargo test --workspace --locked
test-kafka:
	deploy/kafka/with-broker.sh cargo test --workspace --locked --features tests/kafka --test it kafka:: -- --test-threads 1
test-screens:
	cd api/web && tests/browser/with-demo.sh $(CARGO_TARGET_DIR)/debug/milepost npm test --silent --

# The same SQL on a Ballista cluster of two executors on this machine. Not a part of `test`: it builds
# all of DataFusion once more, half an hour.
test-ballista:
	cargo test -p api --features ballista --locked --lib -- cluster --nocapture

# Every benchmark prints its ratio to a reference measured in the same run.
bench:
	@deploy/needs.sh demo
	cargo bench --workspace --locked

# Decoders, sockets and idle sessions beside references measured in the same run, as one table;
# instructions a byte where valgrind is installed.
bench-gateway:
	cargo bench -p gateway --locked --bench door

# What a crowd that does its worst costs good devices, and what its bytes cost decoders.
bench-hostile:
	cargo bench -p gateway --locked --bench hostile

# Ways on whole cities, checked with Dijkstra's algorithm and measured against the goals; matching;
# and what grows with the map.
bench-roads:
	cargo bench -p engine --locked --bench roads
	cargo bench -p engine --locked --bench matching
	cargo bench -p engine --locked --bench growth

# SQL against DuckDB on the same files; needs Python with duckdb, numpy and pyarrow. The first build
# optimises all of the SQL engine: half an hour.
bench-history:
	cargo build --release --locked -p milepost
	python3 tests/history/bench.py $(CARGO_TARGET_DIR)/release/milepost

# Hostile bytes for one protocol's splitter and decoder, or for all; stable toolchain, a C++ compiler.
# A found case becomes a unit test of its protocol.
PROTOCOL ?= all
SECONDS ?= 20
fuzz:
	ingest/fuzz/run.sh $(PROTOCOL) $(SECONDS)

# Hostile files of OpenStreetMap (pbf) and hostile maps (map), or both.
TARGET ?= all
fuzz-roads:
	engine/fuzz/run.sh $(TARGET) $(SECONDS)

fmt:
	cargo fmt --all

lint:
	cargo clippy --workspace --all-targets --locked -- -D warnings

doc:
	RUSTDOCFLAGS="-D warnings -A rustdoc::private_intra_doc_links" cargo doc --workspace --no-deps --document-private-items --locked

# Installs with Debian's or Ubuntu's packages whatever `demo` and `test` need but Rust.
deps:
	@deploy/needs.sh demo test --install

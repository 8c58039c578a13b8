#!/bin/sh
# Feeds hostile bytes to the decoder and splitter of one protocol, or of all of them one after the other.
# Usage: run.sh PROTOCOL|all SECONDS; needs a C++ compiler. Cases that fail, and the corpus, lie in
# $CARGO_TARGET_DIR/fuzz-corpus/PROTOCOL.
set -eu
protocol=${1:-all}
seconds=${2:-20}
cd "$(dirname "$0")"
host=$(rustc -vV | sed -n 's/^host: //p')
target=${CARGO_TARGET_DIR:-target}
# Coverage without a nightly toolchain: LLVM's own pass, counters and compared values.
export RUSTFLAGS="-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
-Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
-Cllvm-args=-sanitizer-coverage-trace-compares --cfg fuzzing -Ccodegen-units=1 -Cdebug-assertions"
cargo build --release --locked --target "$host" --target-dir "$target/fuzz" ${FUZZ_CARGO_FLAGS:-}
binary=$target/fuzz/$host/release/protocol
[ "$protocol" = all ] && protocol=$("$binary")
failed=
for name in $protocol; do
	corpus=$target/fuzz-corpus/$name
	mkdir -p "$corpus/inputs"
	FUZZ_PROTOCOL=$name FUZZ_SEEDS=$corpus/inputs "$binary"
	# A second for an input of 4 KiB is a hang; 64 MiB at once or 256 MiB in all are a bomb.
	FUZZ_PROTOCOL=$name "$binary" -max_total_time="$seconds" -max_len=4096 -timeout=1 \
		-malloc_limit_mb=64 -rss_limit_mb=256 -artifact_prefix="$corpus/" -print_final_stats=1 \
		-print_funcs=0 -verbosity=0 "$corpus/inputs" || failed="$failed $name"
done
[ -z "$failed" ] || {
	echo "cases that fail:$failed" >&2
	exit 1
}

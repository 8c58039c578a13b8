#!/bin/sh
# Feeds hostile bytes to the import (`pbf`), to map files (`map`), or to both one after the other.
# Usage: run.sh pbf|map|all SECONDS; needs a C++ compiler. Cases that fail, and the corpus, lie in
# $CARGO_TARGET_DIR/fuzz-corpus/pbf and …/map.
set -eu
target=${1:-all}
seconds=${2:-20}
cd "$(dirname "$0")"
host=$(rustc -vV | sed -n 's/^host: //p')
built=${CARGO_TARGET_DIR:-target}
# Coverage without a nightly toolchain: LLVM's own pass, counters and compared values.
export RUSTFLAGS="-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
-Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
-Cllvm-args=-sanitizer-coverage-trace-compares --cfg fuzzing -Ccodegen-units=1 -Cdebug-assertions"
cargo build --release --locked --target "$host" --target-dir "$built/fuzz" ${FUZZ_CARGO_FLAGS:-}
binary=$built/fuzz/$host/release/roads
[ "$target" = all ] && target="pbf map"
# The import reads files: in memory, where there is such a place.
[ -d /dev/shm ] && export TMPDIR=/dev/shm
failed=
for name in $target; do
	corpus=$built/fuzz-corpus/$name
	mkdir -p "$corpus/inputs"
	FUZZ_TARGET=$name FUZZ_SEEDS=$corpus/inputs "$binary"
	# A second for an input of 8 KiB is a hang; 64 MiB at once is more than a blob may hold and
	# 512 MiB in all are a bomb.
	# A map takes as long as it is: the seeds have two kilobytes.
	length=8192
	[ "$name" = map ] && length=4096
	FUZZ_TARGET=$name "$binary" -max_total_time="$seconds" -max_len=$length -timeout=1 \
		-malloc_limit_mb=64 -rss_limit_mb=512 -artifact_prefix="$corpus/" -print_final_stats=1 \
		-print_funcs=0 -verbosity=0 "$corpus/inputs" || failed="$failed $name"
done
[ -z "$failed" ] || {
	echo "cases that fail:$failed" >&2
	exit 1
}

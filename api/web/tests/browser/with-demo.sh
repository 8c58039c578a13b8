#!/usr/bin/env bash
# with-demo.sh BINARY COMMAND…: runs a command with the address of a demo appended, then ends it.
set -euo pipefail
binary=$1
shift
folder=$(mktemp -d)
"$binary" demo --listen 127.0.0.1:0 >"$folder/log" 2>&1 &
demo=$!
trap 'kill $demo 2>/dev/null || true; wait $demo 2>/dev/null || true; rm -rf "$folder"' EXIT
for _ in $(seq 240); do
  url=$(grep -o 'http://127.0.0.1:[0-9]*/' "$folder/log" | head -n 1 || true)
  [ -n "$url" ] && break
  kill -0 $demo 2>/dev/null || { cat "$folder/log" >&2; exit 1; }
  sleep 0.5
done
[ -n "${url:-}" ] || { echo "the demo did not say its address" >&2; cat "$folder/log" >&2; exit 1; }
"$@" "$url"

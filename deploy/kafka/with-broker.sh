#!/usr/bin/env bash
# with-broker.sh COMMAND…: runs it with a fresh broker of its own, whose address is in
# KAFKA_BOOTSTRAP and whose folder in KAFKA_BROKER_DIR, and ends the broker afterwards.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
dir=$(mktemp -d)
free_port() { # an even port nobody listens on, nor on the next; below those of outgoing connections
  for _ in $(seq 1 100); do
    local port=$((20000 + (RANDOM % 6000) * 2))
    (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null && continue
    (exec 3<>"/dev/tcp/127.0.0.1/$((port + 1))") 2>/dev/null && continue
    echo "$port"
    return
  done
  echo "no free port was found" >&2
  exit 1
}
trap '"$here/broker.sh" stop "$dir" || true; rm -rf "$dir"' EXIT
started=no
for _ in 1 2 3; do # somebody may take the port in between
  port=$(free_port)
  if "$here/broker.sh" start "$dir" "$port"; then
    started=yes
    break
  fi
  rm -rf "${dir:?}"/*
done
[ "$started" = yes ] || exit 1
export KAFKA_BOOTSTRAP=127.0.0.1:$port KAFKA_BROKER_DIR=$dir
"$@"

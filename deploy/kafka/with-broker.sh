#!/usr/bin/env bash
# with-broker.sh COMMAND…: runs it with a fresh broker of its own, whose address is in
# KAFKA_BOOTSTRAP and whose folder in KAFKA_BROKER_DIR, and ends the broker afterwards, and those
# that the command has left in folders of that one. KAFKA_HELD is where a proxy finds the broker and
# where clients then look for it: two addresses.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
dir=$(mktemp -d)
free_port() { # the first of four ports nobody listens on; below those of outgoing connections
  for _ in $(seq 1 100); do
    local port=$((20000 + (RANDOM % 3000) * 4)) used=no next
    for next in 0 1 2 3; do
      (exec 3<>"/dev/tcp/127.0.0.1/$((port + next))") 2>/dev/null && used=yes
    done
    [ "$used" = no ] || continue
    echo "$port"
    return
  done
  echo "no free port was found" >&2
  exit 1
}
end() { # not in good order, which takes half a minute: the data go too
  local one
  for one in "$dir" "$dir"/*/; do
    [ ! -e "$one/pid" ] || "$here/broker.sh" kill "$one" || true
  done
  rm -rf "$dir"
}
trap end EXIT
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
export KAFKA_HELD="127.0.0.1:$((port + 2)) 127.0.0.1:$((port + 3))"
"$@"

#!/usr/bin/env bash
# A real Apache Kafka broker (KRaft, one node) for tests, from Maven's artifacts, without Docker.
#
#   broker.sh start DIR PORT   keeps its data and jars' log in DIR, listens on PORT to PORT+2
#   broker.sh stop DIR         ends it in good order
#   broker.sh kill DIR         ends it with SIGKILL
#   broker.sh again DIR        starts it again on what DIR holds
#
# PORT+2 is for a test's proxy: to whoever comes there the broker says that it is at PORT+3, so that
# all that a client does goes through what listens there, and no byte need be changed.
#
# Ready means that it answers, not that the port is open. 384 MB of heap.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
jars=${KAFKA_JARS:-${XDG_CACHE_HOME:-$HOME/.cache}/milepost-kafka/4.3.0}

fetch() {
  [ -e "$jars/.complete" ] && return
  echo "fetching Apache Kafka 4.3.0 by Maven" >&2
  mkdir -p "$jars"
  mvn -q -B -f "$here/pom.xml" dependency:copy-dependencies -DoutputDirectory="$jars" >&2
  local versions
  versions=$(ls "$jars" | sed -n 's/^kafka-clients-\(.*\)\.jar$/\1/p' | sort -u | wc -l)
  [ "$versions" = 1 ] || { echo "several versions of kafka-clients in $jars" >&2; exit 1; }
  touch "$jars/.complete"
}

configure() { # configure DIR PORT
  cat > "$1/server.properties" <<EOF
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:$(($2 + 1))
listeners=PLAINTEXT://127.0.0.1:$2,CONTROLLER://127.0.0.1:$(($2 + 1)),HELD://127.0.0.1:$(($2 + 2))
advertised.listeners=HELD://127.0.0.1:$(($2 + 3)),PLAINTEXT://127.0.0.1:$2
inter.broker.listener.name=PLAINTEXT
controller.listener.names=CONTROLLER
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,HELD:PLAINTEXT
log.dirs=$1/data
num.network.threads=2
num.io.threads=2
auto.create.topics.enable=false
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
group.consumer.min.session.timeout.ms=1000
group.consumer.min.heartbeat.interval.ms=200
log.cleaner.dedupe.buffer.size=16777216
transaction.abort.timed.out.transaction.cleanup.interval.ms=1000
EOF
}

java_of() { java -Dlog4j2.configurationFile="$here/log4j2.properties" -cp "$jars/*" "$@"; }

run() { # run DIR
  nohup java -Xms384m -Xmx384m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 \
    -Dlog4j2.configurationFile="$here/log4j2.properties" -cp "$jars/*" \
    kafka.Kafka "$1/server.properties" >> "$1/broker.log" 2>&1 < /dev/null &
  echo $! > "$1/pid"
  disown
  local port
  port=$(sed -n 's/^advertised.listeners=.*:\([0-9]*\)$/\1/p' "$1/server.properties")
  for _ in $(seq 1 240); do
    # A broker that answers an ApiVersions request (key 18, version 0) is up.
    if answers "$port"; then return; fi
    kill -0 "$(cat "$1/pid")" 2>/dev/null || { tail -n 20 "$1/broker.log" >&2; exit 1; }
    sleep 0.25
  done
  echo "the broker did not answer within 60 s" >&2
  exit 1
}

answers() { # answers PORT
  local reply
  reply=$( { exec 3<>"/dev/tcp/127.0.0.1/$1" || exit 1
    printf '\0\0\0\x0a\0\x12\0\0\0\0\0\x07\0\0' >&3
    timeout 2 head -c 8 <&3 | od -An -tx1 | tr -d ' \n'; } 2>/dev/null ) || return 1
  [ "${reply:8:8}" = 00000007 ]
}

end() { # end DIR SIGNAL
  local pid
  pid=$(cat "$1/pid")
  kill "-$2" "$pid" 2>/dev/null || return 0
  for _ in $(seq 1 120); do
    kill -0 "$pid" 2>/dev/null || return 0
    sleep 0.25
  done
  kill -KILL "$pid"
}

case ${1:-} in
  start)
    mkdir -p "$2"
    fetch
    configure "$2" "$3"
    java_of kafka.tools.StorageTool format -t "$(java_of kafka.tools.StorageTool random-uuid)" \
      -c "$2/server.properties" >> "$2/broker.log" 2>&1
    run "$2"
    ;;
  again) run "$2" ;;
  stop) end "$2" TERM ;;
  kill) end "$2" KILL ;;
  fetch) fetch ;;
  *) echo "broker.sh: \`${1:-}\` is not start, stop, kill, again or fetch" >&2; exit 2 ;;
esac

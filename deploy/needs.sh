#!/usr/bin/env bash
# needs.sh demo|test … [--install]: finds out what is missing for these commands. Installs it when
# run as root on Debian or Ubuntu (or with --install); otherwise says what to do, in one line.
set -euo pipefail

install=no
node_home=$HOME/.cache/milepost-node
packages=()
missing=()

want() { # want PACKAGE COMMAND…: the package is needed unless the command succeeds
  local package=$1
  shift
  "$@" >/dev/null 2>&1 || { packages+=("$package"); missing+=("$package"); }
}
java_17() {
  local version
  version=$(java -version 2>&1 | sed -n 's/.*version "\([0-9]*\).*/\1/p' | head -n 1)
  [ "${version:-0}" -ge 17 ]
}

node_is_new() { # the app's build needs Node 20.19 or newer
  PATH=$node_home/node_modules/.bin:$PATH node -e \
    'const [a, b] = process.versions.node.split(".").map(Number); process.exit(a > 20 || (a === 20 && b >= 19) ? 0 : 1)'
}

for word in "$@"; do
  case $word in
    --install) install=yes ;;
    demo)
      want build-essential sh -c 'command -v cc && command -v c++ && command -v make'
      want pkg-config command -v pkg-config
      want libssl-dev pkg-config --exists openssl
      want nodejs command -v node
      want npm command -v npm
      ;;
    test)
      want build-essential sh -c 'command -v cc && command -v c++ && command -v make'
      want pkg-config command -v pkg-config
      want libssl-dev pkg-config --exists openssl
      want default-jdk-headless java_17
      want maven command -v mvn
      want nodejs command -v node
      want chromium sh -c 'command -v chromium || command -v chromium-browser || command -v google-chrome || [ -n "$CHROMIUM" ]'
      want npm command -v npm
      ;;
    *) echo "needs.sh: \`$word\` is not demo, test or --install" >&2; exit 2 ;;
  esac
done

command -v cargo >/dev/null 2>&1 || {
  echo "Rust 1.95 or newer is missing: install it as https://rustup.rs says" >&2
  exit 1
}
newer_node() { # npm's own package of Node, where the distribution's is too old
  node_is_new >/dev/null 2>&1 && return 0
  echo "installing Node 22 into $node_home: $(node --version) is too old to build the app" >&2
  npm install --prefix "$node_home" --no-audit --no-fund --loglevel=error node@22 >&2
  node_is_new || { echo "Node 20.19 or newer is missing: install it as https://nodejs.org says" >&2; exit 1; }
}
[ ${#packages[@]} -gt 0 ] || { newer_node; exit 0; }
list=$(printf '%s\n' "${packages[@]}" | sort -u | tr '\n' ' ')
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
  echo "installing: $list" >&2
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -qq >&2
  # shellcheck disable=SC2086 # a list of package names
  apt-get install -y -qq --no-install-recommends $list >&2
  newer_node
elif [ "$install" = yes ]; then
  echo "\`make deps\` installs only as root on Debian or Ubuntu; missing here: $list" >&2
  exit 1
else
  echo "missing: $list- \`sudo make deps\` would install them" >&2
  exit 1
fi

#!/usr/bin/env bash
# The official MCP registry, v1.8.8, with a PostgreSQL of its own, on loopback:
#
#   mcp-registry.sh build OUTDIR       OUTDIR gets mcp-registry, at the versions that go.sum pins
#   mcp-registry.sh serve OUTDIR DIR   runs it until it gets a signal; logs and data are in DIR
#
# Once it answers, DIR/env has MCP_REGISTRY_URL, and MCP_REGISTRY_SEED: the private key of its tokens, of which token.mjs makes
# one for any namespace. Tokens for io.modelcontextprotocol.anonymous/* are given to everybody. Packages are not looked up.
# Needs PostgreSQL's programs, no service; as root, its user.
set -euo pipefail
shopt -s inherit_errexit

usage() {
  echo "usage: ${0##*/} build OUTDIR | serve OUTDIR DIR" >&2
  exit 2
}

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

build() {
  mkdir -p "$1"
  local out
  out=$(cd "$1" && pwd)
  cd "$here/mcp-registry"
  CGO_ENABLED=0 GOTOOLCHAIN=local GOWORK=off GOFLAGS="${GOFLAGS:-} -mod=readonly" \
    go build -ldflags '-s -w' -o "$out/mcp-registry" github.com/modelcontextprotocol/registry/cmd/registry
}

# as_postgres runs a program of PostgreSQL, which refuses to be root.
as_postgres() {
  if [[ $(id -u) -eq 0 ]]; then
    setpriv --reuid=postgres --regid=postgres --init-groups "$@"
  else
    "$@"
  fi
}

# cluster is where the data lives: beside the caller's files, since PostgreSQL's user may not enter their directory.
cluster=
programs=
registry=

stop() {
  if [[ -n $registry ]]; then
    kill "$registry" 2>/dev/null || true
    wait "$registry" 2>/dev/null || true
  fi
  if [[ -n $cluster ]]; then
    as_postgres "$programs/pg_ctl" -D "$cluster/data" -m immediate -s stop >/dev/null 2>&1 || true
    rm -rf "$cluster"
  fi
}

# database starts PostgreSQL on a socket in its own directory: no port, and nothing to remember after a crash.
database() {
  programs=$(printf '%s\n' /usr/lib/postgresql/*/bin | sort -V | tail -n 1)
  [[ -x $programs/initdb ]] || programs=$(dirname "$(command -v initdb)")
  cluster=$(mktemp -d)
  if [[ $(id -u) -eq 0 ]]; then
    chown postgres: "$cluster"
  fi
  cd "$cluster"
  as_postgres "$programs/initdb" --no-sync -A trust -U mcp -E UTF8 --locale=C -D "$cluster/data"
  as_postgres "$programs/pg_ctl" -D "$cluster/data" -l "$cluster/log" -s -w \
    -o "-c listen_addresses= -c unix_socket_directories=$cluster -c fsync=off" start
  as_postgres "$programs/createdb" -h "$cluster" -U mcp mcp-registry
}

serve() {
  local out dir port seed tries
  out=$(cd "$1" && pwd)
  mkdir -p "$2"
  dir=$(cd "$2" && pwd)
  rm -f "$dir/env"
  trap stop EXIT
  trap 'exit 143' TERM INT
  database >"$dir/postgresql.log" 2>&1
  port=$(node -e 'const s = require("net").createServer().listen(0, "127.0.0.1", () => { console.log(s.address().port); s.close(); })')
  seed=$(node -p 'require("crypto").randomBytes(32).toString("hex")')
  env -i MCP_REGISTRY_SERVER_ADDRESS="127.0.0.1:$port" \
    MCP_REGISTRY_DATABASE_URL="postgres:///mcp-registry?host=$cluster&user=mcp&sslmode=disable" \
    MCP_REGISTRY_JWT_PRIVATE_KEY="$seed" MCP_REGISTRY_ENABLE_ANONYMOUS_AUTH=true MCP_REGISTRY_SEED_FROM= \
    MCP_REGISTRY_ENABLE_REGISTRY_VALIDATION=false "$out/mcp-registry" >"$dir/mcp-registry.log" 2>&1 &
  registry=$!
  for ((tries = 0; tries < 300; tries++)); do
    if (: >"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then
      printf 'MCP_REGISTRY_URL=http://127.0.0.1:%s\nMCP_REGISTRY_SEED=%s\n' "$port" "$seed" >"$dir/env.new"
      mv "$dir/env.new" "$dir/env"
      wait "$registry"
      return
    fi
    kill -0 "$registry" 2>/dev/null || break
    sleep 0.1
  done
  cat "$dir/mcp-registry.log" >&2
  return 1
}

case "${1:-} $#" in
"build 2") build "$2" ;;
"serve 3") serve "$2" "$3" ;;
*) usage ;;
esac

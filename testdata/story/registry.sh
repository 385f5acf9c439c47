#!/usr/bin/env bash
# Builds and serves a real OCI registry, distribution v3.1.2, at the versions that registry/go.sum pins. It has no referrers
# API: clients keep the list of an image's referrers under a tag.
#
#   registry.sh build BIN_DIR                 BIN_DIR gets the program distribution. Slow the first time: two minutes of one core
#   registry.sh serve BIN_DIR PORT DATA_DIR   serves it on 127.0.0.1:PORT until it is stopped; its files lie in DATA_DIR
set -euo pipefail
shopt -s inherit_errexit

usage() {
  sed -n 's/^#   //p' "${BASH_SOURCE[0]}" >&2
  exit 2
}

case ${1:-} in
build)
  [[ $# -eq 2 ]] || usage
  mkdir -p "$2"
  out=$(cd "$2" && pwd)
  cd "$(dirname "${BASH_SOURCE[0]}")/registry"
  export CGO_ENABLED=0 GOTOOLCHAIN=local GOWORK=off GOFLAGS="${GOFLAGS:-} -mod=readonly"
  go build -ldflags '-s -w' -o "$out/distribution" github.com/distribution/distribution/v3/cmd/registry
  ;;
serve)
  [[ $# -eq 4 ]] || usage
  mkdir -p "$4"
  data=$(cd "$4" && pwd)
  cat >"$data/config.yml" <<CONFIG
version: 0.1
log: {level: warn}
storage:
  filesystem: {rootdirectory: "$data/files"}
http: {addr: "127.0.0.1:$3"}
CONFIG
  # No traces: they would be sent somewhere.
  exec env OTEL_TRACES_EXPORTER=none "$2/distribution" serve "$data/config.yml"
  ;;
*) usage ;;
esac

#!/usr/bin/env bash
# Builds the servers of the private Sigstore and the program that runs them, at the versions that go.sum pins.
#
#   testdata/sigstack/build.sh OUTDIR
#
# OUTDIR gets fulcio, rekor-server-posix, tsa and sigstack. What is built is kept in Go's own caches.
set -euo pipefail
shopt -s inherit_errexit

[[ $# -eq 1 ]] || { echo "usage: ${0##*/} OUTDIR" >&2; exit 2; }
mkdir -p "$1"
out=$(cd "$1" && pwd)
cd "$(dirname "${BASH_SOURCE[0]}")"

# Without cgo nothing but Go is needed, and Fulcio leaves its hardware keys out. Symbols would only slow the linker down.
export CGO_ENABLED=0 GOTOOLCHAIN=local GOWORK=off GOFLAGS="${GOFLAGS:-} -mod=readonly"
readonly link='-s -w'

# One call for the three: they share most of what they import, and one is linked while another compiles.
(
  cd servers
  go build -ldflags "$link" -o "$out/" \
    github.com/sigstore/fulcio \
    github.com/sigstore/rekor-tiles/v2/cmd/rekor-server/posix \
    ./tsa
)
mv "$out/posix" "$out/rekor-server-posix"
go build -ldflags "$link" -o "$out/" .

#!/usr/bin/env bash
# An independent verifier's word on what seal wrote: cosign, at the version that cosign/go.sum pins, offline, with the same
# trusted root. Building it takes minutes and 2 GB of memory: .ci/run does not.
#
#   testdata/sigstack/cosign.sh build OUTDIR
#   testdata/sigstack/cosign.sh verify DIR ARTIFACT IDENTITY ISSUER
#
# DIR holds mcp-integrity.json, mcp-integrity.provenance.sigstore.json and trusted_root.json. IDENTITY and ISSUER are what the
# certificates must name, exactly. COSIGN and MCP_INTEGRITY name the programs where they are not on the path.
set -euo pipefail
shopt -s inherit_errexit

usage() {
  sed -n 's/^#   //p' "$0" >&2
  exit 2
}

build() {
  local out
  mkdir -p "$1"
  out=$(cd "$1" && pwd)
  cd "$(dirname "${BASH_SOURCE[0]}")/cosign"
  CGO_ENABLED=0 GOTOOLCHAIN=local GOWORK=off go build -ldflags '-s -w' -o "$out/cosign" github.com/sigstore/cosign/v3/cmd/cosign
}

# attested says that a bundle is a statement of a type about a file, by the identity.
attested() {
  local type=$1 bundle=$2 file=$3
  printf '%s, %s: ' "${bundle##*/}" "$type"
  "${COSIGN:-cosign}" verify-blob-attestation --bundle "$bundle" --trusted-root "$dir/trusted_root.json" --type "$type" \
    --certificate-identity "$identity" --certificate-oidc-issuer "$issuer" "$file" 2>&1
}

# verify shows the bundles as they are, and that the same bundles are refused for another file: an oracle that accepts
# everything would show nothing.
verify() {
  local dir=$1 artifact=$2 identity=$3 issuer=$4 work
  work=$(mktemp -d)
  # shellcheck disable=SC2064 # the directory of now
  trap "rm -rf '$work'" EXIT
  local seal="${MCP_INTEGRITY:-mcp-integrity}"
  "$seal" inspect "$dir/mcp-integrity.json" --extract bundle >"$work/manifest.sigstore.json"
  "$seal" inspect "$dir/mcp-integrity.json" --extract payload >"$work/payload"
  echo 'another file' >"$work/other"

  local provenance="$dir/mcp-integrity.provenance.sigstore.json"
  local -r predicate=https://mcp-integrity.org/attestation/v1
  attested slsaprovenance1 "$provenance" "$artifact"
  attested "$predicate" "$work/manifest.sigstore.json" "$work/payload"
  refused slsaprovenance1 "$provenance" "$work/other"
  refused "$predicate" "$work/manifest.sigstore.json" "$work/other"
  refused slsaprovenance1 "$work/manifest.sigstore.json" "$work/payload"
}

refused() {
  local said
  if said=$(attested "$@"); then
    printf 'cosign accepts what it must not: %s\n' "$said" >&2
    return 1
  fi
}

case "${1:-} $#" in
"build 2") build "$2" ;;
"verify 5") verify "${@:2}" ;;
*) usage ;;
esac

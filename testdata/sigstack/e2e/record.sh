#!/usr/bin/env bash
# Records what mcp-integrity seals on a real Sigstore, for tests that verify it for ever (the time in it is the timestamp
# authority's). Everything in testdata/keyless is written anew by
#
#   go build -o /tmp/mcp-integrity ./cmd/mcp-integrity
#   SIGSTACK_BIN/sigstack run -- testdata/sigstack/e2e/record.sh /tmp/mcp-integrity
set -euo pipefail
shopt -s inherit_errexit

mcp=$(realpath "$1")
here=$(realpath "$(dirname "${BASH_SOURCE[0]}")")
out=$here/../../keyless
: "${SIGSTACK_URL:?run this by sigstack run}"

cd "$out"
rm -rf -- */ ./*.json ./*.tgz
cp "$here/release/dist/index.js" tools.json
cp "$SIGSTACK_TRUSTED_ROOT" trusted_root.json
cp "$SIGSTACK_DIR"/trusted_root.{other,no-log,retired}.json .
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp "$here/release/mcp-integrity.yaml" "$work"

# package writes an npm package, the same bytes at every run.
package() {
  mkdir -p "$work/package"
  printf '{"name":"@acme/file-tools","version":"%s"}' "$1" >"$work/package/package.json"
  tar -C "$work" --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner -cf - package | gzip -n >"acme-tools-$1.tgz"
}

# seal records into a directory what a job seals: seal DIRECTORY VERSION PLATFORM "KEY=VALUE&…" OPTION…
seal() {
  local dir=$1 version=$2 platform=$3 job=$4 environment
  shift 4
  mkdir "$dir"
  environment=$(curl -sSf "$SIGSTACK_URL/$platform/env?$job")
  mapfile -t environment <<<"$environment"
  env "${environment[@]}" HTTPS_PROXY="$SIGSTACK_PROXY" SSL_CERT_FILE="$SIGSTACK_CA" "$mcp" seal --config "$work/mcp-integrity.yaml" \
    --signing-config "$SIGSTACK_SIGNING_CONFIG" --trusted-root trusted_root.json --interface "$work/tools.interface.json" \
    --artifact "acme-tools-$version.tgz" --output "$dir/mcp-integrity.json" "$@" 2>"$work/log" >/dev/null || { cat "$work/log"; exit 1; }
}

# What a server served, as extract writes it: nothing runs here.
printf '{"conditions":{"command":["node","dist/index.js"],"network":false,"protocol_version":"2025-11-25"},"server":{"name":"acme","version":"1.2.4"},"snapshot_version":"1.0","tools":%s}\n' \
  "$(<tools.json)" >"$work/tools.interface.json"

package 1.2.4
package 1.2.5
release='repository=acme/file-tools&ref=refs/tags/v1.2.4'
seal github 1.2.4 github "$release"
seal next 1.2.5 github 'repository=acme/file-tools&ref=refs/tags/v1.2.5&run_id=30433643'
seal fork 1.2.4 github 'repository=mallory/file-tools&ref=refs/tags/v1.2.4&repository_id=666&repository_owner_id=667'
seal self-hosted 1.2.4 github "$release&runner_environment=self-hosted"
seal schedule 1.2.4 github 'repository=acme/file-tools&ref=refs/heads/main&event_name=schedule'
seal reused 1.2.4 github "$release&job_workflow_ref=acme/ci/.github/workflows/seal.yml@refs/tags/v3"
seal gitlab 1.2.4 gitlab 'project_path=acme/file-tools&ref=refs/tags/v1.2.4'
"$mcp" keygen --key-id acme-2026 --output "$work/key.json" 2>/dev/null
"$mcp" jwks "$work/key.json" --output keys.json
seal both 1.2.4 github "$release" --key "$work/key.json" --keyless
ls -R .

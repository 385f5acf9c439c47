#!/usr/bin/env bash
# A real story: five releases of one real tool server, as npm published them, each sealed onto the last; published to a directory,
# to two OCI registries (one with the referrers API, one without) and to the MCP registry; found again in each, and verified
# back to the first. Then what an attacker would do to these places.
#
#   run.sh BINARY WORKDIR
#
# BINARY is mcp-integrity. WORKDIR is made anew; the npm packages land beside their lock file. Needs node, npm, go, PostgreSQL,
# and the registries of the first three. Prints a line per step; the last is "N passed, M failed", and the exit code is 1 if M
# is not 0.
set -euo pipefail
shopt -s inherit_errexit

if [[ $# -ne 2 ]]; then
  echo "usage: run.sh BINARY WORKDIR" >&2
  exit 2
fi
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
binary=$(realpath "$1")
rm -rf "$2"
mkdir -p "$2"
work=$(realpath "$2")
readonly here binary work
readonly namespace=io.github.acme-test
readonly server=io.github.modelcontextprotocol/server-memory
readonly commit=0123456789abcdef0123456789abcdef01234567

# The first release to the last.
versions=()
# What release N's payload is called by. What the first release follows has no name.
digests=(none)
# Who signs, and where verify remembers what it verified.
key=$work/key.json
memory=none
# The OCI registries, and the digests of the images there.
hosts=()
images=()
# Processes to stop.
started=()

stop() {
  local pid
  for pid in "${started[@]}"; do kill "$pid" 2>/dev/null || true; done
  for pid in "${started[@]}"; do wait "$pid" 2>/dev/null || true; done
}
trap stop EXIT

# until_it waits until a command holds, as long as the server that was started last lives.
until_it() {
  local tries
  for ((tries = 0; tries < 600; tries++)); do
    if "$@" 2>/dev/null; then
      return 0
    fi
    kill -0 "${started[-1]}" 2>/dev/null || break
    sleep 0.1
  done
  echo "no server: $* does not hold" >&2
  return 1
}

listens() { (: >"/dev/tcp/127.0.0.1/$1"); }

said() { node "$here/said.mjs" "$@"; }

archive() { printf '%s/archives/modelcontextprotocol-server-memory-%s.tgz' "$work" "$1"; }

# prepare brings the packages and builds the registries.
prepare() {
  local number version spec
  [[ $here/npm/node_modules/.package-lock.json -nt $here/npm/package-lock.json ]] || npm ci --ignore-scripts --silent --prefix "$here/npm"
  mkdir -p "$work"/{bin,archives,site,empty}
  while read -r number version spec; do
    npm pack --silent --ignore-scripts --pack-destination "$work/archives" "$spec" >/dev/null
    node "$here/releases.mjs" check "$number" "$(archive "$version")"
    versions+=("$version")
  done < <(node "$here/releases.mjs" list)
  "$here/mcp-registry.sh" build "$work/bin"
  "$here/registry.sh" build "$work/bin"
  (cd "$here/oci" && go build -o "$work/bin/oci" .)
}

# serve starts the places.
serve() {
  "$here/mcp-registry.sh" serve "$work/bin" "$work/mcp-registry" &
  started+=($!)
  until_it test -e "$work/mcp-registry/env"
  # shellcheck source=/dev/null
  . "$work/mcp-registry/env"
  node "$here/serve.mjs" "$work/site" "$work/site.url" &
  started+=($!)
  until_it test -e "$work/site.url"
  site=$(<"$work/site.url")
  local port
  port=$(node -e 'const s = require("net").createServer().listen(0, "127.0.0.1", () => { console.log(s.address().port); s.close(); })')
  "$here/registry.sh" serve "$work/bin" "$port" "$work/distribution" >"$work/distribution.log" 2>&1 &
  started+=($!)
  until_it listens "$port"
  "$work/bin/oci" serve 0 >"$work/oci.address" &
  started+=($!)
  until_it test -s "$work/oci.address"
  hosts=("127.0.0.1:$port" "$(<"$work/oci.address")")
  "$binary" keygen --key-id story --output "$key"
  "$binary" jwks "$key" >"$work/jwks.json"
}

# image is what a release's image is called in an OCI registry.
image() { printf '%s/story/server-memory:%s' "$1" "$2"; }

# targets are the places of a release.
targets() {
  local host
  printf 'dir:%s\n' "$work/published"
  for host in "${hosts[@]}"; do printf 'oci://%s\n' "$(image "$host" "$1")"; done
  printf 'mcp-registry:%s\n' "$MCP_REGISTRY_URL"
}

# sources are the same places, as a consumer names them.
sources() { targets "${versions[-1]}" | sed "/^mcp-registry/s|\$|@$server|"; }

# label is what a source is called in a title.
label() {
  case $1 in
  "oci://${hosts[0]}/"*) echo "OCI, without referrers API" ;;
  oci://*) echo "OCI, with referrers API" ;;
  *) echo "${1%%:*}" ;;
  esac
}

# seal seals release N with further options, and prints its report.
seal() {
  local number=$1 version=${versions[$1 - 1]}
  shift
  (cd "$work/empty" && "$binary" seal --format json --key "$key" --source-repo https://github.com/modelcontextprotocol/servers \
    --commit "$commit" --namespace "$namespace" --publisher-id test@example.com --allow-undeclared --semver warn \
    --artifact "$(archive "$version")" "$@" -- node "$here/npm/node_modules/release-$number/dist/index.js")
}

# release seals the next release onto the last, and publishes it everywhere.
release() {
  local number=$1 version=${versions[$1 - 1]} publish=() target host
  local directory=$work/site/$version
  mkdir -p "$directory"
  sed "s/VERSION/$version/g" "$here/server.json" >"$directory/server.json"
  for host in "${hosts[@]}"; do
    images+=("$(image "$host" "$version") $("$work/bin/oci" pushimage "$(image "$host" "$version")" "$(archive "$version")")")
  done
  while read -r target; do publish+=(--publish "$target"); done < <(targets "$version")
  MCP_INTEGRITY_MCP_REGISTRY_TOKEN=$(node "$here/token.mjs" "$MCP_REGISTRY_SEED" 'io.github.modelcontextprotocol/*') \
    seal "$number" --previous auto --output "$directory/mcp-integrity.json" --server-json "$directory/server.json" \
    --manifest-url "$site/$version/mcp-integrity.json" "${publish[@]}" >"$work/sealed.json"
}

# same compares what there is with what there should be.
same() {
  [[ $2 == "$3" ]] || {
    printf '%s:\n got %s\nwant %s\n' "$1" "$2" "$3"
    return 1
  }
}

# first_time says that a release is new in every place, and follows the last.
first_time() {
  local number=$1 state states
  release "$number" || return 1
  states=$(node -e 'for (const p of JSON.parse(require("fs").readFileSync(process.argv[1])).published) console.log(p.state)' "$work/sealed.json")
  while read -r state; do same "state of a place" "$state" published || return 1; done <<<"$states"
  same predecessor "$(said lineage previous_manifest_digest <"$work/sealed.json")" "${digests[-1]}" || return 1
}

# check verifies as a consumer who has pinned the publisher, and compares what is said.
check() {
  local want=$1 got code=0
  shift
  "$binary" verify --format json --memory "$memory" --namespace "$namespace" --jwks "$work/jwks.json" "$@" >"$work/verified.json" || code=$?
  [[ -s $work/verified.json ]] || {
    echo "exit code $code, and no report"
    return 1
  }
  got=$(said verify <"$work/verified.json")
  # shellcheck disable=SC2053 # want is a pattern
  [[ $got == $want ]] || {
    printf 'verify %s:\n got %s\nwant %s\n' "$*" "$got" "$want"
    cat "$work/verified.json"
    return 1
  }
}

# found verifies the newest release as it is found in a place, with the live server and its package.
found() {
  local last=${versions[-1]}
  check "pass | SURFACE_NOT_TIED | ${#versions[@]} first" --policy block_below_level_1 --artifact "$(archive "$last")" "$1" \
    -- node "$here/npm/node_modules/release-${#versions[@]}/dist/index.js" || return 1
  same "what was found" "$(said chain releases 0 digest <"$work/verified.json")" "${digests[-1]}"
}

# walked verifies a file of the newest release with its predecessors from a place.
walked() {
  check "pass *| ${#versions[@]} first" --interface "$work/site/${versions[-1]}/mcp-integrity.interface.json" --policy report_only \
    "$work/site/${versions[-1]}/mcp-integrity.json" --previous "$1"
}

# untouched says that every image is still the one that was pushed, whatever was put beside it.
untouched() {
  printf '%s\n' "${images[@]}" >"$work/images"
  node -e '
    const { createHash } = require("crypto");
    const accept = { headers: { Accept: "application/vnd.oci.image.index.v1+json" } };
    const lines = require("fs").readFileSync(process.argv[1], "utf8").trim().split("\n");
    Promise.all(lines.map(async (line) => {
      const [, host, name, tag, want] = line.match(/^([^/]+)[/](.+):([^:]+) (.+)$/);
      const answer = await fetch("http://" + host + "/v2/" + name + "/manifests/" + tag, accept);
      const got = "sha256:" + createHash("sha256").update(Buffer.from(await answer.arrayBuffer())).digest("hex");
      if (got !== want) throw new Error(line + ": got " + got);
    }));
  ' "$work/images"
}

# entry prints what the MCP registry has of a version.
entry() {
  node -e 'fetch(process.argv[1]).then((r) => r.text()).then((t) => console.log(t))' \
    "$MCP_REGISTRY_URL/v0.1/servers/${server/\//%2F}/versions$1"
}

# again seals and publishes the last release a second time: nothing new appears anywhere.
again() {
  local before after
  before=$(entry '')
  release "${#versions[@]}" || return 1
  same "payload of the rerun" "$(said payload_digest <"$work/sealed.json")" "${digests[-1]}" || return 1
  same "predecessor of the rerun" "$(said lineage previous_manifest_digest <"$work/sealed.json")" "${digests[-2]}" || return 1
  after=$(entry '')
  same "what the MCP registry has" "$after" "$before"
}

# kept says that a server.json went to the registry as it stands, but for our pointer.
kept() {
  local directory=$work/site/${versions[-1]}
  sed "s/VERSION/${versions[-1]}/g" "$here/server.json" | cmp - "$directory/server.json" || return 1
  entry "/${versions[-1]}" >"$work/entry.json"
  node -e '
    const { readFileSync } = require("fs");
    const { deepStrictEqual } = require("assert");
    const [entry, file, digest, url] = process.argv.slice(1);
    const { server } = JSON.parse(readFileSync(entry));
    const want = JSON.parse(readFileSync(file));
    want._meta["io.modelcontextprotocol.registry/publisher-provided"]["org.mcp-integrity/manifest"] =
      { version: "1.0", digest, url, signer: "story" };
    deepStrictEqual(server, want);
  ' "$work/entry.json" "$directory/server.json" "${digests[-1]}" "$site/${versions[-1]}/mcp-integrity.json"
}

# refused runs a command that must fail with this exit code and these words.
refused() {
  local code=$1 words=$2 got=0 text
  shift 2
  text=$("$@" 2>&1) || got=$?
  [[ $got -eq $code && $text == *"$words"* ]] || {
    printf 'exit code %d, want %d and "%s":\n%s\n' "$got" "$code" "$words" "$text"
    return 1
  }
}

# named is the name of release N in a directory.
named() { printf 'mcp-integrity/sha256-%s' "${digests[$1]#sha256:}"; }

# copy makes a directory to attack.
copy() {
  rm -rf "$work/attacked"
  cp -r "$work/published" "$work/attacked"
}

last_interface() { printf '%s/site/%s/mcp-integrity.interface.json' "$work" "${versions[-1]}"; }

replaced_link() {
  copy
  cp "$work/attacked/$(named 2).json" "$work/attacked/$(named 3).json"
  check 'fail CHAIN_BROKEN |*' --interface "$(last_interface)" "dir:$work/attacked" || return 1
  grep -q 'it was replaced' "$work/verified.json"
}

removed_link() {
  copy
  rm "$work/attacked/$(named 3)".*
  check 'fail CHAIN_BROKEN |*' --interface "$(last_interface)" "dir:$work/attacked" || return 1
  grep -q 'was removed' "$work/verified.json"
}

# inserted_link is a release of the publisher's own key that claims a place in the middle, beside the one that is there.
inserted_link() {
  copy
  mkdir -p "$work/inserted"
  local third=$work/site/${versions[2]}/mcp-integrity.json
  seal 5 --previous "$third" --output "$work/inserted/mcp-integrity.json" >/dev/null || return 1
  refused 1 'other content stands there' \
    "$binary" publish "$work/inserted/mcp-integrity.json" --key "$key" --to "dir:$work/attacked" || return 1
  check 'fail CHAIN_FORK |*' --interface "$(last_interface)" "$work/inserted/mcp-integrity.json" --previous "dir:$work/published"
}

# other_identity is a release by another key, under the same names.
other_identity() {
  copy
  mkdir -p "$work/other"
  "$binary" keygen --key-id story --output "$work/other.json" || return 1
  key=$work/other.json refused 1 SIGNATURE_INVALID seal 5 --output "$work/other/mcp-integrity.json" --publish "dir:$work/attacked" || return 1
  key=$work/other.json seal 5 --previous none --output "$work/other/mcp-integrity.json" >/dev/null || return 1
  cp "$work/other/mcp-integrity.json" "$work/attacked/mcp-integrity.json"
  check 'fail SIGNATURE_INVALID *' --interface "$(last_interface)" "dir:$work/attacked"
}

# rollback offers an old release for the newest, to somebody who saw the newest and to somebody who asks the place.
rollback() {
  local third=$work/site/${versions[2]}/mcp-integrity.json
  check '* |*ROLLBACK* | 3 first' --interface "$(last_interface)" --policy report_only "$third" --previous "dir:$work/published" || return 1
  local memory=$work/memory
  check 'pass *' --interface "$(last_interface)" --policy report_only "dir:$work/published" || return 1
  check '* |*ROLLBACK* |*' --policy report_only "$third"
}

# pointed_away replaces what the MCP registry points to: it is the registry's digest that counts.
pointed_away() {
  local second=$work/site/${versions[1]}/mcp-integrity.json third=$work/site/${versions[2]}/mcp-integrity.json
  local newest=$work/site/${versions[-1]}/mcp-integrity.json registry=mcp-registry:$MCP_REGISTRY_URL@$server code=0
  cp "$newest" "$work/newest.json"
  cp "$third" "$work/third.json"
  cp "$second" "$newest"
  refused 1 'which the registry states' "$binary" verify --memory none --namespace "$namespace" --jwks "$work/jwks.json" \
    --interface "$(last_interface)" "$registry" || code=1
  cp "$work/newest.json" "$newest"
  cp "$second" "$third"
  check 'fail CHAIN_BROKEN |*' --interface "$(last_interface)" "$registry" || code=1
  cp "$work/third.json" "$third"
  return "$code"
}

# unsealed is a version that somebody published without us: nothing can be added to it.
unsealed() {
  local token
  token=$(node "$here/token.mjs" "$MCP_REGISTRY_SEED" 'io.github.acme-test/*')
  sed -e "s/VERSION/${versions[-1]}/g" -e 's|"io.github.modelcontextprotocol/|"io.github.acme-test/|' "$here/server.json" >"$work/unsealed.json"
  node -e '
    const [url, token, file] = process.argv.slice(1);
    fetch(url, { method: "POST", headers: { Authorization: "Bearer " + token, "Content-Type": "application/json" }, body: require("fs").readFileSync(file) })
      .then((r) => process.exit(r.ok ? 0 : 1));
  ' "$MCP_REGISTRY_URL/v0.1/publish" "$token" "$work/unsealed.json" || return 1
  MCP_INTEGRITY_MCP_REGISTRY_TOKEN=$token refused 1 '_meta cannot be added afterwards' pointer "$work/unsealed.json"
}

# pointer publishes the last release to the MCP registry alone.
pointer() {
  "$binary" publish "$work/site/${versions[-1]}/mcp-integrity.json" --key "$key" --server-json "$1" \
    --manifest-url "$site/${versions[-1]}/mcp-integrity.json" --to "mcp-registry:$MCP_REGISTRY_URL"
}

# tokens: what a registry's token is not for is said before anything is sent; without one, this machine's registry gives
# everybody's.
tokens() {
  local token
  token=$(node "$here/token.mjs" "$MCP_REGISTRY_SEED" 'io.github.somebody/*')
  MCP_INTEGRITY_MCP_REGISTRY_TOKEN=$token refused 3 'want one for' pointer "$work/site/${versions[-1]}/server.json" || return 1
  sed -e "s/VERSION/${versions[-1]}/g" -e 's|"io.github.modelcontextprotocol/|"io.github.nobody/|' "$here/server.json" >"$work/nobody.json"
  refused 3 'You have permission to publish: io.modelcontextprotocol.anonymous/*' pointer "$work/nobody.json" || return 1
  sed -e "s/VERSION/${versions[-1]}/g" -e 's|"io.github.modelcontextprotocol/|"io.modelcontextprotocol.anonymous/|' "$here/server.json" >"$work/anonymous.json"
  pointer "$work/anonymous.json"
}

passed=0
failed=0
# try runs a step with its output in a log, shows the log where it failed, and counts.
try() {
  local title=$1 began=${EPOCHREALTIME/./} log=$work/step.log took
  shift
  if "$@" >"$log" 2>&1; then
    passed=$((passed + 1))
    took=$(((${EPOCHREALTIME/./} - began) / 10000))
    printf '%-76s %3d.%02d s\n' "$title" $((took / 100)) $((took % 100))
    return 0
  fi
  failed=$((failed + 1))
  echo "FAILED: $title" >&2
  sed 's/^/  | /' "$log" >&2
  return 1
}

prepare
serve
for number in "${!versions[@]}"; do
  number=$((number + 1))
  try "release $number, ${versions[number - 1]}, is sealed onto the last and published" first_time "$number" || exit 1
  digests+=("$(said payload_digest <"$work/sealed.json")")
done
while read -r source; do
  try "found and verified to the first: $(label "$source")" found "$source" || true
  try "walked to the first from a file: $(label "$source")" walked "$source" || true
done < <(sources)
try "the images are as they were pushed" untouched || true
try "server.json is kept" kept || true
try "a rerun of the last release changes nothing" again || true
try "a link is replaced" replaced_link || true
try "a link is removed" removed_link || true
try "a link is inserted" inserted_link || true
try "a release of another identity" other_identity || true
try "a rollback" rollback || true
try "what the MCP registry points to is replaced" pointed_away || true
try "a version that was published unsealed" unsealed || true
try "tokens of the MCP registry" tokens || true
echo "$passed passed, $failed failed"
[[ $failed -eq 0 ]]

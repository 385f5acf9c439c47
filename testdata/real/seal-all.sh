#!/usr/bin/env bash
# Seals and verifies real tool servers that others wrote, and has the second implementation recompute every digest and check
# every signature from the files alone:
#
#   seal-all.sh BINARY WORKDIR [NAME…]
#
# NAME… are servers of servers.json, by default all. BINARY is mcp-integrity; WORKDIR is made, and everything is written below it except the npm packages, which land beside their
# lock files. Needs node, npm, go, and their registries. Prints a line per server; the last line is "N passed, M failed", and
# the exit code is 1 if M is not 0.
set -euo pipefail
shopt -s inherit_errexit

if [[ $# -lt 2 ]]; then
  echo "usage: seal-all.sh BINARY WORKDIR [NAME…]" >&2
  exit 2
fi
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
binary=$(realpath "$1")
mkdir -p "$2"
work=$(realpath "$2")
second=$here/../second
readonly here binary work second
readonly namespace=io.github.acme-test
readonly commit=0123456789abcdef0123456789abcdef01234567
server_pid=

# list reads one list of the plan into the array "elements".
list() {
  mapfile -d '' -t elements <"$work/plan/$1/$2"
}

# one prints the only element of a list, or nothing.
one() {
  list "$1" "$2"
  printf '%s' "${elements[0]:-}"
}

# install brings what a lock file names, where that has not been done since the lock file was written.
install() {
  [[ $1/node_modules/.package-lock.json -nt $1/package-lock.json ]] || npm ci --ignore-scripts --silent --prefix "$1"
}

prepare() {
  install "$here"
  install "$second"
  rm -rf "$work/plan" "$work/sealed"
  mkdir -p "$work"/{bin,empty,home,artifacts,sealed}
  node "$here/plan.mjs" "$work" "$@" >"$work/names"
  local name package spec
  while read -r name; do
    package=$(one "$name" package)
    if [[ -n $package ]]; then
      build "$package" "$(program "$name")"
    fi
    spec=$(one "$name" pack)
    if [[ -n $spec && ! -e $(one "$name" artifact) ]]; then
      npm pack --silent --ignore-scripts --pack-destination "$work/artifacts" "$spec" >/dev/null
    fi
  done <"$work/names"
}

# program prints the file that a server runs.
program() {
  list "$1" command
  [[ ${#elements[@]} -gt 0 ]] || list "$1" serve
  printf '%s' "${elements[0]}"
}

# build takes no time for a program that is there already: two servers may be one program.
build() {
  (cd "$here/go" && go build -trimpath -o "$2" "$1")
}

# start runs a server that is reached by HTTP, with nothing of our environment, and waits until its port answers.
start() {
  local name=$1 url port tries
  url=$(one "$name" url)
  port=${url#*://*:}
  port=${port%%/*}
  list "$name" env
  local environment=("${elements[@]}")
  list "$name" serve
  (cd "$work/empty" && exec env -i PATH="$PATH" HOME="$work/home" "${environment[@]}" "${elements[@]}") >"$work/sealed/$name/server.log" 2>&1 &
  server_pid=$!
  for ((tries = 0; tries < 150; tries++)); do
    if (: >"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then
      return 0
    fi
    kill -0 "$server_pid" 2>/dev/null || break
    sleep 0.2
  done
  echo "$name: no server on port $port"
  cat "$work/sealed/$name/server.log"
  return 1
}

stop() {
  if [[ -n $server_pid ]]; then
    kill "$server_pid" 2>/dev/null || true
    wait "$server_pid" 2>/dev/null || true
    server_pid=
  fi
}
trap stop EXIT

# said prints a member of the second implementation's line.
said() {
  node -p 'JSON.parse(require("fs").readFileSync(process.argv[1], "utf8"))[process.argv[2]]' "$work/sealed/$1/second.json" "$2"
}

# round seals, verifies and recomputes one server. What goes wrong is in its log.
round() {
  local name=$1 algorithm=$2 hash=$3 directory=$work/sealed/$1
  local manifest=$directory/mcp-integrity.json target=() environment=() artifact=() element
  if [[ -n $(one "$name" url) ]]; then
    start "$name" || return 1
    target=(--server-url "$(one "$name" url)")
  else
    list "$name" env
    for element in "${elements[@]}"; do environment+=(--env "$element"); done
    list "$name" command
    target=(-- "${elements[@]}")
  fi
  list "$name" artifact
  for element in "${elements[@]}"; do artifact+=(--artifact "$element"); done

  cd "$work/empty"
  "$binary" keygen --algorithm "$algorithm" --key-id "test-$name" --output "$directory/key.json" || return 1
  "$binary" jwks "$directory/key.json" >"$directory/jwks.json" || return 1
  "$binary" seal --key "$directory/key.json" --source-repo https://example.com/r --commit "$commit" \
    --namespace "$namespace" --publisher-id test@example.com --allow-undeclared --digest-algorithm "$hash" \
    --output "$manifest" "${artifact[@]}" "${environment[@]}" "${target[@]}" || return 1
  "$binary" verify --jwks "$directory/jwks.json" --namespace "$namespace" --policy block_below_level_1 \
    "${artifact[@]}" "${environment[@]}" "$manifest" "${target[@]}" || return 1
  stop
  node "$second/check.mjs" --envelope "$manifest" --snapshot "${manifest%.json}.interface.json" --jwks "$directory/jwks.json" \
    "${artifact[@]}" >"$directory/second.json" || return 1
  [[ $(said "$name" tools) == "$(one "$name" tools)" ]] || {
    echo "$name lists $(said "$name" tools) tools, want $(one "$name" tools)"
    return 1
  }
}

# doubt shows that the checks can fail: a snapshot in which one letter of one description differs must be refused by both.
doubt() {
  local name=$1 directory=$work/sealed/$1 code
  local altered=$directory/altered.json
  node -e '
    const { readFileSync, writeFileSync } = require("fs");
    const text = readFileSync(process.argv[1], "utf8");
    const at = text.indexOf("\"description\":") + "\"description\":\"".length + 3;
    writeFileSync(process.argv[2], text.slice(0, at) + (text[at] === "x" ? "y" : "x") + text.slice(at + 1));
  ' "$directory/mcp-integrity.interface.json" "$altered"
  code=0
  node "$second/check.mjs" --envelope "$directory/mcp-integrity.json" --snapshot "$altered" --jwks "$directory/jwks.json" || code=$?
  [[ $code -eq 1 ]] || return 1
  code=0
  "$binary" verify --jwks "$directory/jwks.json" --namespace "$namespace" --interface "$altered" "$directory/mcp-integrity.json" || code=$?
  [[ $code -eq 1 ]]
}

# try runs a step with its output in a log, shows the log where it failed, and counts.
passed=0
failed=0
try() {
  local name=$1 log=$work/sealed/$1.$2.log
  shift
  if "$1" "$name" "${@:2}" >"$log" 2>&1; then
    passed=$((passed + 1))
    return 0
  fi
  failed=$((failed + 1))
  stop
  echo "FAILED: $1 of $name" >&2
  sed 's/^/  | /' "$log" >&2
  return 1
}

prepare "${@:3}"
printf '%-28s %-8s %-7s %5s %8s %9s %s\n' server key hash tools digests artifacts seconds
algorithms=(Ed25519 ES256)
hashes=(sha256 sha512)
count=0
while read -r -u 3 name; do
  mkdir -p "$work/sealed/$name"
  algorithm=${algorithms[count % 2]}
  hash=${hashes[count % 3 / 2]}
  count=$((count + 1))
  began=$(date +%s%N)
  if try "$name" round "$algorithm" "$hash"; then
    took=$((($(date +%s%N) - began) / 10000000))
    list "$name" artifact
    printf '%-28s %-8s %-7s %5d %8d %9d %d.%02d\n' "$name" "$algorithm" "$hash" "$(said "$name" tools)" "$(said "$name" digests)" "${#elements[@]}" $((took / 100)) $((took % 100))
  fi
done 3<"$work/names"
for name in npm-memory github-mcp-server http-everything; do
  [[ -e $work/sealed/$name/second.json ]] || continue
  if try "$name" doubt; then
    printf '%-28s an altered snapshot is refused by both\n' "$name"
  fi
done
echo "$passed passed, $failed failed"
[[ $failed -eq 0 ]]

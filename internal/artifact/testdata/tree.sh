#!/bin/sh
# The tree digest (SHA-256) of the current directory, from the package comment
# of internal/artifact alone, in GNU tools: what another implementation has to
# agree with. Records end in NUL until they are sorted, so that a name may hold
# a newline.
set -eu
LC_ALL=C
export LC_ALL
# The inner script expands its own words.
# shellcheck disable=SC2016
{
	printf 'mcp-integrity tree v1\n'
	find . -mindepth 1 \( -path ./.git \( -type d -prune -o -type f \) \
		-o -path ./mcp-integrity.json -type f \
		-o -path ./mcp-integrity.interface.json -type f \
		-o -path ./mcp-integrity.provenance.sigstore.json -type f \) \
		-o \( -type f -o -type l \) -printf '%P\0' |
		sort -z |
		xargs -0 -r sh -c '
			for p; do
				if [ -h "$p" ]; then
					kind=l
					hash=$(find "./$p" -maxdepth 0 -printf %l | sha256sum)
					size=$(find "./$p" -maxdepth 0 -printf %l | wc -c)
				else
					kind=f
					case $(stat -c %A "./$p") in ???[xs]*) kind=x ;; esac
					hash=$(sha256sum < "./$p")
					size=$(wc -c < "./$p")
				fi
				printf "%s %d %s %d %.64s\n" "$kind" "$(printf %s "$p" | wc -c)" "$p" "$size" "$hash"
			done' sh
} | sha256sum | cut -c 1-64

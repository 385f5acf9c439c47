// Package artifact says what a file, directory or container image is (its type,
// identifier and version, read from the thing itself), and gives its digest
// (MIS §10).
//
// What is known, and where identifier and version come from:
//
//	npm     .tgz                 package/package.json: name, version
//	pypi    wheel                *.dist-info/METADATA, and the file name must agree
//	pypi    sdist (.tar.gz)      <dir>/PKG-INFO, and the file name must agree
//	crate   .crate               <dir>/Cargo.toml, and <dir> must be name-version
//	mcpb    .mcpb, .dxt, .zip    manifest.json: name, version
//	wasm    magic \0asm          custom sections "name" and "version"
//	binary  ELF, Mach-O, PE      Go's build info: main package, module version
//	docker  layout directory,    annotations, labels and reference; the digest
//	        tarball, oci://REF   is the index's where there is one, else the
//	                             manifest's, and never the image ID
//	source  any other directory  package.json, pyproject.toml, Cargo.toml or
//	                             go.mod; the digest is the tree digest below
//
// Any other file is refused unless the caller names its type. Where a thing
// does not say its version, the version is "": MIS §10.2 wants the member, and
// a number that we made up would be a statement that nobody made. Where it does
// not say its identifier, the identifier is its file name.
//
// # Scopes
//
// "package" (the default) is the archive's bytes, for an image the OCI digest,
// for a directory the tree digest. It stays the default for .mcpb too: MIS
// §10.3 names .mcpb among the archives of that scope, and the bytes hashed are
// those of "bundle". "entrypoint" is the bytes of the main executable file
// that the package names. "bundle" is the bytes of a file that carries all it
// needs: mcpb, wasm, binary.
//
// # Tree digest
//
// The digest of a directory is H over this listing:
//
//	mcp-integrity tree v1\n
//	<kind> <len(path)> <path> <len(content)> <hex of H(content)>\n
//	…
//
// one line for every file and link below the directory, at any depth, sorted by
// the bytes of the path. H is SHA-256 or SHA-512; lengths are decimal and count
// bytes; single blanks stand between the fields; \n is the byte 0x0a.
//
//   - kind is "f" for a regular file, "x" for a regular file that its owner may
//     execute (mode & 0100), "l" for a symbolic link.
//   - path is relative to the directory, its components joined by "/", with the
//     bytes that the file system gives: no quoting, no Unicode normalisation. The
//     length before it makes a name with blanks, newlines or invalid UTF-8
//     unambiguous.
//   - content is a file's bytes, or the target of a link as it is stored.
//     Links are never followed.
//
// Left out are, at the root of the directory and nowhere else: ".git" (a
// directory, or the file that stands for it in a work tree), and the regular
// files mcp-integrity.json, mcp-integrity.interface.json and
// mcp-integrity.provenance.sigstore.json, which are written after the digest.
// Directories have no lines of their own, so an empty one does not count: git
// does not keep it either. Owners, times and all other mode bits do not count.
// A socket, pipe or device is refused. Ignored files (node_modules, build
// output) count: they run like the others.
//
// One checkout gives one digest on every system, with two exceptions, both
// Windows': it has no executable bit, so that a tree with "x" files has another
// digest there, and git may be set to rewrite line ends or to write links as
// files.
//
// # Bounds
//
// Everything here was made by strangers. Archives are walked as streams and
// never unpacked; every count and size has a bound in limits.go; two members
// that a package manager would take for the same metadata file are refused.
// Memory does not grow with the size of what is hashed.
package artifact

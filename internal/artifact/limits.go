package artifact

import "time"

// Everything that is read from a stranger's artifact has a bound. Each is far
// above what real packages need and far below what hurts.
const (
	// maxMetadata bounds package.json, METADATA, PKG-INFO, manifest.json and
	// an OCI manifest (the distribution spec names 4 MiB for the last). A wheel's
	// METADATA carries its README and reaches some 100 kB.
	maxMetadata = 4 << 20
	// maxTOML and maxTOMLKeys bound Cargo.toml and pyproject.toml: reading one
	// takes time by the square of its keys. The crate windows, with its seven
	// hundred features, has 40 kB.
	maxTOML     = 256 << 10
	maxTOMLKeys = 20_000
	// maxEntries bounds the members of an archive. A bundle with its
	// node_modules has some ten thousand.
	maxEntries = 500_000
	// maxUnpacked bounds the bytes that a compressed archive unpacks to: a
	// megabyte of deflate unpacks to a gigabyte.
	maxUnpacked = 16 << 30
	// maxName bounds a path in an archive; Linux's PATH_MAX.
	maxName = 4096
	// maxDirectory bounds a zip's central directory, all of which archive/zip
	// keeps in memory.
	maxDirectory = 16 << 20
	// maxTreeEntries and maxTreeDepth bound a source directory. The Linux kernel
	// has 90,000 files, at most 14 deep.
	maxTreeEntries = 4_000_000
	maxTreeDepth   = 200
	// maxImageDocs and maxImageDepth bound the indexes and manifests of an
	// image, and how deep indexes nest.
	maxImageDocs  = 1000
	maxImageDepth = 4
	// maxLayers bounds the layers of a manifest; runtimes stop at 127.
	maxLayers = 1000
	// maxResponse and maxRequests bound what a registry may answer, and how
	// often it may send us on. Layers are never fetched.
	maxResponse = 8 << 20
	maxRequests = 64
	// maxSections bounds the sections of a wasm module.
	maxSections = 100_000
	// maxExecutableRead bounds what debug/* may read of an executable in search
	// of Go's build info, some of which it keeps in memory. In a Go program the
	// place is named and little is read.
	maxExecutableRead = 64 << 20
	// maxChecksums, maxChecksumLines and maxChecksumLine bound a checksums file.
	maxChecksums     = 16 << 20
	maxChecksumLines = 100_000
	maxChecksumLine  = 3 * maxName
	// maxFact bounds an identifier, a version, a URL.
	maxFact = 1024
	// maxRefs bounds what the globs of one run may match.
	maxRefs = 10_000
)

// Progress is for work that is long: the first call comes after progressAfter,
// the next ones progressEvery.
const (
	progressAfter = 2 * time.Second
	progressEvery = time.Second
)

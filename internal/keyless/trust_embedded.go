package keyless

import (
	_ "embed" // for the roots
	"fmt"
	"sync"
)

// Profile is a Sigstore instance that this program knows by name.
type Profile string

// The profiles of decision 11.
const (
	// PublicGood is the instance that the Sigstore community operates for all
	// the world: certificates with SCTs, a public log.
	PublicGood Profile = "public-good"
	// GitHub is GitHub's own instance, which private repositories use: signed
	// timestamps, no log, no SCTs.
	GitHub Profile = "github"
)

// known is what the program has of a profile; roots/README.md says from where.
type known struct {
	title, trustedRoot, date string
	// mirror and anchor are where newer roots are found, and by whose keys.
	mirror, anchor string
}

//go:embed roots/public-good.trusted_root.json
var publicGoodRoot string

//go:embed roots/public-good.tuf_root.json
var publicGoodAnchor string

//go:embed roots/github.trusted_root.json
var gitHubRoot string

//go:embed roots/github.tuf_root.json
var gitHubAnchor string

var profiles = map[Profile]known{
	PublicGood: {
		title: "public-good Sigstore", trustedRoot: publicGoodRoot, date: "2026-08-21",
		mirror: "https://tuf-repo-cdn.sigstore.dev", anchor: publicGoodAnchor,
	},
	GitHub: {
		title: "GitHub's own Sigstore", trustedRoot: gitHubRoot, date: "2026-06-29",
		mirror: "https://tuf-repo.github.com", anchor: gitHubAnchor,
	},
}

// embedded are parsed once, and only when asked for.
var embedded = map[Profile]func() *Trust{
	PublicGood: sync.OnceValue(func() *Trust { return mustEmbedded(PublicGood) }),
	GitHub:     sync.OnceValue(func() *Trust { return mustEmbedded(GitHub) }),
}

// Embedded returns the trusted root that this program was built with. It never
// touches the network. A log or an authority that is younger than the copy is
// unknown to it; one that was retired since is still trusted, up to the end that
// the copy knows.
func Embedded(p Profile) *Trust {
	load, ok := embedded[p]
	if !ok {
		panic(fmt.Sprintf("keyless: no profile %q", p))
	}
	return load()
}

func mustEmbedded(p Profile) *Trust {
	k := profiles[p]
	t, err := parseTrustedRoot([]byte(k.trustedRoot))
	if err != nil {
		panic(fmt.Sprintf("keyless: the embedded root of %s: %v", p, err))
	}
	t.source = fmt.Sprintf("%s, embedded trusted root of %s", k.title, k.date)
	for _, r := range t.roots {
		r.name = k.title
	}
	return t
}

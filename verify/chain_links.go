package verify

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/mcp-integrity/seal-action/lineage"
	"github.com/mcp-integrity/seal-action/seal"
)

// join checks a link from both its ends: that parent is of the same publisher,
// came before, and that child says what changed since.
func (c *chain) join(child, parent *release) {
	if parent.doubt != nil {
		c.advise(seal.CodeAncestorUnverified, "%s: %v; the release after it vouches for its content", parent, parent.doubt)
	}
	if err := lineage.CheckSource(parent.manifest, child.manifest); err != nil {
		c.broken(seal.CodeChainPublisherChanged, "", "%s follows %s: %v", child, parent, err)
	}
	c.signers(child, parent)
	if !child.link.Names(parent.manifest) {
		c.broken(seal.CodeChainBroken, "", "%s: previous_version: got %.64q, want %.64q of the release with that digest", child, child.link.PreviousVersion, lineage.VersionOf(parent.manifest))
	}
	advice, err := lineage.CheckOrder(parent.manifest, child.manifest)
	if err != nil {
		c.broken(seal.CodeChainOrder, "", "%s follows %s: %v", child, parent, err)
	} else if advice != "" {
		c.advise(seal.CodeChainOrder, "%s follows %s: %s", child, parent, advice)
	}
	c.changes(child, parent)
	c.links.add(parent)
}

// signers compares who signed a release with who signed the ones after it. Keys
// and workflows may change, and are named; the repository and its ids stay, also
// where a release signed by a key alone stands between two certificates.
func (c *chain) signers(child, parent *release) {
	if cert := child.certificate(); cert != nil {
		known := *cert
		if before := c.certificate; before != nil { // one that says no id leaves what is known
			known.SourceRepositoryID = cmp.Or(known.SourceRepositoryID, before.SourceRepositoryID)
			known.SourceOwnerID = cmp.Or(known.SourceOwnerID, before.SourceOwnerID)
		}
		c.certificate = &known
	}
	if now, was := c.certificate, parent.certificate(); now != nil && was != nil {
		if err := sameRepository(*was, *now); err != nil {
			c.broken(seal.CodeChainPublisherChanged, "", "%s: %v", parent, err)
		}
	}
	if len(child.signers) == 0 || len(parent.signers) == 0 {
		return
	}
	now, was := signersOf(child), signersOf(parent)
	if !slices.ContainsFunc(now, func(s string) bool { return slices.Contains(was, s) }) {
		c.advise(seal.CodeChainSignerChanged, "%s is signed by %s, %s by %s", child, strings.Join(now, " and "), parent, strings.Join(was, " and "))
	}
}

// sameRepository compares what stays of a certificate from release to release.
// An id that either lacks says nothing: Fulcio's first certificates have none.
func sameRepository(was, now seal.Certificate) error {
	for _, f := range []struct {
		what, was, now string
		id             bool
	}{
		{"issuer", was.Issuer, now.Issuer, false},
		{"source repository", strings.ToLower(was.SourceRepositoryURI), strings.ToLower(now.SourceRepositoryURI), false},
		{"repository id", was.SourceRepositoryID, now.SourceRepositoryID, true},
		{"owner id", was.SourceOwnerID, now.SourceOwnerID, true},
	} {
		switch {
		case f.was == f.now, f.id && (f.was == "" || f.now == ""):
		case f.id:
			return fmt.Errorf("%s: got %.100q, want %.100q as in the releases after it: %.200q was registered anew", f.what, f.was, f.now, now.SourceRepositoryURI)
		default:
			return fmt.Errorf("%s: got %.200q, want %.200q as in the releases after it", f.what, f.was, f.now)
		}
	}
	return nil
}

// signersOf names who signed, so that two releases of one signer have a name in
// common.
func signersOf(r *release) []string {
	var names []string
	for _, a := range r.signers {
		name := fmt.Sprintf("key %.100q", cmp.Or(a.Thumbprint, a.KeyID))
		if c := a.Certificate; c != nil {
			name = fmt.Sprintf("%.200q", workflow(*c))
		}
		if !slices.Contains(names, name) && len(names) < maxSigners {
			names = append(names, name)
		}
	}
	return names
}

// maxSigners bounds the signers of one release that are named.
const maxSigners = 4

// workflow is the part of a certificate's signer that stays from release to
// release: without the ref, which names the tag. An e-mail address has none.
func workflow(c seal.Certificate) string {
	if c.BuildSignerURI == "" {
		return c.SAN
	}
	if i := strings.LastIndex(c.BuildSignerURI, "@refs/"); i >= 0 {
		return c.BuildSignerURI[:i]
	}
	if i := strings.LastIndex(c.BuildSignerURI, "@"); i >= 0 {
		return c.BuildSignerURI[:i]
	}
	return c.BuildSignerURI
}

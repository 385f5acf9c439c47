package trust

import (
	"fmt"
	"slices"
	"strings"

	"github.com/mcp-integrity/seal-action/internal/keys"
	"github.com/mcp-integrity/seal-action/seal"
)

// compare refuses identities that one certificate could match in two roles, or
// as two holders: whoever has it would count in the one or the other as suits
// them.
func (r *reader) compare() {
	all := r.config.entries
	for i, e := range all {
		for _, o := range all[:i] {
			if e.identity == nil || o.identity == nil || !e.meets(o) || !overlap(*e.identity, *o.identity) {
				continue
			}
			r.errorf(e.sourceAt, e.path, "one certificate could be that of %s and of %s, and counts in one role and as one holder only: tell them apart by repository or workflow (at another ref it is the same one)", e, o)
			break
		}
	}
}

// Elsewhere says as what else a trust file knows somebody whom a run names as the
// publisher of a namespace by other means: nil, or an error that names the registry,
// scanner or auditor. Whoever it is would vouch for their own release.
func (t *Trust) Elsewhere(namespace string, expected []seal.Identity, public []keys.PublicKey) error {
	for _, h := range t.holders {
		if h.role == seal.RolePublisher || !h.counts(namespace) {
			continue
		}
		for _, id := range expected {
			if h.identity != nil && overlap(id, *h.identity) {
				return fmt.Errorf("one certificate could be that of the publisher and of %s: no identity counts in two roles", h)
			}
		}
		for _, k := range public {
			if slices.ContainsFunc(h.known, func(o keys.PublicKey) bool { return o.Thumbprint == k.Thumbprint }) {
				return fmt.Errorf("the key %.100q is that of %s: no key counts in two roles", k.KeyID, h)
			}
		}
	}
	return nil
}

// overlap says whether one certificate could match both identities, or two that
// are one identity: the same workflow of a repository at any ref, the same address
// in any case. It errs towards yes: two members of another kind, such as a subject
// and a repository, do not tell them apart.
func overlap(a, b seal.Identity) bool {
	differ := func(x, y string, same func(x, y string) bool) bool { return x != "" && y != "" && !same(x, y) }
	switch {
	case a.Issuer != b.Issuer:
		return false
	case differ(a.Repository, b.Repository, strings.EqualFold),
		differ(a.Owner, b.Owner, related),
		differ(a.Owner, b.Repository, holds), differ(b.Owner, a.Repository, holds),
		differ(a.SAN, b.SAN, meetSubjects),
		differ(a.Workflow, b.Workflow, meetWorkflows):
		return false
	}
	// An address is a person's, whose certificate has no repository.
	return !(isAddress(a.SAN) && hasSource(b) || isAddress(b.SAN) && hasSource(a))
}

// meetSubjects compares subjects as [seal.Authenticated.Identity] does, which lets
// go of a workflow's ref. Addresses are compared without regard to case: no host
// of mail gives Alice's to another than alice's.
func meetSubjects(a, b string) bool {
	if isAddress(a) && isAddress(b) {
		return meetWhole(strings.ToLower(a), strings.ToLower(b))
	}
	return meetWhole(withoutRef(a), withoutRef(b))
}

// withoutRef is a workflow's subject without the ref behind it.
func withoutRef(subject string) string {
	if !isURL(subject) {
		return subject
	}
	if at := strings.LastIndex(subject, "@refs/"); at >= 0 {
		return subject[:at]
	}
	if at := strings.LastIndex(subject, "@"); at >= 0 {
		return subject[:at]
	}
	return subject
}

func related(a, b string) bool { return strings.EqualFold(a, b) || under(a, b) || under(b, a) }

func holds(owner, repository string) bool { return under(repository, owner) }

func isAddress(san string) bool { return strings.Contains(san, "@") && !strings.Contains(san, "://") }

func hasSource(i seal.Identity) bool {
	return i.Owner != "" || i.Repository != "" || i.Workflow != "" || i.Ref != ""
}

// meetWhole says whether one text could match both patterns.
func meetWhole(a, b string) bool {
	x, y := strings.Split(a, "/"), strings.Split(b, "/")
	return len(x) == len(y) && meetSegments(x, y)
}

// meetWorkflows compares paths from their ends: the one may name the repository
// before it, and the other not. A ref behind them tells nothing.
func meetWorkflows(a, b string) bool {
	pathA, _, _ := strings.Cut(a, "@")
	pathB, _, _ := strings.Cut(b, "@")
	x, y := strings.Split(pathA, "/"), strings.Split(pathB, "/")
	n := min(len(x), len(y))
	return meetSegments(x[len(x)-n:], y[len(y)-n:])
}

func meetSegments(x, y []string) bool {
	for i := range x {
		if !meet(x[i], y[i]) {
			return false
		}
	}
	return true
}

// meet says whether one text could match both patterns, in which * is any run
// of characters. row[j] is whether the rest of a, from where the loop is, meets
// b[j:].
func meet(a, b string) bool {
	row := make([]bool, len(b)+1)
	row[len(b)] = true
	for j := len(b) - 1; j >= 0; j-- {
		row[j] = b[j] == '*' && row[j+1]
	}
	for i := len(a) - 1; i >= 0; i-- {
		next := make([]bool, len(b)+1)
		next[len(b)] = a[i] == '*' && row[len(b)]
		for j := len(b) - 1; j >= 0; j-- {
			if a[i] == '*' || b[j] == '*' {
				// A * is nothing, or takes what stands next on the other side.
				next[j] = row[j] || next[j+1]
			} else {
				next[j] = a[i] == b[j] && row[j+1]
			}
		}
		row = next
	}
	return row[0]
}

// matches says whether text matches a pattern in which * stands for any run of
// characters but the separator.
func matches(pattern, text, separator string) bool {
	x, y := strings.Split(pattern, separator), strings.Split(text, separator)
	// A * in a text is no pattern: it is what somebody wrote to match ours.
	return len(x) == len(y) && !strings.Contains(text, "*") && meetSegments(x, y)
}

package lineage

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/mcp-integrity/seal-action/seal"
)

// CheckSource returns nil where two releases are of the same publisher, server
// and source repository, as far as both say, and else an error that wraps
// [ErrOtherPublisher], [ErrOtherServer] or [ErrOtherRepository].
func CheckSource(previous, current *seal.Manifest) error {
	p, c := previous.Server, current.Server
	if p.Publisher.Namespace != c.Publisher.Namespace {
		return fmt.Errorf("%w: namespace: got %.200q, want %.200q", ErrOtherPublisher, p.Publisher.Namespace, c.Publisher.Namespace)
	}
	if p.Name != c.Name {
		return fmt.Errorf("%w: server.name: got %.200q, want %.200q", ErrOtherServer, p.Name, c.Name)
	}
	got, want := sourceRepos(previous), sourceRepos(current)
	if len(got) > 0 && len(want) > 0 && !slices.EqualFunc(got, want, strings.EqualFold) {
		return fmt.Errorf("%w: source_repo: got %.200q, want %.200q", ErrOtherRepository, strings.Join(got, " "), strings.Join(want, " "))
	}
	return nil
}

// sourceRepos are the repositories that a manifest names, each once and sorted.
// Hosts do not tell upper from lower case in them.
func sourceRepos(m *seal.Manifest) []string {
	var repos []string
	for i := range m.Tools {
		p := m.Tools[i].Provenance
		if p == nil || p.SourceRepo == "" {
			continue
		}
		if repo := strings.ToLower(p.SourceRepo); len(repos) == 0 || repos[len(repos)-1] != repo {
			repos = append(repos, repo)
		}
	}
	slices.Sort(repos)
	return slices.Compact(repos)
}

// CheckOrder says whether current comes after previous (decision 20). The error
// wraps [ErrIssuedLater], [ErrSameVersion] or [ErrNewerVersion]. Times have whole
// seconds, so that two releases may have one time: the link orders them.
//
// What a server calls its own version is nothing to rely on: many never change
// it. Where no package version tells the order, advice says what its version
// does instead; "" where it goes forward.
func CheckOrder(previous, current *seal.Manifest) (advice string, err error) {
	if p, c := previous.IssuedAt, current.IssuedAt; c.Before(p.Time) {
		return "", fmt.Errorf("%w: issued_at: got %s, want %s or later", ErrIssuedLater, c.Format(time.RFC3339), p.Format(time.RFC3339))
	}
	switch o := comparePackages(previous, current); o.order {
	case orderForward:
		return "", nil
	case orderBack:
		return "", fmt.Errorf("%w: got %.100q, want one after %.100q", ErrNewerVersion, o.got, o.want)
	case orderSame:
		return "", fmt.Errorf("%w: %.100q", ErrSameVersion, o.got)
	case orderUnclear:
		return fmt.Sprintf("package versions %.100q and %.100q cannot be compared", o.want, o.got), nil
	}
	return serverAdvice(previous.Server.Version, current.Server.Version), nil
}

func serverAdvice(previous, current string) string {
	switch order, ok := CompareVersions(previous, current); {
	case previous == "" && current == "":
		return "neither release has a version"
	case previous == "", current == "":
		return "one of the two releases has no version"
	case previous == current:
		return fmt.Sprintf("server.version is %.100q in both releases", current)
	case ok && order >= 0:
		return fmt.Sprintf("server.version: got %.100q after %.100q", current, previous)
	}
	return ""
}

// order is how the packages of a release lie to those of the one before.
type order int

const (
	orderNone    order = iota // there are no package versions to compare
	orderForward              // one goes forward, and none back
	orderSame
	orderBack
	orderUnclear
)

type packageOrder struct {
	order     order
	got, want string // versions that decide it
}

// comparePackages compares the versions of the artifacts that both releases
// have. Identifiers may change from one release to the next, as an image's does
// that holds a tag: where no artifact is in both, the first ones are compared.
func comparePackages(previous, current *seal.Manifest) packageOrder {
	before, after := packages(previous), packages(current)
	if len(before) == 0 || len(after) == 0 {
		return packageOrder{}
	}
	result, paired := packageOrder{}, false
	for _, a := range after {
		for _, b := range before {
			if a.Type == b.Type && a.Identifier == b.Identifier {
				paired = true
				result = result.and(orderOf(b.Version, a.Version))
			}
		}
	}
	if !paired {
		return orderOf(before[0].Version, after[0].Version)
	}
	return result
}

// and keeps what says most: back, then forward, unclear and same.
func (o packageOrder) and(p packageOrder) packageOrder {
	rank := [...]int{orderNone: 0, orderSame: 1, orderUnclear: 2, orderForward: 3, orderBack: 4}
	if rank[p.order] > rank[o.order] {
		return p
	}
	return o
}

func orderOf(previous, current string) packageOrder {
	o := packageOrder{got: current, want: previous}
	switch c, ok := CompareVersions(previous, current); {
	case previous == current:
		o.order = orderSame
	case !ok:
		o.order = orderUnclear
	case c < 0:
		o.order = orderForward
	case c > 0:
		o.order = orderBack
	default:
		o.order = orderSame
	}
	return o
}

// maxPackages bounds the artifacts of a release that are compared: a server is
// one or a few.
const maxPackages = 32

// packages are the distinct artifacts of a manifest that have a version.
func packages(m *seal.Manifest) []*seal.Artifact {
	var all []*seal.Artifact
	for i := range m.Tools {
		a := m.Tools[i].Artifact
		if a == nil || a.Version == "" || slices.ContainsFunc(all, func(b *seal.Artifact) bool { return *a == *b }) {
			continue
		}
		if all = append(all, a); len(all) == maxPackages {
			break
		}
	}
	return all
}

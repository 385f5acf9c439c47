package trust

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/mcp-integrity/seal-action/internal/fetch"
	"github.com/mcp-integrity/seal-action/internal/strictyaml"
	"github.com/mcp-integrity/seal-action/seal"
)

// A reader makes a Config of a document that the schema accepts, and keeps what
// it finds wrong on the way.
type reader struct {
	doc    *strictyaml.Document
	config *Config
	errs   strictyaml.Errors
}

func (r *reader) errorf(at strictyaml.Position, path, format string, args ...any) {
	r.errs = append(r.errs, r.doc.Errorf(at, path, format, args...))
}

// sections are the roles beside the publisher's, by the members that list their
// holders, in the order in which a certificate is compared with them.
var sections = []struct {
	member string
	role   seal.Role
}{
	{"registries", seal.RoleRegistry}, {"scanners", seal.RoleScanner}, {"auditors", seal.RoleAuditor},
}

func (r *reader) read(root *strictyaml.Node) {
	if n := root.Child("policy"); n != nil {
		p, err := seal.ParsePolicy(n.String())
		if err != nil { // the schema knows them all
			r.errs = append(r.errs, r.doc.Wrap(n.At, "policy", err))
		}
		r.config.policy = p
	}
	if n := root.Child("publishers"); n != nil {
		if len(n.Items) > maxPublishers {
			r.errorf(n.At, "publishers", "%d elements, want at most %d", len(n.Items), maxPublishers)
			return
		}
		for i, item := range n.Items {
			r.publisher(item, strictyaml.ElementPath("publishers", i))
		}
	}
	for _, s := range sections {
		if n := root.Child(s.member); n != nil {
			r.section(n, s.role, s.member)
		}
	}
	if n := root.Child("rules"); n != nil {
		r.config.rules = n.Items
	}
}

func (r *reader) publisher(n *strictyaml.Node, path string) {
	e := &entry{role: seal.RolePublisher, namespace: n.Child("namespace").String(), at: n.At, sourceAt: n.At, path: path}
	if e.name = n.Child("name").String(); e.name == "" {
		e.name = e.namespace
	}
	r.source(n, e)
	r.config.entries = append(r.config.entries, e)
}

// section reads the holders of a role: a list of them, or a mapping with one.
func (r *reader) section(n *strictyaml.Node, role seal.Role, path string) {
	list, age := n, time.Duration(0)
	if n.Kind == strictyaml.Object {
		list, path = n.Child("holders"), strictyaml.MemberPath(path, "holders")
		age = r.age(n, strings.TrimSuffix(path, ".holders"))
		if need := n.Child("require"); need != nil {
			if need.Int() > len(list.Items) {
				r.errorf(need.At, strings.TrimSuffix(path, "holders")+"require", "is %d, and there are %d holders: it could never be met", need.Int(), len(list.Items))
			}
			r.config.quorum[role] = need.Int()
		}
	}
	first := map[string]strictyaml.Position{}
	for i, item := range list.Items {
		at := strictyaml.ElementPath(path, i)
		e := &entry{role: role, name: item.Child("name").String(), at: item.At, sourceAt: item.At, path: at}
		if p, twice := first[e.name]; twice {
			r.errorf(item.Child("name").At, strictyaml.MemberPath(at, "name"), "%s stands a second time, the first is in line %d: a holder is one vote", strictyaml.Quoted(e.name), p.Line)
		}
		first[e.name] = item.Child("name").At
		if e.maxAge = r.age(item, at); e.maxAge == 0 {
			e.maxAge = age
		}
		e.types = r.types(item.Child("types"), role, strictyaml.MemberPath(at, "types"))
		e.namespaces = r.namespaces(item.Child("namespaces"), strictyaml.MemberPath(at, "namespaces"))
		r.source(item, e)
		r.config.entries = append(r.config.entries, e)
	}
}

func (r *reader) types(n *strictyaml.Node, role seal.Role, path string) []string {
	if n == nil {
		return nil
	}
	for i, item := range n.Items {
		if err := seal.CheckType(role, item.String()); err != nil {
			hint := ""
			if guess := strictyaml.Nearest(item.String(), seal.PositiveTypes(role)); guess != "" {
				hint = fmt.Sprintf("; did you mean %q?", guess)
			}
			r.errorf(item.At, strictyaml.ElementPath(path, i), "%v%s", err, hint)
		}
	}
	return n.Strings()
}

func (r *reader) namespaces(n *strictyaml.Node, path string) []string {
	if n == nil {
		return nil
	}
	for i, item := range n.Items {
		if strings.HasPrefix(item.String(), "*") || strings.Contains(item.String(), "**") {
			r.errorf(item.At, strictyaml.ElementPath(path, i), "is %s, want a name in which a single * stands within a part behind the first, such as io.github.*", strictyaml.Quoted(item.String()))
		}
	}
	return n.Strings()
}

// age reads max_age of n; 0 where it is not said.
func (r *reader) age(n *strictyaml.Node, path string) time.Duration {
	text := n.Child("max_age")
	if text == nil {
		return 0
	}
	d, ok := parseAge(text.String())
	if !ok {
		r.errorf(text.At, strictyaml.MemberPath(path, "max_age"), "is %s, want an age such as 30d or 12h", strictyaml.Quoted(text.String()))
	}
	return d
}

// parseAge reads whole days as 30d, and Go's durations; more than none, and a
// hundred years at most.
func parseAge(s string) (time.Duration, bool) {
	if days, ok := strings.CutSuffix(s, "d"); ok {
		n, err := strconv.ParseUint(days, 10, 16)
		return time.Duration(n) * 24 * time.Hour, err == nil && n > 0 && n <= maxAgeDays
	}
	d, err := time.ParseDuration(s)
	return d, err == nil && d > 0 && d <= maxAgeDays*24*time.Hour
}

// source reads the one way by which an entry is known.
func (r *reader) source(n *strictyaml.Node, e *entry) {
	var said []string
	for _, name := range []string{"identity", "key", "jwks"} {
		if child := n.Child(name); child != nil {
			said, e.sourceAt = append(said, name), child.At
		}
	}
	if len(said) > 1 {
		why := "want one: another holder's is another entry"
		if e.role == seal.RolePublisher {
			why = "want one: alternatives are entries of their own"
		}
		r.errorf(e.sourceAt, e.path, "has %s, %s", strings.Join(said, " and "), why)
		return
	}
	e.key, e.jwks = n.Child("key").String(), n.Child("jwks").String()
	switch {
	case e.key != "":
		if strings.Contains(e.key, "://") {
			r.errorf(e.sourceAt, strictyaml.MemberPath(e.path, "key"), "is a URL, want a file; a key document at a URL is a jwks")
		}
	case e.jwks != "":
		r.document(e)
	default:
		r.identity(n.Child("identity"), e)
	}
}

// document checks the address of a key document.
func (r *reader) document(e *entry) {
	if !isURL(e.jwks) {
		return
	}
	path := strictyaml.MemberPath(e.path, "jwks")
	switch u, err := url.Parse(e.jwks); {
	case err != nil || u.Host == "":
		r.errorf(e.sourceAt, path, "is %s, want a file or an https URL", strictyaml.Quoted(e.jwks))
	case !fetch.Secure(u):
		r.errorf(e.sourceAt, path, "is %s, want https: whoever is on the way could put in keys", strictyaml.Quoted(e.jwks))
	case u.User != nil:
		r.errorf(e.sourceAt, path, "has a user in it: a key document is public")
	}
}

// isURL says that a source is no file.
func isURL(source string) bool { return strings.Contains(source, "://") }

package stack

import (
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// control answers what README.md describes: environments of jobs, faults,
// counters, uploads. Parameters come by query and are strict: one that is
// misspelt is an error, not a default.
func (s *Stack) control() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /env", s.serveEnv)
	mux.HandleFunc("GET /github/env", s.serveGitHub)
	mux.HandleFunc("GET /gitlab/env", s.serveGitLab)
	mux.HandleFunc("POST /fault", s.serveFault)
	mux.HandleFunc("POST /clean", s.serveClean)
	mux.HandleFunc("GET /audit", s.serveAudit)
	mux.HandleFunc("GET /uploads", s.serveUploads)
	return mux
}

func (s *Stack) doors() []*Door { return []*Door{s.Fulcio, s.Rekor, s.TSA, s.Runner} }

// leftOver is the error of a query that is not used up.
func leftOver(q url.Values) error {
	if len(q) == 0 {
		return nil
	}
	return fmt.Errorf("unknown parameters %q", slices.Sorted(maps.Keys(q)))
}

func (s *Stack) serveEnv(w http.ResponseWriter, r *http.Request) {
	sendVariables(w, r.URL.Query(), s.Variables)
}

func (s *Stack) serveGitHub(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	j := gitHubJob(q)
	sendVariables(w, q, func() Variables { return s.GitHub(j) })
}

func (s *Stack) serveGitLab(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	j := gitLabJob(q)
	audience := lookup(q, "audience", "sigstore")
	fault, err := parseTokenFault(lookup(q, "token", ""))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	v, err := s.GitLab(j, audience, fault)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	sendVariables(w, q, func() Variables { return v })
}

// sendVariables makes variables once the query is known to be right.
func sendVariables(w http.ResponseWriter, q url.Values, variables func() Variables) {
	export := lookup(q, "format", "") == "export"
	if err := leftOver(q); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_ = variables().Write(w, export)
}

// door takes the parameter service out of a query and finds it.
func (s *Stack) door(q url.Values) (*Door, error) {
	name := lookup(q, "service", "")
	var names []string
	for _, d := range s.doors() {
		if d.name == name {
			return d, nil
		}
		names = append(names, d.name)
	}
	return nil, fmt.Errorf("service %.100q, want one of %v", name, names)
}

func (s *Stack) serveFault(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	if err := s.setFault(q); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
	}
}

func (s *Stack) setFault(q url.Values) error {
	d, err := s.door(q)
	if err != nil {
		return err
	}
	f, err := parseFault(q)
	if err != nil {
		return err
	}
	if err := leftOver(q); err != nil {
		return err
	}
	if f.Mode == Token && d != s.Runner {
		return fmt.Errorf("mode token is of service %s alone", s.Runner.name)
	}
	return d.Set(f)
}

// serveClean heals every service and forgets what was counted.
func (s *Stack) serveClean(w http.ResponseWriter, _ *http.Request) {
	for _, d := range s.doors() {
		if err := d.Set(Fault{Mode: Clean}); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		d.count()
		d.takeUploads()
	}
	s.proxy.refused.Store(0)
}

// effects names what a service issues.
var effects = map[string]string{"fulcio": "certificates", "rekor": "entries", "tsa": "timestamps", "oidc": "tokens"}

// serveAudit says what happened since it was last asked, a line each.
func (s *Stack) serveAudit(w http.ResponseWriter, _ *http.Request) {
	for _, d := range s.doors() {
		c := d.count()
		fmt.Fprintf(w, "%s=%d\n%s.requests=%d\n", effects[d.name], c.effects, d.name, c.requests)
	}
	fmt.Fprintf(w, "proxy.refused=%d\n", s.proxy.refused.Swap(0))
}

// serveUploads gives all that was sent to a service since it was last asked,
// effective or not: what a public log would have seen.
func (s *Stack) serveUploads(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	d, err := s.door(q)
	if err == nil {
		err = leftOver(q)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	for _, body := range d.takeUploads() {
		if _, err := w.Write(body); err != nil {
			return
		}
		_, _ = io.WriteString(w, "\n")
	}
}

// quote writes a word that a POSIX shell reads back as it is.
func quote(word string) string {
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}

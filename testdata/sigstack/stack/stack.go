package stack

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"
)

const (
	// startTime bounds the start of all servers together. Idle it takes half a second.
	startTime = time.Minute
	// startTries bounds the starts of one server whose ports others took.
	startTries = 5
	// timestampPath is the path of the timestamp authority's API, which is part
	// of its URL in signing configurations.
	timestampPath = "/api/v1/timestamp"
)

// Stack is a running Sigstore.
type Stack struct {
	Dir                  string // everything it wrote
	Fulcio, Rekor, TSA   *Door
	Runner               *Door // where GitHub jobs ask for identity tokens
	ControlURL, ProxyURL string
	TUFMirror            string // URL

	issuer  *Issuer
	proxy   *Proxy
	closers []func() error // in the order of opening
}

// Start runs a Sigstore in dir, which must be there and should be empty, from
// the programs of build.sh in bin. Whatever the outcome, Close what it returns.
func Start(ctx context.Context, bin, dir string) (*Stack, error) {
	ctx, cancel := context.WithTimeout(ctx, startTime)
	defer cancel()
	bin, err := filepath.Abs(bin)
	if err != nil {
		return nil, err
	}
	if dir, err = filepath.Abs(dir); err != nil {
		return nil, err
	}
	s := &Stack{Dir: dir}
	now := time.Now()
	keys, err := newPKI(now)
	if err != nil {
		return s, err
	}
	if err := keys.write(dir); err != nil {
		return s, err
	}
	if err := s.startIssuers(); err != nil {
		return s, fmt.Errorf("issuers: %w", err)
	}
	at, err := s.startServers(ctx, bin, keys)
	if err != nil {
		return s, err
	}
	if err := writeTrust(dir, keys, at, now); err != nil {
		return s, fmt.Errorf("files of trust: %w", err)
	}
	if err := s.startTUF(now); err != nil {
		return s, fmt.Errorf("TUF repository: %w", err)
	}
	s.ControlURL, err = s.serve(s.control())
	return s, err
}

// Close stops everything. It may be called twice.
func (s *Stack) Close() error {
	if s == nil {
		return nil
	}
	var errs []error
	for i := len(s.closers) - 1; i >= 0; i-- {
		errs = append(errs, s.closers[i]())
	}
	s.closers = nil
	return errors.Join(errs...)
}

// serve answers HTTP on a free port until Close, and returns the URL.
func (s *Stack) serve(h http.Handler) (string, error) {
	return s.listen(h, func(srv *http.Server, l net.Listener) error { return srv.Serve(l) })
}

func (s *Stack) listen(h http.Handler, run func(*http.Server, net.Listener) error) (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	srv := &http.Server{Handler: h, ReadHeaderTimeout: 5 * time.Second, ErrorLog: silent}
	s.closers = append(s.closers, srv.Close)
	go func() { _ = run(srv, l) }()
	return "http://" + l.Addr().String(), nil
}

// startIssuers serves both issuers and the attestation store over TLS, the proxy
// that leads to them, and the runner's token endpoint.
func (s *Stack) startIssuers() error {
	var err error
	if s.issuer, err = newIssuer(); err != nil {
		return err
	}
	cert, key := filepath.Join(s.Dir, webChainFile), filepath.Join(s.Dir, webKeyFile)
	hosts := http.NewServeMux()
	hosts.Handle("/", s.issuer)
	hosts.Handle(host(githubAPI)+"/", newStore())
	web, err := s.listen(hosts, func(srv *http.Server, l net.Listener) error { return srv.ServeTLS(l, cert, key) })
	if err != nil {
		return err
	}
	s.proxy = newProxy(web[len("http://"):])
	if s.ProxyURL, err = s.serve(s.proxy); err != nil {
		return err
	}
	s.Runner, err = s.open("oidc", http.MethodGet, http.StatusOK, http.HandlerFunc(s.issuer.serveRunner))
	return err
}

// open makes a door, and closes it with the stack.
func (s *Stack) open(name, method string, success int, next http.Handler) (*Door, error) {
	d, err := openDoor(name, method, success, next)
	if err == nil {
		s.closers = append(s.closers, d.Close)
	}
	return d, err
}

// startServers starts the three servers at once, each behind a door, and
// returns the URLs that clients are told.
func (s *Stack) startServers(ctx context.Context, bin string, keys *pki) (services, error) {
	ct, err := s.serve(&sctSigner{keys.ct})
	if err != nil {
		return services{}, err
	}
	plans := []struct {
		door    **Door
		name    string
		success int
		plan    plan
	}{
		{&s.Fulcio, "fulcio", http.StatusOK, func() (server, string, error) { return fulcio(s.Dir, s.ProxyURL, ct) }},
		{&s.Rekor, "rekor", http.StatusCreated, rekor},
		{&s.TSA, "tsa", http.StatusOK, tsa},
	}
	var waits []func(context.Context) (string, error)
	for _, p := range plans {
		wait, err := s.launch(bin, p.plan)
		if err != nil {
			return services{}, fmt.Errorf("start %s (build.sh builds it): %w", p.name, err)
		}
		waits = append(waits, wait)
	}
	for i, p := range plans {
		base, err := waits[i](ctx)
		if err != nil {
			return services{}, err
		}
		next, err := toServer(base)
		if err != nil {
			return services{}, err
		}
		if *p.door, err = s.open(p.name, http.MethodPost, p.success, next); err != nil {
			return services{}, err
		}
	}
	return services{fulcio: s.Fulcio.URL(), rekor: s.Rekor.URL(), tsa: s.TSA.URL() + timestampPath, ct: ct}, nil
}

// plan says how to start a server on ports that are free, and its URL. Every
// call chooses other ports.
type plan func() (server, string, error)

// launch starts a server, and stops it with the stack. wait returns its URL once
// it answers. A port that somebody took between our look and the server's is
// nobody's fault: the server is started anew on others, startTries times in all.
func (s *Stack) launch(bin string, next plan) (wait func(context.Context) (string, error), err error) {
	begin := func() (*process, server, string, error) {
		how, base, err := next()
		if err != nil {
			return nil, how, "", err
		}
		proc, err := start(bin, s.Dir, how)
		if err == nil {
			s.closers = append(s.closers, proc.stop)
		}
		return proc, how, base, err
	}
	proc, how, base, err := begin()
	return func(ctx context.Context) (string, error) {
		for try := 1; ; try++ {
			err := proc.healthy(ctx, how.health)
			if err == nil || !errors.Is(err, errPortTaken) || try == startTries {
				return base, err
			}
			if proc, how, base, err = begin(); err != nil {
				return "", err
			}
		}
	}, err
}

// startTUF serves a repository with the trusted root and the signing
// configuration, as the public instance does.
func (s *Stack) startTUF(now time.Time) error {
	targets := map[string][]byte{}
	for _, file := range []string{trustedRootFile, signingConfigFile} {
		b, err := os.ReadFile(filepath.Join(s.Dir, file))
		if err != nil {
			return err
		}
		targets[file] = b
	}
	dir := filepath.Join(s.Dir, "tuf")
	if err := writeTUF(dir, targets, now.Add(lifetime)); err != nil {
		return err
	}
	var err error
	s.TUFMirror, err = s.serve(http.FileServer(http.Dir(dir)))
	return err
}

// GitHub returns the environment of a GitHub job, as q describes it (see
// README.md), the two variables of its identity token included.
func (s *Stack) GitHub(j GitHubJob) Variables {
	v := j.variables()
	path, requestToken := s.issuer.admit(j.claims())
	v.Add("ACTIONS_ID_TOKEN_REQUEST_URL", s.Runner.URL()+path)
	v.Add("ACTIONS_ID_TOKEN_REQUEST_TOKEN", requestToken)
	return v
}

// GitLab returns the environment of a GitLab job, its identity token for
// audience included, which is wrong as fault says.
func (s *Stack) GitLab(j GitLabJob, audience string, fault TokenFault) (Variables, error) {
	c, err := j.claims()
	if err != nil {
		return nil, err
	}
	token, err := s.issuer.mint(GitLabIssuer, audience, c, fault)
	if err != nil {
		return nil, err
	}
	v := j.variables()
	v.Add("SIGSTORE_ID_TOKEN", token)
	return v, nil
}

// Variables say where everything is, to a program that knows nothing of this
// package.
func (s *Stack) Variables() Variables {
	file := func(name string) string { return filepath.Join(s.Dir, name) }
	return Variables{
		{"SIGSTACK_URL", s.ControlURL},
		{"SIGSTACK_DIR", s.Dir},
		{"SIGSTACK_TRUSTED_ROOT", file(trustedRootFile)},
		{"SIGSTACK_SIGNING_CONFIG", file(signingConfigFile)},
		{"SIGSTACK_TUF_MIRROR", s.TUFMirror},
		{"SIGSTACK_TUF_ROOT", filepath.Join(s.Dir, "tuf", tufRootFile)},
		{"SIGSTACK_PROXY", s.ProxyURL},
		{"SIGSTACK_CA", file(webCAFile)},
		{"SIGSTACK_FULCIO", s.Fulcio.URL()},
		{"SIGSTACK_REKOR", s.Rekor.URL()},
		{"SIGSTACK_TSA", s.TSA.URL() + timestampPath},
	}
}

// Write writes variables a line each, for env and for scripts, or as a shell's
// export commands.
func (v Variables) Write(w io.Writer, export bool) error {
	for _, one := range v {
		line := one.Name + "=" + one.Value
		if export {
			line = "export " + one.Name + "=" + quote(one.Value)
		}
		if _, err := fmt.Fprintln(w, line); err != nil {
			return err
		}
	}
	return nil
}

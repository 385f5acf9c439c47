package stack

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync/atomic"
)

// Proxy is a CONNECT proxy that leads the issuers' host names to our issuer, and
// api.github.com to our [Store], and nobody anywhere else. Fulcio, and a program under test, that are started with
// HTTPS_PROXY set to it and SSL_CERT_FILE to the stack's CA take tokens of the
// production issuers from us, without root and without /etc/hosts.
type Proxy struct {
	to      string          // address of the TLS listener for all of them
	hosts   map[string]bool // host:port that may be asked for
	refused atomic.Int64    // requests for any other
}

func newProxy(to string) *Proxy {
	return &Proxy{to: to, hosts: map[string]bool{host(GitHubIssuer) + ":443": true, host(GitLabIssuer) + ":443": true, host(githubAPI) + ":443": true}}
}

// ServeHTTP tunnels one connection.
func (p *Proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodConnect || !p.hosts[r.Host] {
		p.refused.Add(1)
		http.Error(w, fmt.Sprintf("sigstack: no way to %.100q", r.Host), http.StatusForbidden)
		return
	}
	if err := p.tunnel(w); err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
	}
}

// tunnel returns an error only while an answer can still be written.
func (p *Proxy) tunnel(w http.ResponseWriter) error {
	up, err := net.Dial("tcp", p.to)
	if err != nil {
		return err
	}
	defer up.Close()
	hijacker, ok := w.(http.Hijacker)
	if !ok {
		return errors.New("sigstack: CONNECT over HTTP/2")
	}
	down, buffered, err := hijacker.Hijack()
	if err != nil {
		return err
	}
	defer down.Close()
	if _, err := io.WriteString(down, "HTTP/1.1 200 OK\r\n\r\n"); err != nil {
		return nil
	}
	go func() {
		_, _ = io.Copy(up, buffered)
		up.Close() // ends the copy below, too
	}()
	_, _ = io.Copy(down, up)
	return nil
}

package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"syscall"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/mcp-integrity/seal-action/seal/strictjson"
	"github.com/mcp-integrity/seal-action/verify"
)

// maxAttestations bounds the bundles behind one build_attestation_uri: the
// attestation store gives thirty a page, and an artifact has a handful.
const maxAttestations = 30

// follow fetches what a manifest's build_attestation_uri leads to. The URL is the
// publisher's, so nothing on this machine or in a private network is asked.
func (i *invocation) follow(ctx context.Context, raw string) ([]byte, error) {
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" || u.Scheme != "https" || u.User != nil {
		return nil, fmt.Errorf("%w: build_attestation_uri %.200q: only https://HOST/PATH can be followed", verify.ErrUnavailable, publicURL(raw))
	}
	return i.get(ctx, guardedClient(), u, maxProvenanceFile)
}

// bundlesIn takes one bundle, JSON lines of them, or the attestation store's
// {"attestations":[{"bundle":…}]} apart.
func bundlesIn(data []byte) ([][]byte, error) {
	if err := countBundles(data); err != nil {
		return nil, err
	}
	var store struct {
		Attestations []struct {
			Bundle json.RawMessage `json:"bundle"`
		} `json:"attestations"`
	}
	if err := strictjson.UnmarshalOpen(data, &store); err == nil && store.Attestations != nil {
		var bundles [][]byte
		for n, a := range store.Attestations {
			if len(a.Bundle) == 0 || string(a.Bundle) == "null" {
				return nil, fmt.Errorf("%w: attestations[%d] has no bundle", verify.ErrUnavailable, n)
			}
			bundles = append(bundles, a.Bundle)
		}
		return bundles, nil
	}
	if strictjson.Check(data) == nil {
		return [][]byte{data}, nil
	}
	var lines [][]byte
	for line := range strings.Lines(string(data)) {
		if strings.TrimSpace(line) == "" {
			continue
		}
		if len(lines) == maxAttestations {
			return nil, errTooMany
		}
		lines = append(lines, []byte(line))
	}
	return lines, nil
}

var errTooMany = fmt.Errorf("more than %d attestations", maxAttestations)

// countBundles refuses a list of more attestations than are looked at, before
// anything is made of its entries.
func countBundles(data []byte) error {
	d := jsontext.NewDecoder(bytes.NewReader(data))
	for {
		token, err := d.ReadToken()
		if err != nil {
			return nil // whoever reads it in earnest says what is wrong with it
		}
		if name := token.Kind(); name != '"' || token.String() != "attestations" || d.StackDepth() != 1 || d.PeekKind() != '[' {
			continue
		}
		if _, err := d.ReadToken(); err != nil {
			return nil
		}
		for n := 0; d.PeekKind() != ']'; n++ {
			if n == maxAttestations {
				return errTooMany
			}
			if err := d.SkipValue(); err != nil {
				return nil
			}
		}
	}
}

// errPrivate says that a stranger's URL leads where only we can reach.
var errPrivate = errors.New("the address is not public, and a stranger's URL is not followed there")

// guardedClient is httpClient for URLs that a stranger wrote.
func guardedClient() *http.Client {
	client := httpClient()
	proxied := client.Transport.(*http.Transport)
	direct := proxied.Clone()
	direct.Proxy = nil
	dialer := &net.Dialer{Timeout: fetchTimeout, Control: func(_, address string, _ syscall.RawConn) error {
		return publicAddress(address)
	}}
	direct.DialContext = dialer.DialContext
	client.Transport = guard{direct: direct, proxied: proxied}
	client.CheckRedirect = func(req *http.Request, via []*http.Request) error {
		if req.URL.Scheme != "https" {
			return fmt.Errorf("a redirect to %s://%s is not followed", req.URL.Scheme, req.URL.Host)
		}
		return checkRedirect(req, via)
	}
	return client
}

// guard connects to public addresses only, whatever a name resolves to at that
// moment. Where the environment names a proxy for the host, the proxy resolves
// it, and reaches what it may; only what is plainly private is kept from it.
type guard struct{ direct, proxied http.RoundTripper }

func (g guard) RoundTrip(req *http.Request) (*http.Response, error) {
	proxy, err := http.ProxyFromEnvironment(req)
	if err != nil {
		return nil, err
	}
	if proxy == nil {
		return g.direct.RoundTrip(req)
	}
	if ip, err := netip.ParseAddr(req.URL.Hostname()); err == nil {
		if err := publicAddress(netip.AddrPortFrom(ip, 443).String()); err != nil {
			return nil, err
		}
	}
	return g.proxied.RoundTrip(req)
}

// publicAddress returns an error for an address that is not on the public
// internet: loopback, private, link-local (where clouds keep their credentials),
// shared, or multicast.
func publicAddress(address string) error {
	ap, err := netip.ParseAddrPort(address)
	if err != nil {
		return err
	}
	ip := ap.Addr().Unmap()
	if !ip.IsGlobalUnicast() || ip.IsPrivate() {
		return errPrivate
	}
	for _, p := range reserved {
		if p.Contains(ip) {
			return errPrivate
		}
	}
	return nil
}

// reserved are ranges that Go counts as global unicast, and that lead nowhere
// public (RFC 6598, 6890, 2544, and the mappings of IPv4 into IPv6).
var reserved = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"),
	netip.MustParsePrefix("100.64.0.0/10"),
	netip.MustParsePrefix("192.0.0.0/24"),
	netip.MustParsePrefix("198.18.0.0/15"),
	netip.MustParsePrefix("240.0.0.0/4"),
	netip.MustParsePrefix("64:ff9b::/96"),
	netip.MustParsePrefix("64:ff9b:1::/48"),
	netip.MustParsePrefix("2002::/16"),
}

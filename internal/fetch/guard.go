package fetch

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"syscall"
)

// ErrPrivate says that a stranger's URL leads where only we can reach.
var ErrPrivate = errors.New("the address is not public, and a stranger's URL is not followed there")

// Guarded is [Client] for URLs that a stranger wrote.
func Guarded() *http.Client {
	client := Client()
	proxied := client.Transport.(*http.Transport)
	direct := proxied.Clone()
	direct.Proxy = nil
	dialer := &net.Dialer{Timeout: timeout, Control: func(_, address string, _ syscall.RawConn) error {
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
		return ErrPrivate
	}
	for _, p := range reserved {
		if p.Contains(ip) {
			return ErrPrivate
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

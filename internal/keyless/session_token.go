package keyless

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/mcp-integrity/seal-action/seal/strictjson"
)

// Token asks the platform for an OpenID Connect identity token. It is asked
// again when the certificate authority refuses the one that it gave, which may
// have expired while the authority was out of order.
type Token func(ctx context.Context) (string, error)

const (
	// maxToken is some ten times GitHub's; HTTP servers take headers up to 8 to
	// 64 kB.
	maxToken = 64 << 10
	// secretRun is how many characters of a token in a row count as a part of
	// it: fewer carry under 100 bits of it, and any text has some.
	secretRun = 16
)

// claims are what a token says of itself. Nobody verified it: they serve to
// say why it will be refused, and nothing else.
type claims struct {
	issuer          string
	audience        []string
	begins, expires time.Time
}

// parseToken checks that token can be sent to a certificate authority. Its
// errors hold nothing of it.
func parseToken(token string) (claims, error) {
	var c claims
	switch {
	case token == "":
		return c, errors.New("the identity token is empty")
	case len(token) > maxToken:
		return c, fmt.Errorf("the identity token has %d bytes, at most %d", len(token), maxToken)
	}
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return c, fmt.Errorf("the identity token has %d parts, want the 3 of a JSON Web Token", len(parts))
	}
	var body []byte
	for n, part := range parts {
		decoded, err := base64.RawURLEncoding.Strict().DecodeString(part)
		// The decoder skips line ends, which end a header.
		if err != nil || strings.ContainsAny(part, "\r\n") {
			return c, fmt.Errorf("part %d of the identity token is no base64url", n+1)
		}
		if n == 1 {
			body = decoded
		}
	}
	var wire struct {
		Issuer   string         `json:"iss"`
		Subject  string         `json:"sub"`
		Email    string         `json:"email"`
		Audience jsontext.Value `json:"aud"`
		Begins   float64        `json:"nbf"`
		Expires  float64        `json:"exp"`
	}
	if err := strictjson.UnmarshalOpen(body, &wire); err != nil {
		return c, errors.New("the identity token's claims cannot be read")
	}
	if wire.Subject == "" && wire.Email == "" {
		return c, errors.New("the identity token names no subject")
	}
	c.issuer, c.begins, c.expires = wire.Issuer, unixTime(wire.Begins), unixTime(wire.Expires)
	var one string
	if strictjson.UnmarshalOpen(wire.Audience, &one) == nil {
		c.audience = []string{one}
	} else if strictjson.UnmarshalOpen(wire.Audience, &c.audience) != nil {
		c.audience = nil
	}
	return c, nil
}

// unixTime reads a NumericDate of RFC 7519; what is none is the zero time.
func unixTime(seconds float64) time.Time {
	if seconds <= 0 || seconds > 1<<40 {
		return time.Time{}
	}
	return time.Unix(int64(seconds), 0)
}

// defaultAudience is whom Sigstore's tokens are for.
const defaultAudience = "sigstore"

// hint says what is wrong with a token that was refused, or, where it looks
// well, whose it is.
func (c claims) hint(now time.Time) string {
	switch {
	case !c.expires.IsZero() && now.After(c.expires):
		return fmt.Sprintf("the identity token expired %v ago", now.Sub(c.expires).Round(time.Second))
	case !c.begins.IsZero() && now.Add(maxSkew).Before(c.begins):
		return fmt.Sprintf("the identity token is not valid for another %v", c.begins.Sub(now).Round(time.Second))
	case len(c.audience) > 0 && !slices.Contains(c.audience, defaultAudience):
		return fmt.Sprintf("the identity token is for the audience %.200q; Sigstore's own wants %q", strings.Join(c.audience, " "), defaultAudience)
	case c.issuer != "":
		return fmt.Sprintf("the identity token is by %.200q, not expired, and for %q: does this Fulcio know the issuer?", c.issuer, defaultAudience)
	}
	return ""
}

// secrets are the tokens that were in use, kept to keep them out of all texts:
// a service, or a proxy before it, may send back what it was sent.
type secrets struct{ runs map[string]bool }

func (s *secrets) add(token string) {
	if s.runs == nil {
		s.runs = make(map[string]bool, len(token))
	}
	for n := range max(0, len(token)-secretRun+1) {
		s.runs[token[n:n+secretRun]] = true
	}
}

// hide replaces each part of a token in text, however it was cut.
func (s *secrets) hide(text string) string {
	const mask = "[identity token]"
	if len(s.runs) == 0 {
		return text
	}
	var b strings.Builder
	kept := 0 // text[:kept] is written
	for n := 0; n+secretRun <= len(text); n++ {
		if !s.runs[text[n:n+secretRun]] {
			continue
		}
		end := n + secretRun
		for end < len(text) && s.runs[text[end-secretRun+1:end+1]] {
			end++
		}
		b.WriteString(text[kept:n])
		b.WriteString(mask)
		kept, n = end, end-1
	}
	return b.String() + text[kept:]
}

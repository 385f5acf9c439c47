package platform

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/mcp-integrity/seal-action/seal/strictjson"
)

// Bounds on tokens.
const (
	// maxToken bounds a JWT: GitHub's have 2 kB; GitLab's list up to 200 groups.
	maxToken = 64 << 10
	// leeway is how far our clock may be off: a hosted runner's is within a
	// second, and a token lives for some minutes.
	leeway = time.Minute
)

// claims are the members of a token's payload, unread. Issuers add members as
// they like.
type claims map[string]json.RawMessage

// parseClaims reads the payload of a JWT: strict JSON, an object.
func parseClaims(payload []byte) (claims, error) {
	if len(payload) > maxToken {
		return nil, fmt.Errorf("the claims have %d bytes, want at most %d", len(payload), maxToken)
	}
	var c claims
	if err := strictjson.UnmarshalOpen(payload, &c); err != nil {
		return nil, fmt.Errorf("the claims cannot be read: %w", plainly(err))
	}
	if c == nil {
		return nil, errors.New("the claims are null, want an object")
	}
	return c, nil
}

// look reads a token without verifying it: its claims serve to tell people
// early what a service would refuse later, and for nothing else. Only the
// compact form of a JWS is taken (RFC 7519 §3), of strict base64url. No error
// quotes any of it.
func look(token string) (claims, error) {
	if token == "" {
		return nil, errors.New("it is empty")
	}
	if len(token) > maxToken {
		return nil, fmt.Errorf("it has %d bytes, want at most %d", len(token), maxToken)
	}
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return nil, fmt.Errorf("it is no JWT: got %d parts, want 3", len(parts))
	}
	var decoded [3][]byte
	for n, part := range parts {
		var err error
		if decoded[n], err = base64.RawURLEncoding.Strict().DecodeString(part); err != nil || len(decoded[n]) == 0 || strings.ContainsAny(part, "\r\n") {
			return nil, fmt.Errorf("it is no JWT: part %d is no base64url", n+1)
		}
	}
	if _, err := parseClaims(decoded[0]); err != nil {
		return nil, errors.New("it is no JWT: its header is no strict JSON object")
	}
	c, err := parseClaims(decoded[1])
	if err != nil {
		return nil, errors.New("it is no JWT: its claims are no strict JSON object")
	}
	return c, nil
}

var (
	errAudience = errors.New("it is for another audience")
	errExpired  = errors.New("it has expired")
	errNotYet   = errors.New("it is not yet valid")
)

// audiences are the "aud" claim: a string or a list of them (RFC 7519 §4.1.3).
func (c claims) audiences() ([]string, error) {
	raw, ok := c["aud"]
	if !ok {
		return nil, errors.New(`it has no claim "aud"`)
	}
	var one string
	if err := strictjson.Decode(raw, &one); err == nil {
		return []string{one}, nil
	}
	var list []string
	if err := strictjson.Decode(raw, &list); err != nil || list == nil {
		return nil, errors.New(`claim "aud" is neither a string nor a list of strings`)
	}
	return list, nil
}

func (c claims) checkAudience(want string) error {
	got, err := c.audiences()
	if err != nil {
		return err
	}
	if !slices.Contains(got, want) {
		return fmt.Errorf("%w: got %.200q, want %q", errAudience, strings.Join(got, " "), want)
	}
	return nil
}

// checkTimes compares exp, nbf and iat (RFC 7519 §4.1.4 to 4.1.6) with now.
func (c claims) checkTimes(now time.Time) error {
	exp, err := c.date("exp")
	if err != nil {
		return err
	}
	if now.Add(-leeway).After(exp) {
		return fmt.Errorf("%w: its end was %s, and here it is %s", errExpired, stamp(exp), stamp(now))
	}
	for _, name := range [...]string{"nbf", "iat"} {
		if _, ok := c[name]; !ok {
			continue
		}
		from, err := c.date(name)
		if err != nil {
			return err
		}
		if now.Add(leeway).Before(from) {
			return fmt.Errorf("%w: %q is %s, and here it is %s", errNotYet, name, stamp(from), stamp(now))
		}
	}
	return nil
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// lastDate is the end of the year 9999: what is later is no date.
const lastDate = 253402300799

// date reads a NumericDate (RFC 7519 §2): seconds, perhaps with a fraction.
func (c claims) date(name string) (time.Time, error) {
	raw, ok := c[name]
	if !ok {
		return time.Time{}, fmt.Errorf("it has no claim %q", name)
	}
	seconds, err := strconv.ParseFloat(string(raw), 64)
	if err != nil || seconds < 0 || seconds > lastDate {
		return time.Time{}, fmt.Errorf("claim %q is %.40q, want seconds since 1970", name, string(raw))
	}
	return time.Unix(int64(seconds), 0), nil
}

// integer is a whole number as JSON writes it. GitLab's runner_id is one;
// every other identifier comes as a string.
var integer = regexp.MustCompile(`^(?:0|[1-9][0-9]{0,18})$`)

// scalar gives a claim that is a string, or a number that could be an
// identifier, as text.
func (c claims) scalar(name string) (string, error) {
	raw, ok := c[name]
	if !ok || string(raw) == "null" {
		return "", fmt.Errorf("it has no claim %q", name)
	}
	if integer.Match(raw) {
		return string(raw), nil
	}
	var text string
	if err := strictjson.Decode(raw, &text); err != nil {
		return "", fmt.Errorf("claim %q is %.40q, want a string or a whole number", name, string(raw))
	}
	return text, nil
}

// The forms of claims. What has one can stand in a URL and in a statement.
var (
	number      = regexp.MustCompile(`^[0-9]{1,19}$`)
	word        = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)
	fullRef     = regexp.MustCompile(`^refs/.+$`)
	shortRef    = regexp.MustCompile(`^.+$`)
	projectPath = regexp.MustCompile(`^[A-Za-z0-9_.-]+(?:/[A-Za-z0-9_.-]+)+$`)
	ownerPath   = regexp.MustCompile(`^[A-Za-z0-9_.-]+(?:/[A-Za-z0-9_.-]+)*$`)
	fileAtRef   = regexp.MustCompile(`^[A-Za-z0-9_.:-]+/.+@.+$`)
)

// claimReader takes claims that must be there, one after another, and keeps
// the first error.
type claimReader struct {
	claims
	err error
}

// need returns a claim of the given form.
func (r *claimReader) need(name string, form *regexp.Regexp) string {
	value, err := r.scalar(name)
	if err == nil && (!plain(value) || !form.MatchString(value)) {
		err = fmt.Errorf("claim %q is %.200q, want the form %s", name, value, form)
	}
	if r.err == nil {
		r.err = err
	}
	return value
}

package stack

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"math/big"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"
)

// The issuers' production URLs, which are what certificates name.
const (
	GitHubIssuer = "https://token.actions.githubusercontent.com"
	GitLabIssuer = "https://gitlab.com"
)

// discovery is where OpenID Connect Discovery 1.0 (4) puts an issuer's metadata.
const discovery = "/.well-known/openid-configuration"

// runnerPath is where our runner hands out tokens. GitHub's own is at an
// address of the run, too.
const runnerPath = "/github/idtoken"

// tokenLife is how long a token holds: as long as Fulcio's certificates.
const tokenLife = 10 * time.Minute

// host is the host of a URL that is a constant here.
func host(u string) string { return strings.TrimPrefix(u, "https://") }

// claims are those of a token, by their names.
type claims map[string]any

// Issuer signs tokens for both platforms and answers, as either issuer, who it
// is. Which one is decided by the host name that a caller asked for.
type Issuer struct {
	key     *rsa.PrivateKey
	strange *rsa.PrivateKey // not in the key set: for TokenForged

	mu   sync.Mutex
	jobs map[string]job // by request token
}

// job is one GitHub job that may ask for tokens.
type job struct {
	id     string
	claims claims
}

func newIssuer() (*Issuer, error) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return nil, err
	}
	strange, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return nil, err
	}
	return &Issuer{key: key, strange: strange, jobs: map[string]job{}}, nil
}

// ServeHTTP answers discovery and key set, for the host that was asked.
func (i *Issuer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	issuer := "https://" + r.Host
	switch r.URL.Path {
	case discovery:
		writeJSON(w, map[string]any{
			"issuer": issuer, "jwks_uri": issuer + "/jwks",
			"authorization_endpoint": issuer + "/auth", "token_endpoint": issuer + "/token",
			"response_types_supported": []string{"id_token"}, "subject_types_supported": []string{"public"},
			"id_token_signing_alg_values_supported": []string{"RS256"},
		})
	case "/jwks":
		writeJSON(w, map[string]any{"keys": []any{map[string]any{
			"kty": "RSA", "use": "sig", "alg": "RS256", "kid": "sigstack",
			"n": base64url(i.key.N.Bytes()), "e": base64url(big.NewInt(int64(i.key.E)).Bytes()),
		}}})
	default:
		http.NotFound(w, r)
	}
}

func base64url(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// TokenFault is what is wrong with a token. None is the empty string.
type TokenFault string

// Faults of tokens.
const (
	TokenExpired  TokenFault = "expired"  // an hour ago
	TokenEarly    TokenFault = "early"    // valid from an hour ahead, as by a clock that is wrong
	TokenAudience TokenFault = "audience" // for somebody else
	TokenIssuer   TokenFault = "issuer"   // of an issuer that nobody knows
	TokenForged   TokenFault = "forged"   // signed by a key that is not the issuer's
	TokenEmpty    TokenFault = "empty"    // no token at all, in an answer that succeeds
)

var tokenFaults = []TokenFault{TokenExpired, TokenEarly, TokenAudience, TokenIssuer, TokenForged, TokenEmpty}

// mint signs c with the issuer, times and serial number that a token has, and
// with what is asked to be wrong.
func (i *Issuer) mint(issuer, audience string, c claims, fault TokenFault) (string, error) {
	if fault == TokenEmpty {
		return "", nil
	}
	now, key := time.Now(), i.key
	switch fault {
	case TokenExpired:
		now = now.Add(-time.Hour)
	case TokenEarly:
		now = now.Add(time.Hour)
	case TokenAudience:
		audience = "https://audience.invalid"
	case TokenIssuer:
		issuer = "https://issuer.invalid"
	case TokenForged:
		key = i.strange
	}
	all := claims{
		"iss": issuer, "aud": audience, "jti": rand.Text(),
		"iat": now.Unix(), "nbf": now.Add(-time.Minute).Unix(), "exp": now.Add(tokenLife).Unix(),
	}
	maps.Copy(all, c)
	return sign(key, all)
}

// sign makes a JWT (RFC 7519) with RS256, as both platforms do.
func sign(key *rsa.PrivateKey, c claims) (string, error) {
	body, err := json.Marshal(c)
	if err != nil {
		return "", err
	}
	in := base64url([]byte(`{"alg":"RS256","kid":"sigstack","typ":"JWT"}`)) + "." + base64url(body)
	sum := sha256.Sum256([]byte(in))
	sig, err := rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, sum[:])
	if err != nil {
		return "", err
	}
	return in + "." + base64url(sig), nil
}

// admit lets a job ask for tokens, and returns what it finds in its environment:
// the path and query of the URL, and the token to ask with.
func (i *Issuer) admit(c claims) (path, requestToken string) {
	j := job{id: rand.Text(), claims: c}
	requestToken = rand.Text()
	i.mu.Lock()
	defer i.mu.Unlock()
	i.jobs[requestToken] = j
	return runnerPath + "/" + j.id + "?api-version=2.0", requestToken
}

// tokenFaultKey is the context's key of a TokenFault.
type tokenFaultKey struct{}

func withTokenFault(r *http.Request, fault TokenFault) *http.Request {
	return r.WithContext(context.WithValue(r.Context(), tokenFaultKey{}, fault))
}

// serveRunner is the runner's endpoint: GET with the job's bearer token gives
// {"count":…,"value":"<JWT>"}. The audience is the caller's to choose, and by
// default the URL of the repository's owner.
func (i *Issuer) serveRunner(w http.ResponseWriter, r *http.Request) {
	scheme, requestToken, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	i.mu.Lock()
	j, ok := i.jobs[requestToken]
	i.mu.Unlock()
	if !ok || !strings.EqualFold(scheme, "bearer") || r.URL.Path != runnerPath+"/"+j.id {
		http.Error(w, "sigstack: request token and URL are of no job", http.StatusUnauthorized)
		return
	}
	audience := r.URL.Query().Get("audience")
	if audience == "" {
		audience = fmt.Sprintf("https://github.com/%s", j.claims["repository_owner"])
	}
	fault, _ := r.Context().Value(tokenFaultKey{}).(TokenFault)
	token, err := i.mint(GitHubIssuer, audience, j.claims, fault)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	writeJSON(w, map[string]any{"count": len(token), "value": token})
}

// parseTokenFault reads a fault's name; nothing is none.
func parseTokenFault(s string) (TokenFault, error) {
	if s == "" {
		return "", nil
	}
	for _, f := range tokenFaults {
		if s == string(f) {
			return f, nil
		}
	}
	return "", fmt.Errorf("token fault %.100q, want one of %v", s, tokenFaults)
}

// lookup takes a parameter out of q, or returns fallback.
func lookup(q url.Values, name, fallback string) string {
	defer q.Del(name)
	if q.Has(name) {
		return q.Get(name)
	}
	return fallback
}

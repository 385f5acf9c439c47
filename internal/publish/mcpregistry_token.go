package publish

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/mcp-integrity/seal-action/seal/strictjson"
)

// maxRegistryToken is far above a registry's JWT, whose permissions are a line
// each.
const maxRegistryToken = 16 << 10

// login exchanges an identity token for the registry's own, at auth/<method>.
// Without one it asks for the anonymous token.
func (a *registryAPI) login(ctx context.Context, method, identity string) (string, error) {
	body := []byte("{}")
	if identity != "" {
		var err error
		if body, err = strictjson.Marshal(map[string]string{"oidc_token": identity}); err != nil {
			return "", errors.New("the identity token is no text")
		}
	}
	var answer struct {
		Token string `json:"registry_token"`
	}
	if err := a.exchange(ctx, call{url: a.at("auth", method), body: body, secret: identity}, &answer); err != nil {
		return "", err
	}
	return answer.Token, checkRegistryToken(answer.Token)
}

// checkRegistryToken refuses what cannot go into a header; the error does not
// show it.
func checkRegistryToken(token string) error {
	if token == "" || len(token) > maxRegistryToken || strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return fmt.Errorf("a token of %d bytes, want one line of 1 to %d printable ASCII characters", len(token), maxRegistryToken)
	}
	return nil
}

// grants are the names for which a registry's token lets its bearer publish, as
// its claims say, and when it ends. It is the registry that judges them: they
// serve to tell people early. False where the token is not of the form that the
// registry gives today.
func grants(token string) (patterns []string, ends time.Time, ok bool) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return nil, ends, false
	}
	data, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return nil, ends, false
	}
	var claims struct {
		Exp         int64 `json:"exp"`
		Permissions []struct {
			Action   string `json:"action"`
			Resource string `json:"resource"`
		} `json:"permissions"`
	}
	if strictjson.UnmarshalOpen(data, &claims) != nil || claims.Exp == 0 || claims.Permissions == nil {
		return nil, ends, false
	}
	for _, p := range claims.Permissions {
		if p.Action == "publish" {
			patterns = append(patterns, p.Resource)
		}
	}
	return patterns, time.Unix(claims.Exp, 0), true
}

// granted says whether a pattern of a token stands for a name, as the registry
// compares them.
func granted(patterns []string, name string) bool {
	for _, p := range patterns {
		prefix, wild := strings.CutSuffix(p, "*")
		if p == name || wild && strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return false
}

package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/mcp-integrity/seal-action/internal/fetch"
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
		return nil, fmt.Errorf("%w: build_attestation_uri %.200q: only https://HOST/PATH can be followed", verify.ErrUnavailable, fetch.PublicURL(raw))
	}
	return fetch.Get(ctx, fetch.Guarded(), u, maxProvenanceFile)
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

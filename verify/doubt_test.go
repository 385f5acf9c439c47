package verify_test

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/mcp-integrity/seal-action/internal/keys"
	"github.com/mcp-integrity/seal-action/internal/sealtest"
	"github.com/mcp-integrity/seal-action/seal"
)

// sibling is another server of the publisher, with the same tools.
func sibling(_ *testing.T, s *scene) { s.live.Server.Name = "acme-PAYMENTS" }

// TestMissingWhereItIsWrong: nobody is sent to make a check that was made.
func TestMissingWhereItIsWrong(t *testing.T) {
	s := newScene(t)
	s.live.Tools[0].Description = "another"
	for _, m := range s.run(t).Missing {
		if strings.Contains(m.Requirement, "matches the running server") {
			if !strings.Contains(m.Who, "whoever changed it") || strings.Contains(m.Who, "verify against") {
				t.Errorf("got %q", m.Who)
			}
			return
		}
	}
	t.Error("the requirement is not told")
}

// oneCertificate gives one of the keys a certificate.
type oneCertificate struct {
	seal.Keys
	keyID       string
	certificate seal.Certificate
}

func (o oneCertificate) Authenticate(ctx context.Context, s seal.Signature, message []byte) (seal.Authenticated, error) {
	a, err := o.Keys.Authenticate(ctx, s, message)
	if s.KeyID == o.keyID {
		a.Certificate = &o.certificate
	}
	return a, err
}

// TestOrderOfPublishers: a key that signs before a certificate does not keep that
// from being compared with the source that the manifest names.
func TestOrderOfPublishers(t *testing.T) {
	s := newScene(t)
	job := sealtest.Key(t, keys.ES256, "job")
	_, certificate := built()
	certificate.SourceRepositoryURI = "https://github.com/acme/another"
	s.v.Keys = oneCertificate{sealtest.Keys(s.key, job), "job", certificate}
	e := sealtest.Seal(t, s.manifest, s.key, job)
	for range 2 {
		slices.Reverse(e.Signatures)
		s.v.Server = *s.live
		r := s.v.Verify(t.Context(), sealtest.Marshal(t, e))
		if got := names(r.Errors); !slices.Equal(got, []string{"SOURCE_MISMATCH"}) {
			t.Errorf("%s first: got %q", e.Signatures[0].KeyID, got)
		}
	}
}

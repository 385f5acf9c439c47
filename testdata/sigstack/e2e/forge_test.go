package e2e

import (
	"encoding/json"
	"net/http"
	"os"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/sigstore/sigstore-go/pkg/bundle"
	"github.com/sigstore/sigstore-go/pkg/sign"
)

// forge signs what no honest program would, with all that is Sigstore's in
// order: any step of a job can.
func forge(ts *testscript.TestScript, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: forge STATEMENT BUNDLE")
	}
	key, err := sign.NewEphemeralKeypair(nil)
	ts.Check(err)
	made, err := sign.Bundle(
		&sign.DSSEData{Data: []byte(ts.ReadFile(args[0])), PayloadType: "application/vnd.in-toto+json"}, key,
		sign.BundleOptions{
			CertificateProvider:        sign.NewFulcio(&sign.FulcioOptions{BaseURL: ts.Getenv("SIGSTACK_FULCIO")}),
			CertificateProviderOptions: &sign.CertificateProviderOptions{IDToken: jobToken(ts)},
			TimestampAuthorities:       []*sign.TimestampAuthority{sign.NewTimestampAuthority(&sign.TimestampAuthorityOptions{URL: ts.Getenv("SIGSTACK_TSA")})},
			TransparencyLogs:           []sign.Transparency{sign.NewRekor(&sign.RekorOptions{BaseURL: ts.Getenv("SIGSTACK_REKOR"), Version: 2})},
		})
	ts.Check(err)
	whole, err := bundle.NewBundle(made)
	ts.Check(err)
	data, err := whole.MarshalJSON()
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), data, 0o644))
}

// jobToken asks for an identity token as a step of GitHub's does.
func jobToken(ts *testscript.TestScript) string {
	req, err := http.NewRequest(http.MethodGet, ts.Getenv("ACTIONS_ID_TOKEN_REQUEST_URL")+"&audience=sigstore", nil)
	ts.Check(err)
	req.Header.Set("Authorization", "bearer "+ts.Getenv("ACTIONS_ID_TOKEN_REQUEST_TOKEN"))
	resp, err := http.DefaultClient.Do(req)
	ts.Check(err)
	defer resp.Body.Close()
	var answer struct{ Value string }
	ts.Check(json.NewDecoder(resp.Body).Decode(&answer))
	if strings.Count(answer.Value, ".") != 2 {
		ts.Fatalf("no token")
	}
	return answer.Value
}

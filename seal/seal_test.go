package seal_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/go-digest"

	"github.com/mcp-integrity/seal-action/internal/keys"
	"github.com/mcp-integrity/seal-action/internal/sealtest"
	"github.com/mcp-integrity/seal-action/seal"
)

var options = seal.OpenOptions{Now: sealtest.Time.Add(time.Hour)}

func open(data []byte, k seal.Authenticator) (*seal.Opened, error) {
	e, err := seal.ParseEnvelope(data)
	if err != nil {
		return nil, err
	}
	return e.Open(context.Background(), k, options)
}

func TestSealAndOpen(t *testing.T) {
	for _, alg := range []keys.Algorithm{keys.Ed25519, keys.ES256} {
		key := sealtest.Key(t, alg, "acme-2026")
		m := sealtest.Manifest(t, sealtest.Tools(t, 3)...)
		data := sealtest.Marshal(t, sealtest.Seal(t, m, key))
		opened, err := open(data, sealtest.Keys(key))
		if err != nil {
			t.Fatalf("%s: %v", alg, err)
		}
		if diff := cmp.Diff(m, opened.Manifest); diff != "" {
			t.Errorf("%s: manifest (-sealed +opened):\n%s", alg, diff)
		}
		st := sealtest.Statement()
		want := []seal.Attestation{{KeyID: "acme-2026", Thumbprint: key.Public().Thumbprint, Role: seal.RolePublisher, Type: seal.TypeManifestSigned, Holder: "key " + key.Public().Thumbprint, Identity: "key " + key.Public().Thumbprint, Bound: true, Time: &st.Timestamp, Statement: &st}}
		if diff := cmp.Diff(want, opened.Attestations); diff != "" {
			t.Errorf("%s: attestations (-want +got):\n%s", alg, diff)
		}
		if opened.UnknownMember != "" {
			t.Errorf("%s: our own manifest has an unknown member", alg)
		}
	}
}

// TestPAE is the example of the DSSE protocol document.
func TestPAE(t *testing.T) {
	if got, want := string(seal.PAE("http://example.com/HelloWorld", []byte("hello world"))), "DSSEv1 29 http://example.com/HelloWorld 11 hello world"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestKeyIsFoundByItsIDAndProvedByTheSignature(t *testing.T) {
	key, other := sealtest.Key(t, keys.Ed25519, "a"), sealtest.Key(t, keys.Ed25519, "b")
	namesake := sealtest.Key(t, keys.Ed25519, "a")
	data := sealtest.Marshal(t, sealtest.Seal(t, sealtest.Manifest(t, sealtest.Tools(t, 1)...), key))
	for name, tt := range map[string]struct {
		keys seal.Keys
		want seal.Code
	}{
		"no key":            {seal.Keys{}, seal.CodeSignatureKeyNotFound},
		"another id":        {sealtest.Keys(other), seal.CodeSignatureKeyNotFound},
		"another key":       {sealtest.Keys(namesake), seal.CodeSignatureInvalid},
		"in no role":        {seal.Keys{Public: sealtest.Keys(key).Public}, seal.CodeNotCounted},
		"as a scanner only": {seal.Keys{Public: sealtest.Keys(key).Public, Roles: []seal.Role{seal.RoleScanner}}, seal.CodeNotCounted},
	} {
		_, err := open(data, tt.keys)
		if got := seal.CodeOf(err, 0); got != tt.want {
			t.Errorf("%s: got %v, want %s", name, err, tt.want.Name())
		}
	}
}

func TestParseManifestRefuses(t *testing.T) {
	good, err := seal.MarshalManifest(sealtest.Manifest(t, sealtest.Tools(t, 2)...))
	if err != nil {
		t.Fatal(err)
	}
	replace := func(old, new string) string {
		if !bytes.Contains(good, []byte(old)) {
			t.Fatalf("the manifest has no %s", old)
		}
		return strings.Replace(string(good), old, new, 1)
	}
	for name, tt := range map[string]struct {
		payload string
		want    seal.Code
	}{
		"white space":            {" " + string(good), seal.CodeManifestParse},
		"a line end":             {string(good) + "\n", seal.CodeManifestParse},
		"version 2.0":            {replace(`"seal_version":"1.0"`, `"seal_version":"2.0"`), seal.CodeManifestVersionUnsupported},
		"version a number":       {replace(`"seal_version":"1.0"`, `"seal_version":1`), seal.CodeManifestParse},
		"attestations inside":    {`{"attestations":[],` + string(good[1:]), seal.CodeManifestParse},
		"a tool twice":           {replace(`"tool1"`, `"tool0"`), seal.CodeManifestParse},
		"composite not of parts": {corruptDigest(string(good), "composite_digest"), seal.CodeManifestParse},
		"description digest":     {corruptDigest(string(good), "description_digest"), seal.CodeManifestParse},
		"upper-case digest":      {upperDigest(string(good)), seal.CodeManifestParse},
		"issued_at no time":      {replace(`"issued_at":"2026-02-20T15:00:00Z"`, `"issued_at":"yesterday"`), seal.CodeManifestParse},
		"egress, no endpoints":   {replace(`"network_egress":false`, `"network_egress":true`), seal.CodeManifestParse},
		"egress a string":        {replace(`"network_egress":false`, `"network_egress":"false"`), seal.CodeManifestParse},
		"source_repo no URI":     {replace(`"source_repo":"https://github.com/acme/file-tools"`, `"source_repo":"acme"`), seal.CodeManifestParse},
	} {
		_, err := seal.ParseManifest([]byte(tt.payload))
		if got := seal.CodeOf(err, 0); got != tt.want {
			t.Errorf("%s: got %v, want %s", name, err, tt.want.Name())
		}
	}
}

func corruptDigest(s, member string) string {
	at := strings.Index(s, `"`+member+`":"sha256:`) + len(member) + len(`"":"sha256:`)
	flip := byte('0')
	if s[at] == '0' {
		flip = '1'
	}
	return s[:at] + string(flip) + s[at+1:]
}

func upperDigest(s string) string {
	at := strings.Index(s, `"composite_digest":"sha256:`) + len(`"composite_digest":"sha256:`)
	return s[:at] + strings.ToUpper(s[at:at+64]) + s[at+64:]
}

func TestUnknownMembersAreNamedNotRefused(t *testing.T) {
	good, err := seal.MarshalManifest(sealtest.Manifest(t, sealtest.Tools(t, 1)...))
	if err != nil {
		t.Fatal(err)
	}
	payload := []byte(strings.Replace(string(good), `,"version":"1.2.4"}`, `,"version":"1.2.4","x-own":1}`, 1))
	key := sealtest.Key(t, keys.Ed25519, "k")
	e := seal.NewEnvelope(payload)
	if err := e.Attest(key, sealtest.Statement()); err != nil {
		t.Fatal(err)
	}
	opened, err := open(sealtest.Marshal(t, e), sealtest.Keys(key))
	if err != nil || opened.UnknownMember != "server.x-own" {
		t.Errorf("got %+v, %v; want it opened, and server.x-own named", opened, err)
	}
}

// TestEnvelopeBase64 is decision 5.
func TestEnvelopeBase64(t *testing.T) {
	// A payload whose base64 has characters in which the alphabets differ.
	key := sealtest.Key(t, keys.Ed25519, "k")
	m := sealtest.Manifest(t, sealtest.Tool(t, `{"name":"?>~?>~?>~","inputSchema":{}}`))
	m.Server.Name = "??>>~~??>>~~"
	e := sealtest.Seal(t, m, key)
	url := base64.RawURLEncoding.EncodeToString(e.Payload)
	std := base64.RawStdEncoding.EncodeToString(e.Payload)
	if url == std {
		t.Fatal("this payload does not tell the alphabets apart")
	}
	data := string(sealtest.Marshal(t, e))
	padding := strings.Repeat("=", (4-len(url)%4)%4)
	mixed := strings.Replace(strings.Replace(url, "-", "+", 1), "_", "/", 1)
	for name, tt := range map[string]struct {
		payload string
		ok      bool
	}{
		"url, unpadded":   {url, true},
		"url, padded":     {url + padding, true},
		"std, unpadded":   {std, true},
		"std, padded":     {std + padding, true},
		"both alphabets":  {mixed + "-_", false},
		"a line end":      {url[:40] + `\n` + url[40:], false},
		"a blank":         {url[:40] + " " + url[40:], false},
		"padding inside":  {url[:40] + "=" + url[40:], false},
		"too much padded": {url + padding + "====", false},
		"nothing":         {"", false},
	} {
		_, err := open([]byte(strings.Replace(data, url, tt.payload, 1)), sealtest.Keys(key))
		if (err == nil) != tt.ok {
			t.Errorf("%s: got %v, want ok %v", name, err, tt.ok)
		}
	}
}

func TestEnvelopeRefuses(t *testing.T) {
	key := sealtest.Key(t, keys.Ed25519, "k")
	e := sealtest.Seal(t, sealtest.Manifest(t, sealtest.Tools(t, 1)...), key)
	data := string(sealtest.Marshal(t, e))
	many := seal.NewEnvelope(e.Payload)
	for range seal.MaxSignatures + 1 {
		many.Signatures = append(many.Signatures, e.Signatures[0])
	}
	if _, err := many.Marshal(); err == nil {
		t.Errorf("an envelope of %d signatures was written", len(many.Signatures))
	}
	for name, bad := range map[string]string{
		"nothing":            "",
		"no JSON":            "mcp",
		"another type":       strings.Replace(data, "manifest+json", "other+json", 1),
		"type of other case": strings.Replace(data, `"payloadType"`, `"payloadtype"`, 1),
		"unknown member":     strings.Replace(data, `{`, `{"x":1,`, 1),
		"unknown label":      strings.Replace(data, `"role"`, `"x":1,"role"`, 1),
		"twice the payload":  strings.Replace(data, `"payload":`, `"payload":"e30","payload":`, 1),
		"unknown role":       strings.Replace(data, `"role": "publisher"`, `"role": "owner"`, 1),
		"no signatures":      `{"payloadType":"application/vnd.mcp-integrity.manifest+json","payload":"e30","signatures":[]}`,
		"text behind":        data + "{}",
		"details a list":     strings.Replace(data, `"details": {`, `"details": [], "x": {`, 1),
		"details null":       detailsOf(data, "null"),
		"details too long":   detailsOf(data, `{"a":"`+strings.Repeat("x", 1<<20)+`"}`),
		"many small values":  detailsOf(data, `{"a":[`+strings.Repeat("[],", 400_000)+`[]]}`),
		"a long keyid":       strings.Replace(data, `"role"`, `"role":[`+strings.Repeat("[],", 40_000)+`[]],"x"`, 1),
		"a signature null":   strings.Replace(data, `"signatures": [`, `"signatures": [null,`, 1),
	} {
		if bad == data {
			t.Fatalf("%s: nothing was changed", name)
		}
		if _, err := seal.ParseEnvelope([]byte(bad)); seal.CodeOf(err, 0) != seal.CodeManifestParse {
			t.Errorf("%s: got %v, want MANIFEST_PARSE_ERROR", name, err)
		}
	}
}

// detailsOf is the envelope with other details.
func detailsOf(data, details string) string {
	from := strings.Index(data, `"details": `) + len(`"details": `)
	to := strings.LastIndex(data, `"keyid": "k"`)
	return data[:from] + details + ",\n" + data[to:]
}

// TestModifiedSignature is MIS §27.2, third item.
func TestModifiedSignature(t *testing.T) {
	key := sealtest.Key(t, keys.Ed25519, "k")
	data := string(sealtest.Marshal(t, sealtest.Seal(t, sealtest.Manifest(t, sealtest.Tools(t, 1)...), key)))
	at := strings.LastIndex(data, `"sig": "`) + len(`"sig": "`)
	for _, c := range []string{"A", "_", "/", "=", "!", " "} {
		if data[at:at+1] == c {
			continue
		}
		_, err := open([]byte(data[:at]+c+data[at+1:]), sealtest.Keys(key))
		if seal.CodeOf(err, 0) != seal.CodeSignatureInvalid {
			t.Errorf("%q: got %v, want SIGNATURE_INVALID", c, err)
		}
	}
}

func TestLevels(t *testing.T) {
	full := sealtest.Manifest(t, sealtest.Tools(t, 1)...).Tools[0]
	publisher := seal.Attestation{Role: seal.RolePublisher, Type: seal.TypeManifestSigned}
	for name, tt := range map[string]struct {
		change func(*seal.Evidence)
		want   int
	}{
		"all of level 1":     {func(*seal.Evidence) {}, 1},
		"not in manifest":    {func(e *seal.Evidence) { e.Tool = nil }, 0},
		"no signature":       {func(e *seal.Evidence) { e.Standing = seal.Standing{} }, 0},
		"interface broken":   {func(e *seal.Evidence) { e.Interface = seal.Broken }, 0},
		"interface not seen": {func(e *seal.Evidence) { e.Interface = seal.NotMade }, 0},
		"no provenance":      {func(e *seal.Evidence) { e.Tool.Provenance = nil }, 0},
		"no repository":      {func(e *seal.Evidence) { e.Tool.Provenance.SourceRepo = "" }, 0},
		"no commit":          {func(e *seal.Evidence) { e.Tool.Provenance.Commit = "" }, 0},
	} {
		tool, prov := full, *full.Provenance
		tool.Provenance = &prov
		e := seal.Evidence{Tool: &tool, Standing: seal.StandingOf([]seal.Attestation{publisher}, nil), Interface: seal.Holds}
		tt.change(&e)
		if got := seal.Level(seal.Requirements(e)); got != tt.want {
			t.Errorf("%s: got level %d, want %d", name, got, tt.want)
		}
	}
}

func TestParsePolicy(t *testing.T) {
	for _, s := range []string{"report_only", "warn_below_level_0", "warn_below_level_3", "block_below_level_1"} {
		p, err := seal.ParsePolicy(s)
		if err != nil || p.String() != s {
			t.Errorf("%q: got %v, %v", s, p, err)
		}
	}
	for _, s := range []string{"", "block", "block_below_level_4", "block_below_level_", "block_below_level_01", "block_below_level_-1", "deny_below_level_1", "REPORT_ONLY", "report_only_below_level_1"} {
		if p, err := seal.ParsePolicy(s); err == nil {
			t.Errorf("%q: accepted as %v", s, p)
		}
	}
}

func TestSchemasAreTheStandardsOwnNames(t *testing.T) {
	for _, name := range []string{"sealed-manifest.json", "dsse-envelope.json"} {
		if !bytes.Contains(seal.Schemas()[name], []byte("https://mcp-integrity.org/schemas/v1/"+name)) {
			t.Errorf("%s: no $id of MIS §26", name)
		}
	}
}

func TestDigestOfPayloadNamesTheManifest(t *testing.T) {
	e := seal.NewEnvelope([]byte("x"))
	if got, want := e.PayloadDigest(digest.SHA256), digest.FromString("x"); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

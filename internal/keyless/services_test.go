package keyless

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var configTime = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// signingConfig has Rekor v1 and v2, an old and a coming service of each kind.
const signingConfig = `{"mediaType":"application/vnd.dev.sigstore.signingconfig.v0.2+json",
 "caUrls":[
  {"url":"https://old.fulcio.example","majorApiVersion":1,"validFor":{"start":"2020-01-01T00:00:00Z","end":"2024-01-01T00:00:00Z"},"operator":"example"},
  {"url":"https://fulcio.example/","majorApiVersion":1,"validFor":{"start":"2024-01-01T00:00:00Z"},"operator":"example"},
  {"url":"https://next.fulcio.example","majorApiVersion":1,"validFor":{"start":"2099-01-01T00:00:00Z"},"operator":"example"}],
 "oidcUrls":[{"url":"https://oauth2.example","majorApiVersion":1,"validFor":{"start":"2024-01-01T00:00:00Z"},"operator":"example"}],
 "rekorTlogUrls":[
  {"url":"https://rekor.example","majorApiVersion":1,"validFor":{"start":"2021-01-01T00:00:00Z"},"operator":"example"},
  {"url":"http://log2026.example:3003","majorApiVersion":2,"validFor":{"start":"2026-01-01T00:00:00Z"},"operator":"example"},
  {"url":"https://log2099.example","majorApiVersion":3,"validFor":{"start":"2026-01-01T00:00:00Z"},"operator":"example"}],
 "rekorTlogConfig":{"selector":"ANY"},
 "tsaUrls":[
  {"url":"https://tsa.example/api/v1/timestamp","majorApiVersion":1,"validFor":{"start":"2024-01-01T00:00:00Z"},"operator":"example"},
  {"url":"https://tsa.example.net/stamp","majorApiVersion":1,"validFor":{"start":"2024-01-01T00:00:00Z"},"operator":"example.net"}],
 "tsaConfig":{"selector":"EXACT","count":2}}`

func TestParseSigningConfig(t *testing.T) {
	got, err := ParseSigningConfig([]byte(signingConfig), configTime)
	if err != nil {
		t.Fatal(err)
	}
	if len(got.TSAs) == 2 && got.TSAs[0].Operator != "example" {
		got.TSAs[0], got.TSAs[1] = got.TSAs[1], got.TSAs[0] // chosen in any order
	}
	want := &Services{
		CA: Service{"Fulcio", "example", "https://fulcio.example", 1},
		TSAs: []Service{
			{"timestamp authority", "example", "https://tsa.example/api/v1/timestamp", 1},
			{"timestamp authority", "example.net", "https://tsa.example.net/stamp", 1},
		},
		Logs: []Service{{"Rekor", "example", "http://log2026.example:3003", 2}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestParseSigningConfigRefuses(t *testing.T) {
	change := func(old, new string) string {
		if !strings.Contains(signingConfig, old) {
			t.Fatalf("%q does not stand in the config", old)
		}
		return strings.Replace(signingConfig, old, new, 1)
	}
	service := `{"url":"https://a.example","majorApiVersion":1,"validFor":{"start":"2024-01-01T00:00:00Z"},"operator":"%d"},`
	var many strings.Builder
	for n := range maxServices {
		fmt.Fprintf(&many, service, n)
	}
	for name, c := range map[string]struct{ config, want string }{
		"nothing":                {"", "EOF"},
		"no JSON":                {"<html>", "signing config: "},
		"another type":           {change("signingconfig.v0.2", "trustedroot"), "mediaType: got"},
		"version 0.1":            {change("config.v0.2", "config.v0.1"), "cosign signing-config create"},
		"a later version":        {change("config.v0.2", "config.v0.3"), "mediaType: got"},
		"an unknown member":      {change(`"caUrls"`, `"surprise":1,"caUrls"`), "surprise"},
		"a member twice":         {change(`"caUrls"`, `"mediaType":"","caUrls"`), "mediaType"},
		"data behind":            {signingConfig + "{}", "signing config: "},
		"too large":              {signingConfig + strings.Repeat(" ", maxSigningConfig), "at most 262144"},
		"too many":               {change(`"tsaUrls":[`, `"tsaUrls":[`+many.String()), "at most 32"},
		"no CA":                  {change("caUrls", "oidcUrls"), "oidcUrls"},
		"no CA that is valid":    {change(`"start":"2024-01-01T00:00:00Z"},"operator":"example"},`, `"start":"2098-01-01T00:00:00Z"},"operator":"example"},`), "caUrls: none of 3"},
		"no log that we know":    {change(`"majorApiVersion":2`, `"majorApiVersion":4`) + "", ""},
		"more than there are":    {change(`"count":2`, `"count":3`), "tsaUrls: "},
		"no selector":            {change(`{"selector":"ANY"}`, `{}`), "rekorTlogUrls: "},
		"no word on the log":     {change(`"rekorTlogConfig":{"selector":"ANY"},`, ``), "rekorTlogUrls has no rekorTlogConfig"},
		"no word on the TSA":     {change(`"tsaConfig":{"selector":"EXACT","count":2}`, `"tsaConfig":null`), "tsaUrls has no tsaConfig"},
		"a file":                 {change("https://fulcio.example/", "file:///etc/passwd"), "want https:// or http://"},
		"no scheme":              {change("https://fulcio.example/", "fulcio.example"), "want https:// or http://"},
		"no host":                {change("https://fulcio.example/", "https:///x"), "names no host"},
		"only a port":            {change("https://fulcio.example/", "https://:443"), "names no host"},
		"no URL":                 {change("https://fulcio.example/", "https://%zz"), "cannot be read"},
		"a password":             {change("https://fulcio.example/", "https://u:hunter2@fulcio.example"), "want no user"},
		"a query":                {change("https://fulcio.example/", "https://fulcio.example?a=b"), "want no user, query"},
		"a fragment":             {change("https://fulcio.example/", "https://fulcio.example#a"), "want no user, query"},
		"a long URL":             {change("https://fulcio.example/", "https://fulcio.example/"+strings.Repeat("a", maxServiceURL)), "at most 1024"},
		"Rekor v2 without a TSA": {change(`"tsaUrls":[`, `"tsaUrls":[],"oidcUrls":[`), "oidcUrls"},
	} {
		got, err := ParseSigningConfig([]byte(c.config), configTime)
		if name == "no log that we know" {
			// There is still Rekor v1.
			if err != nil || got.Logs[0].Version != 1 {
				t.Errorf("%s: got %v, %v, want Rekor v1", name, got, err)
			}
			continue
		}
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want an error with %q", name, err, c.want)
			continue
		}
		if strings.Contains(err.Error(), "hunter2") || len(err.Error()) > 600 {
			t.Errorf("%s: the error tells too much: %v", name, err)
		}
	}
}

// What gives no time is refused, whoever made the set.
func TestServicesNeedATime(t *testing.T) {
	tsa, v1, v2 := Service{nameTSA, "", "https://t.example", 1}, Service{nameRekor, "", "https://l.example", 1}, Service{nameRekor, "", "https://m.example", 2}
	for name, c := range map[string]struct {
		tsas, logs []Service
		want       string
	}{
		"nothing":            {nil, nil, "neither a timestamp authority nor a log"},
		"Rekor v2 alone":     {nil, []Service{v2}, "gives no time"},
		"Rekor v1 and v2":    {nil, []Service{v1, v2}, "gives no time"},
		"Rekor v3":           {[]Service{tsa}, []Service{{nameRekor, "", "https://l.example", 3}}, "API version 3"},
		"Rekor v1 alone":     {nil, []Service{v1}, ""},
		"a TSA alone":        {[]Service{tsa}, nil, ""},
		"Rekor v2 and a TSA": {[]Service{tsa}, []Service{v2}, ""},
	} {
		err := (&Services{CA: Service{nameFulcio, "", "https://f.example", 1}, TSAs: c.tsas, Logs: c.logs}).check()
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: got %v, want %q", name, err, c.want)
		}
	}
}

func TestPublic(t *testing.T) {
	private := func(ca, log string) *Services {
		return &Services{CA: Service{nameFulcio, "", ca, 1}, Logs: []Service{{nameRekor, "", log, 1}}, TSAs: PublicGoodServices().TSAs}
	}
	for name, c := range map[string]struct {
		services *Services
		want     bool
	}{
		"public good":                 {PublicGoodServices(), true},
		"GitHub":                      {GitHubServices(), false},
		"public log, own CA":          {private("https://fulcio.example", "https://log2025-1.rekor.sigstore.dev"), true},
		"public CA, own log":          {private("https://fulcio.sigstore.dev", "https://rekor.example"), true},
		"staging":                     {private("https://fulcio.sigstage.dev", "https://rekor.sigstage.dev"), true},
		"in capitals":                 {private("https://FULCIO.SIGSTORE.DEV", "https://rekor.example"), true},
		"with a dot and a port":       {private("https://fulcio.sigstore.dev.:443", "https://rekor.example"), true},
		"only the time is the public": {private("https://fulcio.example", "https://rekor.example"), false},
		"a host that ends alike":      {private("https://fulcio.notsigstore.dev", "https://sigstore.dev.example"), false},
	} {
		if got := c.services.Public(); got != c.want {
			t.Errorf("%s: got %v, want %v", name, got, c.want)
		}
	}
}

func TestServiceNames(t *testing.T) {
	for want, s := range map[string]Service{
		"Rekor (rekor.sigstore.dev)":                            PublicGoodServices().Logs[0],
		"timestamp authority (timestamp.githubapp.com)":         GitHubServices().TSAs[0],
		`Fulcio of "local" (127.0.0.1:39169)`:                   {nameFulcio, "local", "http://127.0.0.1:39169", 1},
		`Fulcio of "a\u202eb\n" (fulcio.example)`:               {nameFulcio, "a\u202eb\n", "https://fulcio.example", 1},
		"Fulcio (fulcio.example)":                               {nameFulcio, "", "https://Fulcio.example", 1},
		`Rekor of "sigstore.dev" (rekor.sigstore.dev.evil.org)`: {nameRekor, "sigstore.dev", "https://rekor.sigstore.dev.evil.org", 1},
	} {
		if got := s.String(); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

func FuzzParseSigningConfig(f *testing.F) {
	f.Add([]byte(signingConfig))
	f.Add([]byte(`{"mediaType":"application/vnd.dev.sigstore.signingconfig.v0.2+json"}`))
	f.Add([]byte(`{"mediaType":"application/vnd.dev.sigstore.signingconfig.v0.1+json","caUrl":"https://fulcio.example"}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := ParseSigningConfig(data, configTime)
		if err != nil {
			return
		}
		if err := s.check(); err != nil {
			t.Errorf("what was read does not hold: %v", err)
		}
		for _, one := range s.all() {
			if one.Host() == "" || one.Version == 0 {
				t.Errorf("read %+v", one)
			}
		}
	})
}

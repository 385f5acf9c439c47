package seal_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mcp-integrity/seal-action/internal/sealtest"
	"github.com/mcp-integrity/seal-action/seal"
)

// word is an attestation on a day, by a holder whose one key has its name. On day
// 0 it has no time that anybody signed.
func word(holder string, role seal.Role, attestationType string, day int) seal.Attestation {
	a := seal.Attestation{Holder: holder, KeyID: holder, Thumbprint: holder, Role: role, Type: attestationType}
	if day > 0 {
		at := seal.NewTimestamp(sealtest.Time.AddDate(0, 0, day))
		a.Time, a.Bound = &at, true
	}
	return a
}

func scan(holder, attestationType string, day int) seal.Attestation {
	return word(holder, seal.RoleScanner, attestationType, day)
}

// TestStanding is decision 10d. Each word is written HOLDER TYPE@DAY.
func TestStanding(t *testing.T) {
	const verified, discrepancy, clean = "side_effects_verified", "side_effects_discrepancy_found", "malware_scan_clean"
	for name, tt := range map[string]struct {
		words, lapsed []seal.Attestation
		inFavour      string // by index
		against       string
	}{
		"nothing":                           {},
		"one in favour":                     {words: []seal.Attestation{scan("a", verified, 1)}, inFavour: "0"},
		"one against":                       {words: []seal.Attestation{scan("a", discrepancy, 1)}, against: "0"},
		"against, newer":                    {words: []seal.Attestation{scan("a", verified, 1), scan("a", discrepancy, 2)}, against: "1"},
		"against, newer, in another order":  {words: []seal.Attestation{scan("a", discrepancy, 2), scan("a", verified, 1)}, against: "0"},
		"against, older: taken back":        {words: []seal.Attestation{scan("a", discrepancy, 1), scan("a", verified, 2)}, inFavour: "1"},
		"against, at the same time":         {words: []seal.Attestation{scan("a", verified, 1), scan("a", discrepancy, 1)}, against: "1"},
		"against by another, older":         {words: []seal.Attestation{scan("a", discrepancy, 1), scan("b", verified, 2)}, inFavour: "1", against: "0"},
		"against by another, newer":         {words: []seal.Attestation{scan("a", discrepancy, 2), scan("b", verified, 1)}, inFavour: "1", against: "0"},
		"against without a time":            {words: []seal.Attestation{scan("a", discrepancy, 0), scan("a", verified, 9)}, against: "0"},
		"in favour without a time":          {words: []seal.Attestation{scan("a", discrepancy, 1), scan("a", verified, 0)}, against: "0"},
		"neither has a time":                {words: []seal.Attestation{scan("a", discrepancy, 0), scan("a", verified, 0)}, against: "0"},
		"another question, later":           {words: []seal.Attestation{scan("a", discrepancy, 1), scan("a", clean, 2)}, inFavour: "1", against: "0"},
		"another question, earlier":         {words: []seal.Attestation{scan("a", discrepancy, 2), scan("a", clean, 1)}, against: "0"},
		"another question, at one time":     {words: []seal.Attestation{scan("a", discrepancy, 1), scan("a", clean, 1)}, against: "0"},
		"found, taken back, and found":      {words: []seal.Attestation{scan("a", discrepancy, 1), scan("a", verified, 2), scan("a", discrepancy, 3)}, against: "2"},
		"found, found, and taken back":      {words: []seal.Attestation{scan("a", discrepancy, 1), scan("a", discrepancy, 2), scan("a", verified, 3)}, inFavour: "2"},
		"found by two, taken back by one":   {words: []seal.Attestation{scan("a", discrepancy, 1), scan("b", discrepancy, 1), scan("a", verified, 2)}, inFavour: "2", against: "1"},
		"one's own type":                    {words: []seal.Attestation{scan("a", "com.example.malware_found", 1), scan("a", "com.example.no_malware_found", 2)}, inFavour: "1"},
		"one's own type, another's name":    {words: []seal.Attestation{scan("a", "com.example.malware_found", 1), scan("a", "com.other.no_malware_found", 2)}, inFavour: "1", against: "0"},
		"one's own type, verified":          {words: []seal.Attestation{scan("a", "com.example.x_discrepancy_found", 1), scan("a", "com.example.x_verified", 2)}, inFavour: "1"},
		"one's own type, with hyphens":      {words: []seal.Attestation{scan("a", "com.example.malware-found", 1), scan("a", "com.example.no-malware-found", 2)}, inFavour: "1"},
		"one's own type, behind a dot":      {words: []seal.Attestation{scan("a", "com.example.scan.failed", 1), scan("a", "com.example.scan.passed", 2)}, inFavour: "1"},
		"one's own type, hyphens, passed":   {words: []seal.Attestation{scan("a", "com.example.deep-scan-failed", 1), scan("a", "com.example.deep-scan-passed", 2)}, inFavour: "1"},
		"another scan passed":               {words: []seal.Attestation{scan("a", "com.example.scan.failed", 1), scan("a", "com.example.build.passed", 2)}, inFavour: "1", against: "0"},
		"an audit that failed, then passed": {words: []seal.Attestation{word("a", seal.RoleAuditor, "security_audit_failed", 1), word("a", seal.RoleAuditor, "security_audit_passed", 2)}, inFavour: "1"},
		"an audit that passed, then failed": {words: []seal.Attestation{word("a", seal.RoleAuditor, "security_audit_failed", 2), word("a", seal.RoleAuditor, "security_audit_passed", 1)}, against: "0"},
		"a registry that takes back":        {words: []seal.Attestation{word("r", seal.RoleRegistry, "namespace_verified", 1), word("r", seal.RoleRegistry, "com.example.namespace_revoked", 2)}, against: "1"},
		"older than one that lapsed":        {words: []seal.Attestation{scan("a", verified, 1)}, lapsed: []seal.Attestation{scan("a", discrepancy, 2)}},
		"newer than one that lapsed":        {words: []seal.Attestation{scan("a", verified, 3)}, lapsed: []seal.Attestation{scan("a", discrepancy, 2)}, inFavour: "0"},
		"older than another's that lapsed":  {words: []seal.Attestation{scan("b", verified, 1)}, lapsed: []seal.Attestation{scan("a", discrepancy, 2)}, inFavour: "0"},
		"in favour lapsed: found again":     {words: []seal.Attestation{scan("a", discrepancy, 1)}, lapsed: []seal.Attestation{scan("a", verified, 2)}, against: "0"},
		"a publisher is not outlived":       {words: []seal.Attestation{word("a", seal.RolePublisher, "manifest_signed", 1), scan("a", discrepancy, 2)}, inFavour: "0", against: "1"},
	} {
		for i := range tt.words {
			tt.words[i].Index = i
		}
		s := seal.StandingOf(tt.words, tt.lapsed)
		if got := indexes(s.For); got != tt.inFavour {
			t.Errorf("%s: in favour: got %q, want %q", name, got, tt.inFavour)
		}
		if got := indexes(s.Against); got != tt.against {
			t.Errorf("%s: against: got %q, want %q", name, got, tt.against)
		}
		// Whoever has the envelope orders its signatures.
		turned := slices.Clone(tt.words)
		slices.Reverse(turned)
		back := seal.StandingOf(turned, tt.lapsed)
		if len(back.For) != len(s.For) || len(back.Against) != len(s.Against) {
			t.Errorf("%s: in the other order it comes to something else", name)
		}
	}
}

func indexes(all []seal.Attestation) string {
	var text []string
	for _, a := range all {
		text = append(text, string(rune('0'+a.Index)))
	}
	slices.Sort(text)
	return strings.Join(text, " ")
}

// TestHolders: a vote is a holder's, and a key's.
func TestHolders(t *testing.T) {
	const clean, verified = "malware_scan_clean", "side_effects_verified"
	key := func(a seal.Attestation, id, thumbprint string) seal.Attestation {
		a.KeyID, a.Thumbprint = id, thumbprint
		return a
	}
	job := func(holder, issuer, san string) seal.Attestation {
		a := key(scan(holder, clean, 1), san, san)
		a.Certificate = &seal.Certificate{Issuer: issuer, SAN: san}
		return a
	}
	const workflow = "https://github.com/scan/er/.github/workflows/scan.yml@refs/tags/"
	shared := func(holder, source string) seal.Attestation {
		a := job(holder, seal.GitHubIssuer, workflow+"v1")
		a.Certificate.SourceRepositoryURI = source
		return a
	}
	for name, tt := range map[string]struct {
		words       []seal.Attestation
		any, cleans int
	}{
		"none":                               {},
		"two holders":                        {[]seal.Attestation{scan("a", clean, 1), scan("b", verified, 1)}, 2, 1},
		"one holder, twice":                  {[]seal.Attestation{scan("a", clean, 1), scan("a", clean, 2)}, 1, 1},
		"one holder, two types":              {[]seal.Attestation{scan("a", clean, 1), scan("a", verified, 1)}, 1, 1},
		"one holder, two keys":               {[]seal.Attestation{key(scan("a", clean, 1), "k1", "t1"), key(scan("a", clean, 1), "k2", "t2")}, 1, 1},
		"one key under two kids":             {[]seal.Attestation{key(scan("a", clean, 1), "k1", "t1"), key(scan("b", clean, 1), "k2", "t1")}, 1, 1},
		"one name of two keys":               {[]seal.Attestation{key(scan("a", clean, 1), "k1", "t1"), key(scan("b", clean, 1), "k1", "t2")}, 2, 2},
		"an auditor is no scanner":           {[]seal.Attestation{scan("a", clean, 1), word("b", seal.RoleAuditor, clean, 1)}, 1, 1},
		"one workflow at two tags":           {[]seal.Attestation{job("a", seal.GitHubIssuer, workflow+"v1"), job("b", seal.GitHubIssuer, workflow+"v2")}, 1, 1},
		"one workflow of two issuers":        {[]seal.Attestation{job("a", seal.GitHubIssuer, workflow+"v1"), job("b", "https://evil.example", workflow+"v1")}, 2, 2},
		"two people of one name":             {[]seal.Attestation{job("a", "https://accounts.example", "kim@a.example"), job("b", "https://accounts.example", "kim@b.example")}, 2, 2},
		"one shared workflow of two sources": {[]seal.Attestation{shared("a", "https://github.com/a/a"), shared("b", "https://github.com/b/b")}, 2, 2},
		"one who speaks against":             {[]seal.Attestation{scan("a", clean, 1), scan("b", "malware_found", 1)}, 1, 1},
		"outlived by one's own finding":      {[]seal.Attestation{scan("a", clean, 1), scan("a", "malware_found", 2), scan("b", clean, 1)}, 1, 1},
	} {
		s := seal.StandingOf(tt.words, nil)
		if got := s.Holders(seal.RoleScanner, ""); got != tt.any {
			t.Errorf("%s: got %d scanners, want %d", name, got, tt.any)
		}
		if got := s.Holders(seal.RoleScanner, clean); got != tt.cleans {
			t.Errorf("%s: got %d scanners who say %s, want %d", name, got, clean, tt.cleans)
		}
	}
}

func TestIdentity(t *testing.T) {
	from := func(source, san string) seal.Authenticated {
		return seal.Authenticated{Certificate: &seal.Certificate{Issuer: seal.GitHubIssuer, SAN: san, SourceRepositoryURI: source}}
	}
	at := func(san string) seal.Authenticated {
		return seal.Authenticated{KeyID: "k", Thumbprint: "t", Certificate: &seal.Certificate{Issuer: "https://i.example", SAN: san}}
	}
	for name, tt := range map[string]struct {
		a, b seal.Authenticated
		same bool
	}{
		"a workflow at two refs":           {at("https://h/o/r/w.yml@refs/tags/v1"), at("https://h/o/r/w.yml@refs/heads/main"), true},
		"two workflows":                    {at("https://h/o/r/w.yml@refs/tags/v1"), at("https://h/o/r/x.yml@refs/tags/v1"), false},
		"two people of one name":           {at("kim@a.example"), at("kim@b.example"), false},
		"two people of one site":           {at("https://social.example/users/@bob"), at("https://social.example/users/@eve"), false},
		"two sources, one shared workflow": {from("https://h/a/a", "https://h/s/s/w.yml@refs/tags/v1"), from("https://h/b/b", "https://h/s/s/w.yml@refs/tags/v1"), false},
		"one source, one shared workflow":  {from("https://h/a/a", "https://h/s/s/w.yml@refs/tags/v1"), from("https://h/a/a", "https://h/s/s/w.yml@refs/tags/v2"), true},
		"a shared workflow at two commits": {from("https://h/a/a", "https://h/s/s/w.yml@"+strings.Repeat("a", 40)), from("https://h/a/a", "https://h/s/s/w.yml@"+strings.Repeat("b", 40)), true},
		"a key under two names":            {seal.Authenticated{KeyID: "a", Thumbprint: "t"}, seal.Authenticated{KeyID: "b", Thumbprint: "t"}, true},
		"two keys of one name":             {seal.Authenticated{KeyID: "a", Thumbprint: "t"}, seal.Authenticated{KeyID: "a", Thumbprint: "u"}, false},
		"a certificate and its key":        {at("https://h/o/r/w.yml"), seal.Authenticated{KeyID: "k", Thumbprint: "t"}, false},
		"a key named as a workflow":        {at("x"), seal.Authenticated{KeyID: "certificate https://i.example x"}, false},
		"a namesake of another time": {at("https://h/o/r/w.yml@refs/tags/v1"), func() seal.Authenticated {
			a := at("https://h/o/r/w.yml@refs/tags/v1")
			a.Time = time.Unix(9, 0)
			return a
		}(), true},
	} {
		if got := tt.a.Identity() == tt.b.Identity(); got != tt.same {
			t.Errorf("%s: got %q and %q, want the same: %v", name, tt.a.Identity(), tt.b.Identity(), tt.same)
		}
	}
}

package trust

import (
	"errors"
	"strings"
	"testing"

	"github.com/mcp-integrity/seal-action/internal/strictyaml"
)

// TestParseErrors: whatever is wrong has its line and column, and says what was
// wanted.
func TestParseErrors(t *testing.T) {
	const p = "publishers:\n  - namespace: com.example\n"
	for name, c := range map[string]struct{ in, want string }{
		"unknown section":              {"polcy: report_only\n", `1:1: polcy: unknown member, did you mean "policy"?`},
		"unknown policy":               {"policy: block_below_level_4\n", `1:9: policy: unknown value "block_below_level_4", want report_only, warn_below_level_N or block_below_level_N with N from 0 to 3`},
		"singular registry":            {"registry: []\n", `1:1: registry: unknown member, did you mean "registries"?`},
		"singular auditor":             {"auditor: []\n", `1:1: auditor: unknown member, did you mean "auditors"?`},
		"singular publisher":           {"publisher: []\n", `1:1: publisher: unknown member, did you mean "publishers"?`},
		"max_age without unit":         {"scanners:\n  max_age: 30\n  holders: []\n", `2:12: scanners.max_age: is the number 30, want a text with its unit: write 30d`},
		"max_age without unit, holder": {"scanners: [{name: a, key: k, max_age: 30}]\n", `1:39: scanners[0].max_age: is the number 30, want a text with its unit: write 30d`},
		"unknown in holder":            {"scanners:\n- {name: b, nam: a}\n", `2:13: scanners[0].nam: unknown member, did you mean "name"?`},
		"unknown in section":           {"scanners: {requir: 2, holders: []}\n", `1:12: scanners.requir: unknown member, did you mean "require"?`},
		"elsewhere":                    {"scanners:\n- {name: a, repository: a/b, key: k}\n", `2:13: scanners[0].repository: unknown member here, it belongs in identity`},
		"unknown in identity":          {p + "    identity: {repo: a/b}\n", `3:16: publishers[0].identity.repo: unknown member, want one of issuer, owner, ref, repository, self_hosted, subject, workflow`},
		"twice":                        {p + "    key: a\n    key: b\n", `4:5: publishers[0].key: stands a second time, the first is in line 3`},
		"merge":                        {"x: 1\n<<: 2\n", "2:1: a merge key (<<): every entry is written where it stands"},
		"anchor":                       {"policy: &a report_only\n", "1:9: an anchor (&): every value is written where it stands"},
		"no name":                      {"scanners:\n- key: k\n", "2:3: scanners[0]: lacks name"},
		"no namespace":                 {"publishers:\n- key: k\n", "2:3: publishers[0]: lacks namespace"},
		"no holders":                   {"scanners: {require: 2}\n", "1:11: scanners: lacks holders"},
		"holders a text":               {"scanners: a\n", `1:11: scanners: is the text "a", want a list or a mapping: write [a]`},
		"bad name":                     {"scanners: [{name: a/b, key: k}]\n", `1:19: scanners[0].name: is "a/b", want at most 64 letters, digits, dots, hyphens and underscores`},
		"name twice":                   {"scanners:\n- {name: a, key: k}\n- {name: a, key: l}\n", `3:10: scanners[1].name: "a" stands a second time, the first is in line 2: a holder is one vote`},

		"nobody":             {p, "2:5: publishers[0]: has no identity, key or jwks: no certificate proves this namespace; its keys may stand at https://example.com/.well-known/mcp-integrity-keys.json"},
		"nobody, upper case": {"publishers: [{namespace: io.github.Acme}]\n", "1:14: publishers[0]: has no identity, key or jwks: a certificate proves io.github.acme, in lower case"},
		"nobody, dot":        {"publishers: [{namespace: io.gitlab.a.b}]\n", "1:14: publishers[0]: has no identity, key or jwks: no certificate proves this namespace"},
		"nobody, holder":     {"auditors: [{name: a}]\n", "1:12: auditors[0]: has no identity, key or jwks: nothing says who this is"},
		"empty identity":     {p + "    identity: {}\n", "3:15: publishers[0].identity: names nobody: want a repository, an owner or a subject"},
		"two ways":           {p + "    key: a\n    jwks: b\n", "4:11: publishers[0]: has key and jwks, want one: alternatives are entries of their own"},
		"two ways, holder":   {"scanners: [{name: a, key: k, identity: {owner: a}}]\n", "1:27: scanners[0]: has identity and key, want one: another holder's is another entry"},
		"issuer alone":       {p + "    identity: {issuer: https://gitlab.com}\n", "3:15: publishers[0].identity: names nobody: want a repository, an owner or a subject"},
		"no issuer":          {p + "    identity: {subject: me@example.com}\n", "3:15: publishers[0].identity: lacks issuer: a name means nothing without who vouches for it"},
		"no issuer, host":    {p + "    identity: {repository: https://git.example/a/b}\n", "3:15: publishers[0].identity: lacks issuer: a name means nothing without who vouches for it"},
		"issuer, slash":      {p + "    identity: {issuer: https://gitlab.com/, owner: a}\n", `3:24: publishers[0].identity.issuer: is "https://gitlab.com/", did you mean "https://gitlab.com"?`},
		"issuer, host":       {p + "    identity: {issuer: https://github.com, owner: a}\n", `3:24: publishers[0].identity.issuer: is "https://github.com", did you mean "https://token.actions.githubusercontent.com"?`},
		"issuer, star":       {p + "    identity: {issuer: https://*, owner: a}\n", `3:24: publishers[0].identity.issuer: is "https://*", want it exactly`},
		"repository, star":   {p + "    identity: {repository: acme/*}\n", `3:28: publishers[0].identity.repository: is "acme/*", want OWNER/NAME or the repository's URL, exactly`},
		"repository, owner":  {p + "    identity: {repository: acme}\n", `3:28: publishers[0].identity.repository: is "acme", want OWNER/NAME or the repository's URL, exactly`},
		"repository, path":   {p + "    identity: {repository: a/b/c}\n", `3:28: publishers[0].identity.repository: is "a/b/c", want OWNER/NAME or the repository's URL, exactly`},
		"repository, dots":   {p + "    identity: {repository: https://gitlab.com/../a}\n", `3:28: publishers[0].identity.repository: is "https://gitlab.com/../a", want OWNER/NAME or the repository's URL, exactly`},
		"owner, path":        {p + "    identity: {owner: acme/x}\n", `3:23: publishers[0].identity.owner: is "acme/x", want a name or the owner's URL, exactly`},
		"workflow":           {p + "    identity: {owner: acme, workflow: release.yml}\n", `3:39: publishers[0].identity.workflow: is "release.yml", want its path in the repository, such as .github/workflows/release.yml, or OWNER/NAME/PATH of another`},
		"ref":                {p + "    identity: {owner: acme, ref: main}\n", `3:34: publishers[0].identity.ref: is "main", want a full ref, such as refs/heads/main or refs/tags/v*`},
		"two stars":          {p + "    identity: {owner: acme, ref: refs/**}\n", `3:34: publishers[0].identity.ref: is "refs/**", want a single *, which stands for a run of characters but /`},
		"subject, all":       {p + "    identity: {issuer: https://accounts.google.com, subject: '*'}\n", `3:62: publishers[0].identity.subject: is "*", want no * where it says whose it is: in a domain behind @, or in a name without one`},
		"subject, domain":    {p + "    identity: {issuer: https://accounts.google.com, subject: 'a@*.com'}\n", `3:62: publishers[0].identity.subject: is "a@*.com", want no * where it says whose it is: in a domain behind @, or in a name without one`},
		"subject, owner":     {p + "    identity: {subject: 'https://github.com/*/x/y@refs/tags/v1'}\n", `3:25: publishers[0].identity.subject: is "https://github.com/*/x/y@refs/tags/v1", want no * in its host and the first segment behind it: they say whose it is`},

		"other owner":  {"publishers:\n- namespace: io.github.acme\n  identity: {repository: acmee/x}\n", `3:26: publishers[0].identity.repository: is "https://github.com/acmee/x", and the namespace io.github.acme is of https://github.com/acme`},
		"other owner2": {"publishers:\n- namespace: io.github.acme\n  identity: {owner: evil}\n", `3:21: publishers[0].identity.owner: is "https://github.com/evil", and the namespace io.github.acme is of https://github.com/acme`},
		"other forge":  {"publishers:\n- namespace: io.github.acme\n  identity: {issuer: https://gitlab.com, repository: acme/x}\n", `3:22: publishers[0].identity.issuer: is "https://gitlab.com", and the namespace io.github.acme is of https://github.com/acme`},
		"other group":  {"publishers:\n- namespace: io.gitlab.acme\n  identity: {repository: https://gitlab.com/evil/acme/x}\n", `3:26: publishers[0].identity.repository: is "https://gitlab.com/evil/acme/x", and the namespace io.gitlab.acme is of https://gitlab.com/acme`},

		"namespace, star":      {"publishers: [{namespace: io.github.*, key: k}]\n", `1:26: publishers[0].namespace: is "io.github.*", want an exact reverse-domain name, such as io.github.acme`},
		"namespace, Cyrillic":  {"publishers: [{namespace: io.github.аcme, key: k}]\n", `1:26: publishers[0].namespace: is "io.github.аcme", want an exact reverse-domain name, such as io.github.acme`},
		"namespaces, all":      {"scanners: [{name: a, key: k, namespaces: ['*.*']}]\n", `1:43: scanners[0].namespaces[0]: is "*.*", want a name in which a single * stands within a part behind the first, such as io.github.*`},
		"namespaces, none":     {"scanners: [{name: a, key: k, namespaces: []}]\n", `1:42: scanners[0].namespaces: is empty; leave it out, or say something`},
		"type of another role": {"scanners: [{name: a, key: k, types: [namespace_verified]}]\n", `1:38: scanners[0].types[0]: attestation type of a scanner: got "namespace_verified", want one of no_prompt_injection_detected, side_effects_verified, malware_scan_clean, side_effects_discrepancy_found, or a word behind a reverse-domain name such as com.example.fuzzed`},
		"type, slip":           {"auditors: [{name: a, key: k, types: [code_review_pased]}]\n", `1:38: auditors[0].types[0]: attestation type of a auditor: got "code_review_pased", want one of code_review_passed, security_audit_passed, side_effects_discrepancy_found, or a word behind a reverse-domain name such as com.example.fuzzed; did you mean "code_review_passed"?`},
		"no types":             {"auditors: [{name: a, key: k, types: []}]\n", `1:37: auditors[0].types: is empty; leave it out, or say something`},
		"require too many":     {"scanners:\n  require: 3\n  holders: [{name: a, key: k}, {name: b, key: l}]\n", "2:12: scanners.require: is 3, and there are 2 holders: it could never be met"},
		"require none":         {"scanners: {require: 0, holders: []}\n", "1:21: scanners.require: is the number 0, want 1 at least"},
		"require half":         {"scanners: {require: 1.5, holders: []}\n", "1:21: scanners.require: is the number 1.5, want a whole number"},
		"require octal":        {"scanners: {require: 02, holders: []}\n", "1:21: scanners.require: is the number 02, want a whole number"},
		"max_age":              {"scanners:\n  max_age: 30 days\n  holders: []\n", `2:12: scanners.max_age: is "30 days", want an age such as 30d or 12h`},
		"max_age, holder":      {"scanners: [{name: a, key: k, max_age: -1h}]\n", `1:39: scanners[0].max_age: is "-1h", want an age such as 30d or 12h`},
		"max_age, too long":    {"scanners: [{name: a, key: k, max_age: 36501d}]\n", `1:39: scanners[0].max_age: is "36501d", want an age such as 30d or 12h`},
		"key a URL":            {p + "    key: https://a.example/k\n", "3:10: publishers[0].key: is a URL, want a file; a key document at a URL is a jwks"},
		"jwks by http":         {p + "    jwks: http://a.example/k\n", `3:11: publishers[0].jwks: is "http://a.example/k", want https: whoever is on the way could put in keys`},
		"jwks by ftp":          {p + "    jwks: ftp://a.example/k\n", `3:11: publishers[0].jwks: is "ftp://a.example/k", want https: whoever is on the way could put in keys`},
		"jwks with a user":     {p + "    jwks: https://a:b@a.example/k\n", "3:11: publishers[0].jwks: has a user in it: a key document is public"},
		"empty rule":           {"rules: ['']\n", "1:9: rules[0]: is empty; leave it out, or say something"},
		"rule twice":           {"rules: [a, a]\n", `1:12: rules[1]: "a" stands a second time`},
		"long text":            {p + "    key: " + strings.Repeat("k", 501) + "\n", "3:10: publishers[0].key: has 501 characters, want at most 500"},
		"many holders":         {"scanners: [" + strings.Repeat("{name: a, key: k},", 101) + "]\n", "1:11: scanners: 101 elements, want at most 100"},

		"identity in two roles": {"registries: [{name: r, identity: {repository: a/b}}]\nscanners: [{name: s, identity: {repository: A/b}}]\n",
			`2:32: scanners[0]: one certificate could be that of the scanner "s" (line 2) and of the registry "r" (line 1), and counts in one role and as one holder only: tell them apart by repository or workflow (at another ref it is the same one)`},
		"identity of the publisher": {"publishers: [{namespace: io.github.a}]\nregistries: [{name: r, identity: {repository: a/b}}]\n",
			`2:34: registries[0]: one certificate could be that of the registry "r" (line 2) and of the publisher "io.github.a" (line 1), and counts in one role and as one holder only: tell them apart by repository or workflow (at another ref it is the same one)`},
		"two votes": {"scanners:\n- {name: a, identity: {repository: a/b, workflow: .github/workflows/s*.yml}}\n- {name: b, identity: {repository: a/b, workflow: a/b/.github/workflows/*n.yml}}\n",
			`3:23: scanners[1]: one certificate could be that of the scanner "b" (line 3) and of the scanner "a" (line 2), and counts in one role and as one holder only: tell them apart by repository or workflow (at another ref it is the same one)`},
		"two votes by refs": {"scanners:\n- {name: a, identity: {repository: a/b, ref: refs/tags/*}}\n- {name: b, identity: {repository: a/b, ref: refs/heads/main}}\n",
			`3:23: scanners[1]: one certificate could be that of the scanner "b" (line 3) and of the scanner "a" (line 2), and counts in one role and as one holder only: tell them apart by repository or workflow (at another ref it is the same one)`},
		"two votes by a workflow's refs": {"scanners:\n- {name: a, identity: {owner: a, workflow: a/b/.github/workflows/x.yml@refs/tags/v1}}\n- {name: b, identity: {owner: a, workflow: a/b/.github/workflows/x.yml@refs/heads/x}}\n",
			`3:23: scanners[1]: one certificate could be that of the scanner "b" (line 3) and of the scanner "a" (line 2), and counts in one role and as one holder only: tell them apart by repository or workflow (at another ref it is the same one)`},
		"two votes by subjects' refs": {"scanners:\n- {name: a, identity: {subject: 'https://gitlab.com/a/b//x@refs/heads/main'}}\n- {name: b, identity: {subject: 'https://gitlab.com/a/b//x@refs/tags/v1'}}\n",
			`3:23: scanners[1]: one certificate could be that of the scanner "b" (line 3) and of the scanner "a" (line 2), and counts in one role and as one holder only: tell them apart by repository or workflow (at another ref it is the same one)`},
		"two votes of Alice": {"scanners:\n- {name: a, identity: {issuer: https://i.example, subject: alice@x.com}}\n- {name: b, identity: {issuer: https://i.example, subject: Alice@X.com}}\n",
			`3:23: scanners[1]: one certificate could be that of the scanner "b" (line 3) and of the scanner "a" (line 2), and counts in one role and as one holder only: tell them apart by repository or workflow (at another ref it is the same one)`},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Parse([]byte(c.in))
			var first *strictyaml.Error
			if !errors.As(err, &first) {
				t.Fatalf("got %v, want %s", err, c.want)
			}
			if got := strings.TrimPrefix(first.Error(), Filename+":"); got != c.want {
				t.Errorf("got\n%s\nwant\n%s", got, c.want)
			}
		})
	}
}

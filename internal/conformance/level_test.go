package conformance

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/google/go-cmp/cmp"

	"github.com/mcp-integrity/seal-action/seal"
	"github.com/mcp-integrity/seal-action/seal/fingerprint"
	"github.com/mcp-integrity/seal-action/verify"
)

// levels is what must come out of a level vector. What is nil is not
// prescribed.
type levels struct {
	TrustLevel     *int            `json:"trust_level"`
	SealedLevel    *int            `json:"sealed_level"`
	InterfaceMatch map[string]bool `json:"interface_match"`
	Errors         []string        `json:"errors"`
	Advisories     []string        `json:"advisories"`
}

// wantLevel compares a verdict with what a level vector prescribes.
func (v vector) wantLevel(r *verify.Result) error {
	var want levels
	if err := v.outputs(&want); err != nil {
		return err
	}
	wrong := []error{
		differs("outcome", string(r.Outcome), v.Expect),
		differs("observed", r.Observed, v.observedOr(r)),
		differs("errors", family(errorNames(r)), family(want.Errors)),
	}
	if want.TrustLevel != nil {
		wrong = append(wrong, differs("trust_level", r.TrustLevel, *want.TrustLevel))
	}
	if want.SealedLevel != nil {
		wrong = append(wrong, differs("sealed_level", r.SealedLevel, *want.SealedLevel))
	}
	if want.InterfaceMatch != nil {
		got := map[string]bool{}
		for _, t := range r.Results {
			if t.InterfaceMatch != nil {
				got[t.ToolName] = *t.InterfaceMatch
			}
		}
		wrong = append(wrong, differs("interface_match", got, want.InterfaceMatch))
	}
	for _, name := range want.Advisories {
		if got := advisoryNames(r); !slices.Contains(got, name) {
			wrong = append(wrong, fmt.Errorf("advisories %q, want %q", got, name))
		}
	}
	return errors.Join(wrong...)
}

// observedOr is what was to be observed: nothing, where the signatures
// themselves are wrong.
func (v vector) observedOr(r *verify.Result) verify.Observed {
	if len(r.Errors) > 0 && len(r.Results) == 0 {
		return verify.Nothing
	}
	return verify.Observed(v.Observed)
}

func differs(what string, got, want any) error {
	if diff := cmp.Diff(want, got); diff != "" {
		return fmt.Errorf("%s: got %v, want %v", what, got, want)
	}
	return nil
}

// family is a set of names, without INTERFACE_MISMATCH where a name beside it
// says which component changed.
func family(all []string) []string {
	changed := func(name string) bool {
		return strings.HasPrefix(name, "INTERFACE_") && strings.HasSuffix(name, "_CHANGED")
	}
	set := []string{}
	for _, name := range all {
		if name != seal.CodeInterfaceMismatch.Name() || !slices.ContainsFunc(all, changed) {
			set = append(set, name)
		}
	}
	slices.Sort(set)
	return slices.Compact(set)
}

func observed(what verify.Observed) func(vector) bool {
	return func(v vector) bool { return v.Observed == string(what) }
}

// verifyLevel runs verify over a level vector with the options that say what
// is observed.
func (d *desk) verifyLevel(v vector, observe ...string) error {
	run := d.command(append([]string{
		"verify", d.file("envelope.json", v.bytes()), "--jwks", d.file("jwks.json", v.JWKS),
		"--namespace", v.Namespace, "--policy", v.Policy, "--format", "json",
	}, observe...)...)
	result, err := run.result()
	if err != nil {
		return err
	}
	return errors.Join(v.wantLevel(result), run.exits(exitCode(result.Outcome)))
}

// toolsOf are the tools that a level vector's server lists, each on one line.
func toolsOf(v vector) [][]byte {
	var tools [][]byte
	for _, t := range v.Tools {
		tools = append(tools, []byte(strings.ReplaceAll(string(t), "\n", " ")))
	}
	return tools
}

// snapshotOf is a level vector's list of tools as a snapshot.
func snapshotOf(v vector) ([]byte, error) {
	s := fingerprint.Snapshot{
		Server:     fingerprint.ServerInfo{Name: v.Server.Name, Version: v.Server.Version},
		Conditions: fingerprint.Conditions{ProtocolVersion: "2025-11-25", Network: true},
	}
	for _, raw := range v.Tools {
		s.Tools = append(s.Tools, fingerprint.Tool{Raw: raw})
	}
	return s.Marshal()
}

var levelEntries = []entry{
	{"Verifier", nil, func(d *desk, v vector) error {
		public, err := publisherKeys(v.JWKS)
		if err != nil {
			return err
		}
		verifier := d.verifier(public)
		verifier.Namespace = v.Namespace
		if verifier.Policy, err = seal.ParsePolicy(v.Policy); err != nil {
			return err
		}
		if v.Observed != string(verify.Nothing) {
			verifier.Server = observing(func() (verify.Observation, error) {
				tools, err := fingerprint.ParseTools(v.Tools)
				return verify.Observation{
					Observed: verify.Observed(v.Observed), Tools: tools,
					Server: fingerprint.ServerInfo{Name: v.Server.Name, Version: v.Server.Version},
				}, err
			})
		}
		return v.wantLevel(verifier.Verify(d.Context(), v.bytes()))
	}},
	{"verify", observed(verify.Nothing), func(d *desk, v vector) error { return d.verifyLevel(v) }},
	{"verify --interface", observed(verify.Snapshot), func(d *desk, v vector) error {
		data, err := snapshotOf(v)
		if err != nil {
			return err
		}
		return d.verifyLevel(v, "--interface", d.file("snapshot.json", data))
	}},
	{"verify --server-url", observed(verify.Live), func(d *desk, v vector) error {
		return d.verifyLevel(v, "--server-url", d.overHTTP(lists(v.Server, v.Tools...)))
	}},
	{"verify -- COMMAND", observed(verify.Live), func(d *desk, v vector) error {
		command, env := d.overStdio(lists(v.Server, toolsOf(v)...))
		var observe []string
		for _, e := range env {
			observe = append(observe, "--env", e)
		}
		return d.verifyLevel(v, append(append(observe, "--"), command...)...)
	}},
}

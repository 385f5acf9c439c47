package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/mcp-integrity/seal-action/internal/scan"
	"github.com/mcp-integrity/seal-action/seal"
	"github.com/mcp-integrity/seal-action/seal/strictjson"
)

const (
	// maxReport bounds a scanner's report: those of large images take some MB.
	maxReport = 64 << 20
	// maxSignedFindings bounds the findings in a statement, which stands in every copy of
	// the manifest.
	maxSignedFindings = 32 << 10
)

// findingName is the KEY of --finding.
var findingName = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_.-]{0,63}$`)

// findings are those of --from and --finding, as one JSON object; nil where there
// are none. A report that does not bear out what is attested is an error.
func (r *attestRun) findings() ([]byte, error) {
	all := map[string]jsontext.Value{}
	if path := r.str("from"); path != "" {
		if err := r.fromReport(path, all); err != nil {
			return nil, err
		}
	}
	for _, f := range r.list("finding") {
		name, text, ok := strings.Cut(f, "=")
		if !ok || !findingName.MatchString(name) {
			return nil, usagef("--finding: got %.100q, want KEY=VALUE, where KEY is letters, digits, _, . and -, at most 64", f)
		}
		if _, ok := all[name]; ok {
			return nil, usagef("--finding %s stands twice, or is a member of the report's findings", name)
		}
		value, err := strictjson.Marshal(text)
		if err != nil {
			return nil, usagef("--finding %s: %w", name, err)
		}
		all[name] = value
	}
	if len(all) == 0 {
		return nil, nil
	}
	data, err := strictjson.Marshal(all)
	if err != nil {
		return nil, failsf("findings: %w", err)
	}
	if len(data) > maxSignedFindings {
		return nil, failsf("findings of %d bytes, want at most %d", len(data), maxSignedFindings)
	}
	return data, nil
}

// fromReport reads a scanner's report, and holds what is attested against it: a
// report that found something, or did not look, never becomes a clean word.
func (r *attestRun) fromReport(path string, into map[string]jsontext.Value) error {
	data, err := readFile(path, maxReport)
	if err != nil {
		return err
	}
	rep, err := scan.Read(data)
	if err != nil {
		return failsf("--from %s: %w", path, err)
	}
	if err := rep.Supports(r.statement.Type); err != nil {
		return failsf("%s is not attested from %s: %w", r.statement.Type, path, err)
	}
	clean := rep.Clean()
	switch negative := seal.Negative(r.statement.Type); {
	case !negative && clean != nil:
		return failsf("%s is not attested from %s: %w", r.statement.Type, path, clean)
	case negative && clean == nil:
		return failsf("%s is not attested from %s: the report found nothing", r.statement.Type, path)
	case negative && rep.Verdict() != scan.Failing:
		return failsf("%s is not attested from %s: %w", r.statement.Type, path, clean)
	}
	if err := r.about(rep); err != nil {
		return err
	}
	findings, err := rep.Findings()
	if err == nil {
		err = json.Unmarshal(findings, &into)
	}
	if err != nil {
		return failsf("--from %s: %w", path, err)
	}
	return nil
}

// about holds what a report looked at against what the manifest names. Scanners
// name images by digests of their own, which a registry's is none of.
func (r *attestRun) about(rep scan.Report) error {
	var digests []string
	image := false
	for _, t := range r.manifest.Tools {
		if a := t.Artifact; a != nil {
			digests = append(digests, a.Digest.String())
			image = image || a.Type == seal.Docker
		}
	}
	switch n := rep.Names(digests...); {
	case n == scan.Named:
		return nil
	case n == scan.Contradicted && !image:
		return failsf("%s is not attested from %s: the report is about something else: it names %s, and none of the manifest's artifacts", r.statement.Type, r.str("from"), targetsOf(rep))
	default:
		r.warn("--from %s does not say that it looked at what this manifest seals: it names %s", r.str("from"), targetsOf(rep))
	}
	return nil
}

func targetsOf(rep scan.Report) string {
	var names []string
	for _, t := range rep.Targets {
		names = append(names, fmt.Sprintf("%.100q", strings.TrimSpace(t.Name+" "+t.Digest)))
	}
	if len(names) == 0 {
		return "nothing"
	}
	return someNames(names)
}

// attestReport is what attest says in JSON.
type attestReport struct {
	SchemaVersion string             `json:"schema_version"`
	Outcome       seal.Outcome       `json:"outcome"`
	Manifest      string             `json:"manifest"`
	PayloadDigest string             `json:"payload_digest"`
	Role          seal.Role          `json:"role"`
	Type          string             `json:"attestation_type"`
	Timestamp     seal.Timestamp     `json:"timestamp"`
	ExpiresAt     *seal.Timestamp    `json:"expires_at"`
	Findings      jsontext.Value     `json:"findings,omitzero"`
	Signers       []attestor         `json:"signers"`
	Replaced      int                `json:"replaced"`
	Signatures    int                `json:"signatures"`
	Publisher     *verifiedPublisher `json:"publisher"`
	Warnings      []string           `json:"warnings"`
}

// attestor is who signed, and how a consumer trusts it.
type attestor struct {
	KeyID       string            `json:"keyid"`
	Thumbprint  string            `json:"key_thumbprint,omitzero"`
	Certificate *seal.Certificate `json:"certificate,omitempty"`
	// Trust is the entry of a trust file that expects this attestor.
	Trust string `json:"trust"`
}

// verifiedPublisher is the publisher whose signature was verified before.
type verifiedPublisher struct {
	Namespace string `json:"namespace"`
	KeyID     string `json:"keyid"`
}

func (r *attestRun) report() error {
	rep := attestReport{
		SchemaVersion: "1.0", Outcome: seal.Pass, Manifest: r.output(), PayloadDigest: string(r.payload()),
		Role: r.statement.Role, Type: r.statement.Type, Timestamp: r.statement.Timestamp, ExpiresAt: r.statement.ExpiresAt,
		Findings: r.statement.Findings, Replaced: len(r.replaced), Signatures: len(r.envelope.Signatures), Warnings: orEmpty(r.warnings),
	}
	for _, own := range r.own {
		rep.Signers = append(rep.Signers, attestor{own.KeyID, own.Thumbprint, own.Certificate, r.trustEntry(own)})
	}
	if r.publisher != nil {
		p := r.publisher.Publisher
		rep.Publisher = &verifiedPublisher{p.Namespace, p.KeyID}
	}
	data, err := renderAttest(r.str("format"), rep)
	if err != nil {
		return undecidedf("%w", err)
	}
	if r.output() == "-" && r.str("output-file") == "-" {
		return nil // the manifest is what standard output is for
	}
	return r.print(r.str("output-file"), data)
}

func orEmpty(texts []string) []string { return append([]string{}, texts...) }

// trustEntry is how a trust file expects this attestor.
func (r *attestRun) trustEntry(a seal.Authenticated) string {
	who := map[string]any{"key": "./" + string(r.statement.Role) + ".pub.json"}
	if c := a.Certificate; c != nil {
		id := map[string]string{"issuer": c.Issuer}
		if c.SourceRepositoryURI != "" {
			id["repository"] = strings.TrimPrefix(c.SourceRepositoryURI, "https://github.com/")
			if w := workflowOf(*c); w != "" {
				id["workflow"] = w
			}
			if !platformHosts(*c) {
				id["self_hosted"] = "true"
			}
			if strings.HasPrefix(c.SourceRef, "refs/tags/") {
				id["ref"] = "refs/tags/*"
			} else if c.SourceRef != "" {
				id["ref"] = c.SourceRef
			}
		} else {
			id["subject"] = c.SAN
		}
		who = map[string]any{"identity": id}
	}
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(who)) {
		text := fmt.Sprint(who[name])
		if id, ok := who[name].(map[string]string); ok {
			var members []string
			for _, k := range slices.Sorted(maps.Keys(id)) {
				value := fmt.Sprintf("%q", id[k])
				if k == "self_hosted" {
					value = id[k]
				}
				members = append(members, k+": "+value)
			}
			text = "{" + strings.Join(members, ", ") + "}"
		}
		parts = append(parts, name+": "+text)
	}
	list := map[seal.Role]string{seal.RoleRegistry: "registries", seal.RoleScanner: "scanners", seal.RoleAuditor: "auditors", seal.RolePublisher: "publishers"}[r.statement.Role]
	if r.statement.Role == seal.RolePublisher {
		return fmt.Sprintf("%s: [{namespace: NAMESPACE, %s}]", list, strings.Join(parts, ", "))
	}
	return fmt.Sprintf("%s: [{name: NAME, %s, types: [%s]}]", list, strings.Join(parts, ", "), r.statement.Type)
}

func renderAttest(format string, rep attestReport) ([]byte, error) {
	if format == "json" {
		return renderJSON(rep)
	}
	p := &page{}
	p.line("attested   %s: %s %s", rep.Manifest, string(rep.Role), rep.Type)
	p.line("payload    %s, unchanged; %s", rep.PayloadDigest, counted(rep.Signatures, "signature"))
	for _, s := range rep.Signers {
		p.line("signed by  %s", strings.TrimPrefix(signerWords(s.KeyID, s.Certificate), "signed by "))
	}
	if rep.Replaced > 0 {
		p.line("replaced   %d of your own on the same question", rep.Replaced)
	}
	if rep.Publisher != nil {
		p.line("publisher  %s, verified first", rep.Publisher.Namespace)
	}
	if len(rep.Findings) > 0 {
		p.line("findings   %s", string(rep.Findings))
	}
	if rep.ExpiresAt != nil {
		p.line("expires    %s", rep.ExpiresAt.Format("2006-01-02T15:04:05Z07:00"))
	}
	for _, s := range rep.Signers {
		p.line("to trust   %s", s.Trust)
		if s.Certificate == nil {
			p.line("           where mcp-integrity jwks YOUR-KEY.json --output %s.pub.json wrote the key", string(rep.Role))
		}
	}
	return bytes.Clone(p.Bytes()), nil
}

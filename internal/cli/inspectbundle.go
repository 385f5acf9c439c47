package cli

import (
	"encoding/json"

	"github.com/mcp-integrity/seal-action/internal/keyless"
	"github.com/mcp-integrity/seal-action/provenance"
	"github.com/mcp-integrity/seal-action/seal"
	"github.com/mcp-integrity/seal-action/verify"
)

// bundleInspection is what inspect prints of a Sigstore bundle, as JSON.
type bundleInspection struct {
	SchemaVersion string           `json:"schema_version"`
	Verified      bool             `json:"verified"` // always false
	Certificate   seal.Certificate `json:"certificate"`
	Statement     json.RawMessage  `json:"statement"`
}

// inspectBundle prints what a Sigstore bundle says of itself.
func (i *invocation) inspectBundle(data []byte) error {
	claim, err := keyless.ClaimOf(data)
	if err != nil {
		return undecidedf("%s: %w", i.args[0], err)
	}
	switch part := i.str("extract"); part {
	case "":
	case "statement", "payload":
		return i.print(i.str("output"), claim.Statement)
	case "bundle":
		return i.print(i.str("output"), data)
	default:
		return usagef("--extract %s: %s is a Sigstore bundle, whose signature other tools take as it stands in it", part, i.args[0])
	}
	i.warn("nothing here is verified: this is what the file says, whoever wrote it")
	if i.str("format") == "json" {
		out, err := renderJSON(bundleInspection{SchemaVersion: verify.SchemaVersion, Certificate: claim.Certificate, Statement: claim.Statement})
		if err != nil {
			return undecidedf("%w", err)
		}
		return i.print(i.str("output"), out)
	}
	p := &page{}
	p.line("UNVERIFIED: what the file says of itself")
	p.line("signer     %s", claim.Certificate.SAN)
	p.line("issuer     %s", claim.Certificate.Issuer)
	p.line("source     %s at %s", orNone(claim.Certificate.SourceRepositoryURI), orNone(claim.Certificate.SourceCommit))
	p.line("run        %s on %s", orNone(claim.Certificate.RunInvocationURI), orNone(claim.Certificate.RunnerEnvironment))
	if s, err := provenance.Parse(claim.Statement); err == nil {
		p.line("predicate  %s", s.PredicateType)
		p.line("builder    %s", orNone(s.BuilderID()))
		for _, sub := range s.Subjects {
			for alg, hex := range sub.Digest {
				p.line("subject    %s %s", sub.Name, alg+":"+hex)
			}
		}
	}
	return i.print(i.str("output"), p.Bytes())
}

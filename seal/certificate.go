package seal

// Certificate is what a verified Fulcio certificate says about the job that
// held its key. The members are Fulcio's extensions 1.3.6.1.4.1.57264.1.N,
// under the names of its oid-info page; one that the certificate does not have
// is "". It says nothing before the chain, the log and the time were verified.
type Certificate struct {
	// Issuer (1.8, else 1.1) is the OpenID Connect issuer of the identity.
	Issuer string `json:"issuer"`
	// SAN is the subject alternative name: the URI of the workflow whose job
	// signed, or an e-mail address.
	SAN string `json:"san"`

	BuildSignerURI      string `json:"build_signer_uri,omitzero"`                   // 1.9
	BuildSignerDigest   string `json:"build_signer_digest,omitzero"`                // 1.10
	RunnerEnvironment   string `json:"runner_environment,omitzero"`                 // 1.11
	SourceRepositoryURI string `json:"source_repository_uri,omitzero"`              // 1.12
	SourceCommit        string `json:"source_repository_digest,omitzero"`           // 1.13
	SourceRef           string `json:"source_repository_ref,omitzero"`              // 1.14
	SourceRepositoryID  string `json:"source_repository_identifier,omitzero"`       // 1.15
	SourceOwnerURI      string `json:"source_repository_owner_uri,omitzero"`        // 1.16
	SourceOwnerID       string `json:"source_repository_owner_identifier,omitzero"` // 1.17
	BuildConfigURI      string `json:"build_config_uri,omitzero"`                   // 1.18
	BuildConfigDigest   string `json:"build_config_digest,omitzero"`                // 1.19
	BuildTrigger        string `json:"build_trigger,omitzero"`                      // 1.20
	RunInvocationURI    string `json:"run_invocation_uri,omitzero"`                 // 1.21
	Visibility          string `json:"source_repository_visibility,omitzero"`       // 1.22
}

// The issuers whose certificates prove a namespace (decision 12).
const (
	GitHubIssuer = "https://token.actions.githubusercontent.com"
	GitLabIssuer = "https://gitlab.com"
)

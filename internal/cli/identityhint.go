package cli

import (
	"fmt"
	"path"
	"strings"

	"github.com/mcp-integrity/seal-action/seal"
)

// identityHint is what may be wrong with the options, where an IDENTITY_MISMATCH
// says that they expect somebody else; "" where nothing looks wrong with them.
// The message holds a stranger's words, who would like to be let in: what counts
// is its end, which is ours, and the form of the options.
func (i *invocation) identityHint(message string) string {
	ends := func(want string) bool {
		return want != "" && strings.HasSuffix(message, fmt.Sprintf("want %q", want))
	}
	id, _, err := i.expectedIdentity()
	if err != nil {
		return ""
	}
	switch {
	case ends("github-hosted or gitlab-hosted"):
		return "--allow-self-hosted accepts a runner that the publisher operates, if you know that it does; its builds have SLSA Build level 1"
	case ends(id.Workflow):
		return workflowHint(id)
	case ends(id.Ref):
		return refHint(id.Ref)
	case ends(id.Issuer) && i.str("repo") != "" && !isURL(i.str("repo")):
		return "--repo OWNER/NAME is a repository on GitHub; on GitLab it is --repo https://gitlab.com/" + strings.Trim(i.str("repo"), "/")
	}
	return namespaceHint(i.str("namespace"), message)
}

// workflowHint names the forms of --workflow.
func workflowHint(id seal.Identity) string {
	switch file, _, pinned := strings.Cut(id.Workflow, "@"); {
	case !strings.Contains(file, "/") && id.Issuer == seal.GitHubIssuer:
		return "--workflow is a path in the repository: --workflow " + shellWords(path.Join(".github/workflows", id.Workflow))
	case !pinned && strings.Count(file, "/") > 2:
		return "a workflow of another repository is named with the ref at which it is used: --workflow OWNER/NAME/.github/workflows/seal.yml@refs/tags/v1"
	}
	return ""
}

// refHint names the form of --ref.
func refHint(ref string) string {
	switch {
	case !strings.HasPrefix(ref, "refs/"):
		return fmt.Sprintf("--ref is a full ref: --ref %s for a tag, --ref %s for a branch", shellWords("refs/tags/"+ref), shellWords("refs/heads/"+ref))
	case strings.Contains(ref, "*"):
		return "a * stands for characters within one segment, not for a slash: refs/tags/* is v1.2.4, and refs/tags/tools/* is tools/v1.2.4"
	}
	return ""
}

// namespaceHint names the namespaces that a certificate proves (decision 12).
func namespaceHint(namespace, message string) string {
	if _, err := seal.NamespaceIdentity(namespace); namespace == "" || err == nil {
		return ""
	}
	switch forge := strings.HasPrefix(namespace, "io.github.") || strings.HasPrefix(namespace, "io.gitlab."); {
	case forge || !strings.Contains(namespace, "."):
		return "a forge's namespace is io.github.OWNER or io.gitlab.TOP-LEVEL-GROUP, in lower case"
	case strings.HasSuffix(message, "proves that this is who is expected"):
		return "no certificate proves the namespace " + shellWords(namespace) + ": name its signer beside it, by --repo, --identity or --key"
	}
	return ""
}

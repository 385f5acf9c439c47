package rules

import "testing"

// TestStaleManifest: MIS has no greatest age of a manifest; a verifier that wants
// one says so by a rule. The scene's was issued nine days ago.
func TestStaleManifest(t *testing.T) {
	checkRule(t, "now - manifest.issued_at <= duration('216h')", known(), fine)
	checkRule(t, "now - manifest.issued_at <= duration('215h')", known(), notBroken)
}

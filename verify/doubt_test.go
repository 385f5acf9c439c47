package verify_test

import (
	"strings"
	"testing"
)

// sibling is another server of the publisher, with the same tools.
func sibling(_ *testing.T, s *scene) { s.live.Server.Name = "acme-PAYMENTS" }

// TestMissingWhereItIsWrong: nobody is sent to make a check that was made.
func TestMissingWhereItIsWrong(t *testing.T) {
	s := newScene(t)
	s.live.Tools[0].Description = "another"
	for _, m := range s.run(t).Missing {
		if strings.Contains(m.Requirement, "matches the running server") {
			if !strings.Contains(m.Who, "whoever changed it") || strings.Contains(m.Who, "verify against") {
				t.Errorf("got %q", m.Who)
			}
			return
		}
	}
	t.Error("the requirement is not told")
}

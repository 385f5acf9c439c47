//go:build !unix

package hostile

const (
	sleeperName   = "sleeper"
	respawnerName = "respawner"
	jumperName    = "jumper"
)

// Without sessions and signals these are polite.

func daemon(p *peer) int      { return script{}.run(p) }
func leavesGroup(p *peer) int { return script{}.run(p) }
func survivor(p *peer) int    { return script{end: sleep}.run(p) }
func parricide(p *peer) int   { return script{}.run(p) }
func jailer(p *peer) int      { return script{}.run(p) }
func onTerm(p *peer) int      { return script{end: sleep}.run(p) }
func hopper(p *peer) int      { return script{}.run(p) }
func jumper(*peer) int        { return 0 }
func respawner(*peer) int     { return 0 }

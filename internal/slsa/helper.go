package slsa

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/slsa-framework/slsa-verifier/v2/verifiers/utils"

	"github.com/mcp-integrity/seal-action/seal/strictjson"
)

// program is the name of slsa-verifier's program.
const program = "mcp-integrity-slsa"

// Bounds on the program.
const (
	// runTime ends a run that the program did not end itself, after 90 s.
	runTime = 100 * time.Second
	// killTime is for its pipes to close after it was killed.
	killTime = 2 * time.Second
	// maxAnswer is for its answer: the largest statement as base64, and the rest.
	maxAnswer = maxProvenance/3*4 + 64<<10
	// maxTalk is how much of its standard error is kept for an error of ours.
	maxTalk = 1 << 10
)

// A Helper asks slsa-verifier, by running its program.
type Helper struct {
	// Offline makes every check but a VSA's count as not made, at once: the
	// program has no way to verify without TUF.
	Offline bool

	path string
}

// Find finds the program beside the executable of this process, and nowhere
// else: what a package's scripts put into PATH could bring a verifier of its
// own. It fails with a [*NotMadeError].
func Find() (Helper, error) {
	own, err := os.Executable()
	if err != nil {
		return Helper{}, notMade(ReasonMissing, "where %s stands is not known, and %s stands beside it: %w", "mcp-integrity", program, err)
	}
	return find(own)
}

func find(own string) (Helper, error) {
	if real, err := filepath.EvalSymlinks(own); err == nil {
		own = real
	}
	name := program
	if runtime.GOOS == "windows" {
		name += ".exe"
	}
	file := filepath.Join(filepath.Dir(own), name)
	if info, err := os.Stat(file); err == nil && filepath.IsAbs(file) && executable(info) {
		return Helper{path: file}, nil
	}
	return Helper{}, notMade(ReasonMissing, "%s is not beside mcp-integrity", program)
}

// executable leaves the last word to the system; Windows has no such bits.
func executable(info fs.FileInfo) bool {
	return info.Mode().IsRegular() && (runtime.GOOS == "windows" || info.Mode()&0o111 != 0)
}

// Check asks slsa-verifier. The error is a [*Refusal] where it says no, and a
// [*NotMadeError] where there is no verdict.
func (h Helper) Check(ctx context.Context, r Request) (Verified, error) {
	if h.path == "" {
		return Verified{}, notMade(ReasonMissing, "there is no %s", program)
	}
	if h.Offline && r.Kind != KindVSA {
		return Verified{}, notMade(ReasonOffline, "%s cannot verify offline", program)
	}
	if n := len(r.Provenance); n > maxProvenance {
		return Verified{}, notMade(ReasonBroken, "provenance of %d bytes, want %d at most", n, maxProvenance)
	}
	sent, err := r.marshal()
	if err != nil {
		return Verified{}, notMade(ReasonBroken, "%w", err)
	}
	home, err := os.MkdirTemp("", "slsa-")
	if err != nil {
		return Verified{}, notMade(ReasonBroken, "temporary home: %w", err)
	}
	defer os.RemoveAll(home)
	received, exit, err := h.run(ctx, home, sent)
	if err != nil {
		return Verified{}, err
	}
	return r.read(sent, received, exit)
}

// run runs the program in home, and returns what it wrote and its exit code, of
// those that come with an answer.
func (h Helper) run(ctx context.Context, home string, sent []byte) ([]byte, int, error) {
	ctx, cancel := context.WithTimeout(ctx, runTime)
	defer cancel()
	out := &bounded{limit: maxAnswer, full: cancel}
	talk := &bounded{limit: maxTalk}
	cmd := exec.CommandContext(ctx, h.path)
	cmd.Dir, cmd.Env = home, environment(home, os.Environ())
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(sent), out, talk
	cmd.WaitDelay = killTime
	err := cmd.Run()
	switch code := cmd.ProcessState.ExitCode(); {
	case out.over:
		return nil, 0, notMade(ReasonBroken, "%s wrote more than %d bytes", program, maxAnswer)
	case ctx.Err() != nil:
		return nil, 0, notMade(ReasonTimeout, "%s was ended: %w", program, ctx.Err())
	case err == nil || code == exitUndecided:
		return out.buf.Bytes(), code, nil
	default:
		return nil, 0, notMade(ReasonBroken, "%s: %w: %q", program, err, strings.TrimSpace(talk.buf.String()))
	}
}

// passed are the variables that the program needs to reach the network, and
// Windows to start it at all. Nothing else of ours reaches it: tokens do not, nor
// does what relaxes slsa-verifier.
var passed = []string{"HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR", "SYSTEMROOT"}

// environment is what the program gets. Its home holds TUF's cache for the run.
func environment(home string, ours []string) []string {
	env := []string{"HOME=" + home, "USERPROFILE=" + home, "TMPDIR=" + home, "TMP=" + home, "TEMP=" + home}
	for _, e := range ours {
		// Proxies are named in either case, and Windows writes SystemRoot.
		name, _, _ := strings.Cut(e, "=")
		if slices.ContainsFunc(passed, func(p string) bool { return strings.EqualFold(p, name) }) {
			env = append(env, e)
		}
	}
	return env
}

// bounded keeps up to limit bytes. More end the program, or are dropped. The
// buffer is a member, not embedded: io.Copy would fill it by its ReadFrom.
type bounded struct {
	buf   bytes.Buffer
	limit int
	over  bool
	full  func()
}

var errFull = errors.New("too much output")

func (b *bounded) Write(p []byte) (int, error) {
	room := max(b.limit-b.buf.Len(), 0)
	if len(p) <= room {
		return b.buf.Write(p)
	}
	b.over = true
	b.buf.Write(p[:room]) // never fails
	if b.full == nil {
		return len(p), nil
	}
	b.full()
	return room, errFull
}

// holds checks what can be checked of a pass without believing the program.
func (r Request) holds(a answer) error {
	if !r.contains(a.Statement) {
		return errors.New("its statement is not in the provenance that it was asked about")
	}
	var s statement
	if err := strictjson.UnmarshalOpen(a.Statement, &s); err != nil {
		return fmt.Errorf("statement: %w", err)
	}
	algorithm, value := hexOf(r.Digest)
	if !slices.ContainsFunc(s.Subject, func(sub subject) bool { return sub.Digest[algorithm] == value && value != "" }) {
		return fmt.Errorf("its statement does not name %.150q", r.Digest)
	}
	if r.Kind == KindVSA {
		return nil
	}
	id, err := utils.TrustedBuilderIDNew(a.BuilderID, false)
	if err == nil && r.BuilderID != "" {
		err = id.MatchesLoose(r.BuilderID, true)
	}
	if err == nil && a.BuilderID == "" {
		err = errors.New("empty")
	}
	if err != nil {
		return fmt.Errorf("builder %.200q: %w", a.BuilderID, err)
	}
	return nil
}

// contains says whether a statement is one that the provenance carries.
func (r Request) contains(statement []byte) bool {
	d, err := read(r.Provenance)
	if err != nil || len(statement) == 0 {
		return false
	}
	envelopes := []*dsse{&d.dsse, d.Envelope}
	for _, a := range d.Attestations {
		envelopes = append(envelopes, a.Bundle.Envelope)
	}
	return slices.ContainsFunc(envelopes, func(e *dsse) bool { return e != nil && bytes.Equal(e.Payload, statement) })
}

package conformance

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/go-digest"

	"github.com/mcp-integrity/seal-action/internal/cli"
	"github.com/mcp-integrity/seal-action/internal/sealtest"
	"github.com/mcp-integrity/seal-action/internal/server"
	"github.com/mcp-integrity/seal-action/seal"
	"github.com/mcp-integrity/seal-action/seal/fingerprint"
	"github.com/mcp-integrity/seal-action/verify"
)

// wantDigests compares an interface object that came out.
func (v vector) wantDigests(got fingerprint.Digests, err error) error {
	if wrong := v.judge(err); wrong != nil || err != nil {
		return wrong
	}
	want, err := digestsOf(v)
	if err != nil {
		return err
	}
	if diff := cmp.Diff(want, got); diff != "" {
		return fmt.Errorf("interface (-want +got):\n%s", diff)
	}
	return nil
}

// fingerprinting is an entry that reads a tool. The tool's bytes must be those
// that went in (decision 8).
func fingerprinting(read func(*desk, []byte) (fingerprint.Tool, error)) func(*desk, vector) error {
	return func(d *desk, v vector) error {
		t, err := read(d, v.bytes())
		if err != nil {
			return v.judge(err)
		}
		if err := wantBytes("the tool's bytes", t.Raw, v.bytes()); err != nil {
			return err
		}
		return v.wantDigests(fingerprint.Of(t, digest.Algorithm(v.Algorithm)))
	}
}

// only is the one tool of a list.
func only(tools []fingerprint.Tool, err error) (fingerprint.Tool, error) {
	if err != nil {
		return fingerprint.Tool{}, err
	}
	if len(tools) != 1 {
		return fingerprint.Tool{}, fmt.Errorf("%d tools, want 1", len(tools))
	}
	return tools[0], nil
}

func snapshotTool(data []byte) (fingerprint.Tool, error) {
	s, err := fingerprint.ParseSnapshot(data)
	if err != nil {
		return fingerprint.Tool{}, err
	}
	return only(s.Tools, nil)
}

func listedTool(l *server.Listing, err error) (fingerprint.Tool, error) {
	if err != nil {
		return fingerprint.Tool{}, err
	}
	return only(fingerprint.ParseTools(l.Tools))
}

func snapshotAround(tool []byte) []byte {
	return []byte(snapshotBefore + string(tool) + snapshotAfter)
}

var fingerprintEntries = []entry{
	{"ParseTool", nil, fingerprinting(func(_ *desk, raw []byte) (fingerprint.Tool, error) {
		return fingerprint.ParseTool(raw)
	})},
	{"ParseTools", nil, fingerprinting(func(_ *desk, raw []byte) (fingerprint.Tool, error) {
		t, err := only(fingerprint.ParseTools([][]byte{raw}))
		if _, twice := fingerprint.ParseTools([][]byte{raw, raw}); twice == nil {
			return t, errors.New("the same name twice is accepted")
		}
		return t, err
	})},
	{"ParseSnapshot", nil, fingerprinting(func(_ *desk, raw []byte) (fingerprint.Tool, error) {
		return snapshotTool(snapshotAround(raw))
	})},
	{"Snapshot.Marshal, read again", nil, fingerprinting(func(_ *desk, raw []byte) (fingerprint.Tool, error) {
		s, err := fingerprint.ParseSnapshot(snapshotAround(raw))
		if err != nil {
			return fingerprint.Tool{}, err
		}
		data, err := s.Marshal()
		if err != nil {
			return fingerprint.Tool{}, err
		}
		return snapshotTool(data)
	})},
	{"a server over HTTP", nil, fingerprinting(func(d *desk, raw []byte) (fingerprint.Tool, error) {
		return listedTool(d.listHTTP(lists(serverInfo{}, raw)))
	})},
	{"a server over stdio", oneLine, fingerprinting(func(d *desk, raw []byte) (fingerprint.Tool, error) {
		return listedTool(d.listStdio(lists(serverInfo{}, raw)))
	})},
	{"extract, from a server over HTTP", nil, fingerprinting(func(d *desk, raw []byte) (fingerprint.Tool, error) {
		run := d.command("extract", "--server-url", d.overHTTP(lists(serverInfo{}, raw)))
		if err := run.refusal(cli.ExitFails); err != nil {
			return fingerprint.Tool{}, err
		}
		return snapshotTool([]byte(run.stdout))
	})},
	{"Digests.Check", valid, func(_ *desk, v vector) error { return checkDigests(v) }},
	{"seal --interface", nil, func(d *desk, v vector) error {
		e, err := d.sealSnapshot(snapshotAround(v.bytes()), v.Algorithm)
		if err != nil {
			return v.judge(err)
		}
		m, err := seal.ParseManifest(e.Payload)
		if err != nil {
			return err
		}
		return v.wantDigests(m.Tools[0].Interface, nil)
	}},
	{"init --interface", nil, func(d *desk, v vector) error {
		return v.judge(d.command("init", "--interface", d.file("snapshot.json", snapshotAround(v.bytes())),
			"--config", filepath.Join(d.TempDir(), "mcp-integrity.yaml")).refusal(cli.ExitFails))
	}},
	{"Verifier", nil, func(d *desk, v vector) error {
		data, err := d.sealedInterface(v)
		if err != nil {
			return err
		}
		verifier := d.verifier(d.signerKeys())
		verifier.Server = observing(func() (verify.Observation, error) {
			tools, err := fingerprint.ParseTools([][]byte{v.bytes()})
			return verify.Observation{Observed: verify.Live, Tools: tools}, err
		})
		return v.wantInterface(verifier.Verify(d.Context(), data), 1)
	}},
	{"verify --interface", nil, func(d *desk, v vector) error {
		data, err := d.sealedInterface(v)
		if err != nil {
			return err
		}
		run := d.command("verify", d.file("envelope.json", data), "--key", d.signerFile(), "--format", "json",
			"--interface", d.file("snapshot.json", snapshotAround(v.bytes())))
		return run.wantInterface(v, 0)
	}},
	{"verify --server-url", nil, func(d *desk, v vector) error {
		data, err := d.sealedInterface(v)
		if err != nil {
			return err
		}
		run := d.command("verify", d.file("envelope.json", data), "--key", d.signerFile(), "--format", "json",
			"--server-url", d.overHTTP(lists(serverInfo{}, v.bytes())))
		return run.wantInterface(v, 1)
	}},
}

// observing is a surface that a function sees.
type observing func() (verify.Observation, error)

func (o observing) Observe(context.Context) (verify.Observation, error) { return o() }

// sealSnapshot seals a snapshot file on the command line.
func (d *desk) sealSnapshot(snapshot []byte, algorithm string) (*seal.Envelope, error) {
	path := filepath.Join(d.TempDir(), "mcp-integrity.json")
	if algorithm == "" {
		algorithm = "sha256" // a refused tool has none
	}
	err := d.command("seal", "--interface", d.file("snapshot.json", snapshot), "--output", path,
		"--key", filepath.Join(vectorsDir, "keys", "publisher-ed25519.test-private.json"),
		"--namespace", sealtest.Namespace, "--digest-algorithm", algorithm,
		"--source-repo", "https://github.com/acme/file-tools", "--commit", "abc123def456789abc123def456789abc123def4",
	).refusal(cli.ExitFails)
	if err != nil {
		return nil, err
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	return seal.ParseEnvelope(data)
}

// sealedInterface is an envelope that seals the interface which must come out
// of v. Of a tool that is refused no interface comes out: then another is sealed.
func (d *desk) sealedInterface(v vector) ([]byte, error) {
	m := sealtest.Manifest(d, sealtest.Tools(d, 1)...)
	if v.Outputs != nil {
		want, err := digestsOf(v)
		if err != nil {
			return nil, err
		}
		m.Tools[0].Interface = want
	}
	if t, err := fingerprint.ParseTool(v.bytes()); err == nil {
		m.Tools[0].Name = t.Name
	}
	payload, err := seal.MarshalManifest(m)
	if err != nil {
		return nil, err
	}
	return sealtest.Marshal(d, d.seal(payload)), nil
}

// wantInterface wants a verdict on one tool: that its interface matches, at
// that level, or that it cannot be read.
func (v vector) wantInterface(r *verify.Result, level int) error {
	if !v.valid() {
		v.Error = names{seal.CodeInterfaceUnreadable.Name()}
		return v.judgeNames(errorNames(r))
	}
	if len(r.Errors) > 0 || len(r.Results) != 1 || r.TrustLevel != level {
		return fmt.Errorf("level %d with errors %+v, want level %d and one result", r.TrustLevel, r.Errors, level)
	}
	if match := r.Results[0].InterfaceMatch; match == nil || !*match {
		return fmt.Errorf("the interface does not match: %+v", r.Results[0])
	}
	return nil
}

func (r commandRun) wantInterface(v vector, level int) error {
	result, err := r.result()
	if err != nil {
		return err
	}
	return errors.Join(v.wantInterface(result, level), r.exits(exitCode(result.Outcome)))
}

// checkDigests holds Digests.Check against a vector's interface, and against
// the same with each of its digests changed in one digit.
func checkDigests(v vector) error {
	d, err := digestsOf(v)
	if err == nil {
		err = d.Check()
	}
	if wrong := v.judge(err); wrong != nil || err != nil {
		return wrong
	}
	for _, part := range []*digest.Digest{&d.Description, &d.InputSchema, &d.Annotations, &d.OutputSchema, &d.Composite} {
		was := *part
		if was == "" {
			continue
		}
		if *part = flipped(was); d.Check() == nil {
			return fmt.Errorf("accepted with %s for %s", *part, was)
		}
		*part = was
	}
	return nil
}

// flipped changes a digest's last digit.
func flipped(d digest.Digest) digest.Digest {
	last := "0"
	if d[len(d)-1] == '0' {
		last = "1"
	}
	return d[:len(d)-1] + digest.Digest(last)
}

var compositeEntries = []entry{
	{"Digests.Check", nil, func(_ *desk, v vector) error { return checkDigests(v) }},
	{"ParseManifest", nil, func(d *desk, v vector) error {
		_, err := d.manifestOf(v)
		return v.judgeCode(err)
	}},
	{"Verifier", nil, func(d *desk, v vector) error {
		m, err := d.manifestOf(v)
		if err != nil {
			return v.judge(err)
		}
		payload, err := seal.MarshalManifest(m)
		if err != nil {
			return err
		}
		r := d.verifier(d.signerKeys()).Verify(d.Context(), sealtest.Marshal(d, d.seal(payload)))
		return v.judgeNames(errorNames(r))
	}},
}

// manifestOf is a manifest of one tool with a vector's interface, written and
// read again.
func (d *desk) manifestOf(v vector) (*seal.Manifest, error) {
	want, err := digestsOf(v)
	if err != nil {
		return nil, err
	}
	m := sealtest.Manifest(d, sealtest.Tools(d, 1)...)
	m.Tools[0].Interface = want
	payload, err := seal.MarshalManifest(m)
	if err != nil {
		return nil, err
	}
	return seal.ParseManifest(payload)
}

package stack

import (
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"os"
	"path/filepath"
	"time"

	"github.com/sigstore/sigstore/pkg/signature"
	"github.com/theupdateframework/go-tuf/v2/metadata"
)

// tufRootFile is the first root of the repository: what a client starts from.
const tufRootFile = "1.root.json"

// writeTUF writes a TUF repository of the targets into dir: one Ed25519 key per
// role, consistent snapshots, everything at version 1.
func writeTUF(dir string, targets map[string][]byte, expires time.Time) error {
	root := metadata.Root(expires)
	root.Signed.ConsistentSnapshot = true
	signers, err := tufKeys(root)
	if err != nil {
		return err
	}
	list := metadata.Targets(expires)
	if err := writeTargets(filepath.Join(dir, "targets"), targets, list); err != nil {
		return err
	}
	return errorOfFirst(
		func() error { return signTo(root, signers[metadata.ROOT], filepath.Join(dir, tufRootFile)) },
		func() error { return signTo(list, signers[metadata.TARGETS], filepath.Join(dir, "1.targets.json")) },
		func() error {
			return signTo(metadata.Snapshot(expires), signers[metadata.SNAPSHOT], filepath.Join(dir, "1.snapshot.json"))
		},
		func() error {
			return signTo(metadata.Timestamp(expires), signers[metadata.TIMESTAMP], filepath.Join(dir, "timestamp.json"))
		},
	)
}

// tufKeys makes a key for each role and enters it in root.
func tufKeys(root *metadata.Metadata[metadata.RootType]) (map[string]signature.Signer, error) {
	signers := map[string]signature.Signer{}
	for _, role := range []string{metadata.ROOT, metadata.TARGETS, metadata.SNAPSHOT, metadata.TIMESTAMP} {
		public, private, err := ed25519.GenerateKey(rand.Reader)
		if err != nil {
			return nil, err
		}
		key, err := metadata.KeyFromPublicKey(public)
		if err != nil {
			return nil, err
		}
		if err := root.Signed.AddKey(key, role); err != nil {
			return nil, err
		}
		if signers[role], err = signature.LoadSigner(private, crypto.Hash(0)); err != nil {
			return nil, err
		}
	}
	return signers, nil
}

// writeTargets writes each target under its digest, as consistent snapshots
// have it, and enters it in list.
func writeTargets(dir string, targets map[string][]byte, list *metadata.Metadata[metadata.TargetsType]) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for name, data := range targets {
		file, err := metadata.TargetFile().FromBytes(name, data, "sha256")
		if err != nil {
			return err
		}
		list.Signed.Targets[name] = file
		if err := os.WriteFile(filepath.Join(dir, file.Hashes["sha256"].String()+"."+name), data, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// signTo signs one role's metadata and writes it.
func signTo[T metadata.Roles](m *metadata.Metadata[T], key signature.Signer, path string) error {
	if _, err := m.Sign(key); err != nil {
		return err
	}
	return m.ToFile(path, false)
}

// errorOfFirst runs steps up to the first that fails.
func errorOfFirst(steps ...func() error) error {
	for _, step := range steps {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

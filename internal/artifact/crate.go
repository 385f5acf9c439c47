package artifact

import (
	"fmt"
	"path"

	"github.com/mcp-integrity/seal-action/seal"
)

// cargoFile is the manifest of a crate.
const cargoFile = "Cargo.toml"

// readCrate reads a crate: `cargo package` writes a Cargo.toml with all of the
// workspace's values filled in, below a directory name-version.
func readCrate(m *members, found *Found) error {
	found.Artifact.Type, found.Kind = seal.Crate, "crate"
	got, err := m.get(cargoFile)
	if err != nil {
		return err
	}
	name, version, err := readCargo(got.data, found)
	if err != nil {
		return err
	}
	if name == "" || version == "" {
		return fmt.Errorf("%s: package.name %.100q, package.version %.100q: want both", cargoFile, name, version)
	}
	if dir := path.Dir(got.path); dir != name+"-"+version {
		return fmt.Errorf("directory %.200q, want %.200q as Cargo.toml says", dir, name+"-"+version)
	}
	found.Artifact.Identifier, found.Artifact.Version = name, version
	return nil
}

// readCargo reads a Cargo.toml. The version is "" where a workspace gives it.
func readCargo(data []byte, found *Found) (name, version string, err error) {
	t, err := parseTOML(data)
	if err != nil {
		return "", "", fmt.Errorf("%s: %w", cargoFile, err)
	}
	p := t.table("package")
	found.License = p.string("license")
	found.Repository = repositoryURL(p.string("repository"))
	return p.string("name"), p.string("version"), nil
}

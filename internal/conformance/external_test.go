package conformance

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
)

// The modules that testdata/vectors/external pins by version and checksum.
const (
	rfc8785Data = "github.com/cyberphone/json-canonicalization"
	wycheproof  = "github.com/c2sp/wycheproof"
)

// externalDirs are where the pinned modules lie, by their paths. The go command
// brings them once per machine, and checks each against the pin's go.sum.
var externalDirs = sync.OnceValues(func() (map[string]string, error) {
	cmd := exec.Command("go", "mod", "download", "-json")
	cmd.Dir = filepath.Join(vectorsDir, "external")
	// A workspace or a -mod flag of the caller's is about another module.
	cmd.Env = append(os.Environ(), "GOWORK=off", "GOFLAGS=-mod=readonly")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, runErr := cmd.Output()
	dirs := map[string]string{}
	for in := json.NewDecoder(bytes.NewReader(out)); ; {
		var module struct{ Path, Dir, Error string }
		if err := in.Decode(&module); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return nil, fmt.Errorf("go mod download: %w: %s", err, stderr.Bytes())
		}
		if module.Error != "" {
			return nil, fmt.Errorf("go mod download %s: %s", module.Path, module.Error)
		}
		dirs[module.Path] = module.Dir
	}
	if runErr != nil {
		return nil, fmt.Errorf("go mod download: %w: %s", runErr, stderr.Bytes())
	}
	return dirs, nil
})

// external reads a file of a pinned module. That it cannot be had fails the
// test: a check that was not made is no pass.
func external(t *testing.T, module, name string) []byte {
	t.Helper()
	dirs, err := externalDirs()
	if err != nil {
		t.Fatal(err)
	}
	if dirs[module] == "" {
		t.Fatalf("testdata/vectors/external does not pin %s", module)
	}
	data, err := os.ReadFile(filepath.Join(dirs[module], filepath.FromSlash(name)))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

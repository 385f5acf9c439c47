package artifact

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/mcp-integrity/seal-action/seal"
)

// coreMetadata is what is read of a METADATA or PKG-INFO file (the Python
// packaging specification "Core metadata").
type coreMetadata struct {
	name, version, license string
	// projectURLs are the values of Project-URL, "label, URL" each.
	projectURLs []string
	body        []byte // the README
}

// parseCoreMetadata reads the headers of a METADATA file: "Key: value" lines, a
// line that begins with a blank continues the one before, an empty line ends
// them. Name and Version must stand there once each: of two, installers take
// different ones.
func parseCoreMetadata(data []byte) (coreMetadata, error) {
	var m coreMetadata
	if !utf8.Valid(data) {
		return m, errors.New("not UTF-8")
	}
	counts := make(map[string]int)
	for n := 1; len(data) > 0; n++ {
		var line []byte
		line, data, _ = bytes.Cut(data, []byte("\n"))
		text := strings.TrimSuffix(string(line), "\r")
		if text == "" {
			m.body = data
			break
		}
		if text[0] == ' ' || text[0] == '\t' {
			if n == 1 {
				return m, errors.New("line 1 continues nothing")
			}
			continue // of those that we read, none has a second line
		}
		key, value, ok := strings.Cut(text, ":")
		if !ok || strings.ContainsAny(key, " \t") {
			return m, fmt.Errorf("line %d: %.100q, want a header such as %q", n, text, "Name: acme")
		}
		key = strings.ToLower(key)
		counts[key]++
		m.set(key, strings.TrimSpace(value))
	}
	for _, key := range []string{"name", "version"} {
		if counts[key] != 1 {
			return m, fmt.Errorf("header %q stands %d times, want once", key, counts[key])
		}
	}
	if m.name == "" || m.version == "" {
		return m, fmt.Errorf("name %.100q, version %.100q: want both", m.name, m.version)
	}
	return m, nil
}

func (m *coreMetadata) set(key, value string) {
	switch key {
	case "name":
		m.name = value
	case "version":
		m.version = value
	case "license-expression":
		m.license = value
	case "license":
		if m.license == "" && value != "UNKNOWN" {
			m.license = value
		}
	case "project-url":
		m.projectURLs = append(m.projectURLs, value)
	}
}

// sourceLabels are the labels of a project URL that mean the source repository,
// in their normal form (the specification "Well-known project URLs").
var (
	sourceLabels = map[string]bool{"source": true, "repository": true, "sourcecode": true, "github": true}
	labelNoise   = strings.NewReplacer(" ", "", "-", "", "_", "", ".", "")
)

// sourceURL is the repository that a project URL leads to; "" where it is some
// other page.
func sourceURL(label, target string) string {
	if !sourceLabels[labelNoise.Replace(strings.ToLower(label))] {
		return ""
	}
	return repositoryURL(strings.TrimSpace(target))
}

// mcpNameLine is how a package on PyPI names its entry in the MCP registry: in
// its README.
var mcpNameLine = regexp.MustCompile(`(?:^|[\s>])mcp-name:\s*([A-Za-z0-9.-]+/[A-Za-z0-9._-]+)`)

func (m *coreMetadata) facts(found *Found) {
	found.Artifact.Identifier, found.Artifact.Version = m.name, m.version
	found.License = m.license
	for _, u := range m.projectURLs {
		label, target, _ := strings.Cut(u, ",")
		found.Repository = cmp.Or(found.Repository, sourceURL(label, target))
	}
	for _, match := range mcpNameLine.FindAllSubmatch(m.body, -1) {
		switch name := string(match[1]); found.MCPName {
		case "", name:
			found.MCPName = name
		default:
			found.note("the README names several MCP names (%.100q, %.100q): none is taken", found.MCPName, name)
			found.MCPName = ""
			return
		}
	}
}

// readWheel reads a wheel, whose file name is part of the format: installers
// believe it, so METADATA must say the same.
func readWheel(f *file, m *members, found *Found) error {
	found.Artifact.Type, found.Kind = seal.PyPI, "wheel"
	got, err := m.get("METADATA")
	if err != nil {
		return err
	}
	meta, err := parseCoreMetadata(got.data)
	if err != nil {
		return fmt.Errorf("METADATA: %w", err)
	}
	meta.facts(found)
	base := filepath.Base(f.Name())
	parts := strings.Split(strings.TrimSuffix(base, ".whl"), "-")
	if !strings.HasSuffix(base, ".whl") || len(parts) < 5 || len(parts) > 6 {
		return fmt.Errorf("file name %.200q, want name-version-python-abi-platform.whl", base)
	}
	if err := sameRelease(meta, parts[0], parts[1]); err != nil {
		return fmt.Errorf("file name %.200q: %w", base, err)
	}
	dir := strings.TrimSuffix(path.Dir(got.path), ".dist-info")
	name, version, _ := strings.Cut(dir, "-")
	if err := sameRelease(meta, name, version); err != nil {
		return fmt.Errorf("directory %.200q: %w", dir+".dist-info", err)
	}
	return nil
}

// readSdist reads a source distribution, name-version.tar.gz.
func readSdist(f *file, m *members, found *Found) error {
	found.Artifact.Type, found.Kind = seal.PyPI, "sdist"
	got, err := m.get("PKG-INFO")
	if err != nil {
		return err
	}
	meta, err := parseCoreMetadata(got.data)
	if err != nil {
		return fmt.Errorf("PKG-INFO: %w", err)
	}
	meta.facts(found)
	base := filepath.Base(f.Name())
	stem := strings.TrimSuffix(strings.TrimSuffix(base, ".tar.gz"), ".tgz")
	// Old tools leave "-" in the name or in the version: any of the splits will do.
	for i := range len(stem) {
		if stem[i] == '-' && sameRelease(meta, stem[:i], stem[i+1:]) == nil {
			return nil
		}
	}
	return fmt.Errorf("file name %.200q: want %.200q as PKG-INFO says", base, meta.name+"-"+meta.version+".tar.gz")
}

// sameRelease compares name and version of a file name with those of the
// metadata, in the normal forms of PEP 503 and PEP 440.
func sameRelease(m coreMetadata, name, version string) error {
	if normalName(name) != normalName(m.name) {
		return fmt.Errorf("got name %.100q, want %.100q as the metadata says", name, m.name)
	}
	if normalVersion(version) != normalVersion(m.version) {
		return fmt.Errorf("got version %.100q, want %.100q as the metadata says", version, m.version)
	}
	return nil
}

var separators = regexp.MustCompile(`[-_.]+`)

// normalName is PEP 503's normal form of a project's name.
func normalName(s string) string { return separators.ReplaceAllString(strings.ToLower(s), "-") }

// pep440 is the version pattern of PEP 440, appendix B.
var pep440 = regexp.MustCompile(`^v?(?:([0-9]+)!)?([0-9]+(?:\.[0-9]+)*)` +
	`(?:[-_.]?(alpha|a|beta|b|preview|pre|c|rc)[-_.]?([0-9]*))?` +
	`(?:-([0-9]+)|[-_.]?(post|rev|r)[-_.]?([0-9]*))?` +
	`(?:[-_.]?(dev)[-_.]?([0-9]*))?` +
	`(?:[+_]([a-z0-9]+(?:[-_.][a-z0-9]+)*))?$`)

var preReleases = map[string]string{"alpha": "a", "a": "a", "beta": "b", "b": "b", "c": "rc", "rc": "rc", "pre": "rc", "preview": "rc"}

// noVersion stands before the form of what PEP 440 does not take for a version,
// so that it never equals one that is.
const noVersion = "no version: "

// normalVersion is PEP 440's normal form of a version, to compare. The "_"
// before the local part is how file names write "+".
func normalVersion(s string) string {
	s = strings.ToLower(strings.TrimSpace(s))
	m := pep440.FindStringSubmatch(s)
	if m == nil {
		return noVersion + separators.ReplaceAllString(s, "-")
	}
	var b strings.Builder
	if epoch := number(m[1]); epoch != "0" {
		b.WriteString(epoch + "!")
	}
	release := strings.Split(m[2], ".")
	for len(release) > 1 && number(release[len(release)-1]) == "0" {
		release = release[:len(release)-1] // 1.0 is 1
	}
	for i, r := range release {
		release[i] = number(r)
	}
	b.WriteString(strings.Join(release, "."))
	if m[3] != "" {
		b.WriteString(preReleases[m[3]] + number(m[4]))
	}
	if m[5] != "" || m[6] != "" {
		b.WriteString(".post" + number(m[5]+m[7]))
	}
	if m[8] != "" {
		b.WriteString(".dev" + number(m[9]))
	}
	if m[10] != "" {
		b.WriteString("+" + separators.ReplaceAllString(m[10], "."))
	}
	return b.String()
}

// number drops leading zeros; no digits are 0.
func number(s string) string {
	if s = strings.TrimLeft(s, "0"); s == "" {
		return "0"
	}
	return s
}

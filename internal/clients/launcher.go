package clients

import (
	"path"
	"regexp"
	"slices"
	"strings"
)

// Launcher is a command that fetches a package and runs it, and what it fetches.
type Launcher struct {
	Tool    string // as it is called: "npx", "uvx", "docker" …
	Type    string // what it fetches: "npm", "pypi" or "docker"
	Package string // the package or image, without its version; "" if it is not plain which
	Version string // the version, range, tag or digest as written; "" is: none, so the newest
	// Pinned: every start runs the same package, as far as the registry keeps its
	// promise: an exact version, a commit, an image's digest. Anything else can
	// be other code tomorrow; so can, but for images, what a pinned package
	// depends on.
	Pinned bool
}

// fetcher is a tool: the words that begin it, and how the rest reads.
type fetcher struct {
	words []string
	typ   string
	// from are flags whose value is the package, where they are given.
	from []string
	// flags take no value.
	flags []string
	// values are flags that take the next argument.
	values []string
	// restValued: a flag that stands in no list takes the next argument.
	restValued bool
	split      func(string) (name, version string, pinned bool)
}

var (
	npxValues  = []string{"-c", "--call", "-w", "--workspace", "--registry", "--prefix", "--cache", "--userconfig", "--loglevel", "--node-options", "--script-shell"}
	npxFrom    = []string{"-p", "--package"}
	uvxValues  = []string{"-w", "--with", "--with-editable", "--with-requirements", "-p", "--python", "-i", "--index-url", "--index", "--default-index", "--extra-index-url", "-f", "--find-links", "--directory", "--project", "--config-file", "--cache-dir", "--env-file", "-c", "--constraints", "--overrides", "--resolution", "--prerelease", "--exclude-newer", "--link-mode", "--color", "--index-strategy", "--keyring-provider", "-P", "--upgrade-package", "--refresh-package", "-C", "--config-setting"}
	pipxValues = []string{"--python", "--index-url", "-i", "--pip-args", "--with"}
	dockerBool = []string{"-i", "-t", "-d", "-P", "-q", "--rm", "--init", "--interactive", "--tty", "--detach", "--privileged", "--read-only", "--publish-all", "--quiet", "--no-healthcheck", "--sig-proxy", "--oom-kill-disable", "--disable-content-trust", "--help"}
)

// fetchers by their words; where one begins like another, the longer is first.
var fetchers = []fetcher{
	{words: []string{"npx"}, typ: "npm", from: npxFrom, values: npxValues, split: splitNPM},
	{words: []string{"npm", "exec"}, typ: "npm", from: npxFrom, values: npxValues, split: splitNPM},
	{words: []string{"npm", "x"}, typ: "npm", from: npxFrom, values: npxValues, split: splitNPM},
	{words: []string{"pnpm", "dlx"}, typ: "npm", from: []string{"--package"}, values: npxValues, split: splitNPM},
	{words: []string{"pnpx"}, typ: "npm", from: []string{"--package"}, values: npxValues, split: splitNPM},
	{words: []string{"yarn", "dlx"}, typ: "npm", from: npxFrom, split: splitNPM},
	{words: []string{"bunx"}, typ: "npm", from: npxFrom, split: splitNPM},
	{words: []string{"bun", "x"}, typ: "npm", from: npxFrom, split: splitNPM},
	{words: []string{"uvx"}, typ: "pypi", from: []string{"--from"}, values: uvxValues, split: splitPyPI},
	{words: []string{"uv", "tool", "run"}, typ: "pypi", from: []string{"--from"}, values: uvxValues, split: splitPyPI},
	{words: []string{"pipx", "run"}, typ: "pypi", from: []string{"--spec"}, values: pipxValues, split: splitPyPI},
	{words: []string{"docker", "run"}, typ: "docker", flags: dockerBool, restValued: true, split: splitImage},
	{words: []string{"docker", "container", "run"}, typ: "docker", flags: dockerBool, restValued: true, split: splitImage},
	{words: []string{"podman", "run"}, typ: "docker", flags: dockerBool, restValued: true, split: splitImage},
}

// Launcher recognises a command that fetches what it runs, and says which package
// it means and whether that is pinned. False is: the command is a program that
// lies here, or a launcher that is not known.
func (s Server) Launcher() (Launcher, bool) {
	words := append([]string{s.Command}, s.Args...)
	// On Windows, scripts such as npx start by the shell: cmd /c npx …
	if len(words) > 2 && program(words[0]) == "cmd" && strings.EqualFold(words[1], "/c") {
		words = words[2:]
	}
	words[0] = program(words[0])
	for _, f := range fetchers {
		if rest, ok := f.begins(words); ok {
			l := Launcher{Tool: f.words[0], Type: f.typ}
			if spec := f.spec(rest); spec != "" {
				l.Package, l.Version, l.Pinned = f.split(spec)
			}
			return l, true
		}
	}
	return Launcher{}, false
}

// program is the name of a program without its path and its ending on Windows.
func program(command string) string {
	name := path.Base(strings.ReplaceAll(command, `\`, "/"))
	for _, end := range []string{".exe", ".cmd", ".bat", ".ps1"} {
		if n := len(name) - len(end); n > 0 && strings.EqualFold(name[n:], end) {
			return strings.ToLower(name[:n])
		}
	}
	return name
}

func (f *fetcher) begins(words []string) ([]string, bool) {
	if len(words) < len(f.words) {
		return nil, false
	}
	for i, w := range f.words {
		if words[i] != w {
			return nil, false
		}
	}
	return words[len(f.words):], true
}

// spec is the argument that names the package: the value of a flag for it, or
// the first argument that is neither a flag nor the value of one.
func (f *fetcher) spec(args []string) string {
	first := ""
	for i := 0; i < len(args); i++ {
		a := args[i]
		if a == "--" {
			if first == "" && i+1 < len(args) {
				first = args[i+1]
			}
			break
		}
		if !strings.HasPrefix(a, "-") || a == "-" {
			first = a
			break
		}
		name, value, joined := strings.Cut(a, "=")
		if !joined && i+1 < len(args) {
			value = args[i+1]
		}
		switch {
		case slices.Contains(f.from, name):
			return value
		case !joined && f.takesValue(name):
			i++
		}
	}
	return first
}

func (f *fetcher) takesValue(name string) bool {
	if slices.Contains(f.values, name) {
		return true
	}
	if !f.restValued || slices.Contains(f.flags, name) {
		return false
	}
	// -it is -i and -t; -eNAME is -e and its value.
	if len(name) > 2 && name[1] != '-' {
		for _, c := range name[1 : len(name)-1] {
			if !slices.Contains(f.flags, "-"+string(c)) {
				return false
			}
		}
		return !slices.Contains(f.flags, "-"+name[len(name)-1:])
	}
	return true
}

var (
	exactVersion = regexp.MustCompile(`^v?[0-9]+\.[0-9]+\.[0-9]+(-[0-9A-Za-z.-]+)?(\+[0-9A-Za-z.-]+)?$`)
	// PEP 440, with a number at least and no wildcard.
	exactPython = regexp.MustCompile(`^v?([0-9]+!)?[0-9]+(\.[0-9]+)*((a|b|rc|\.post|\.dev)[0-9]+)*(\+[0-9A-Za-z.]+)?$`)
	commit      = regexp.MustCompile(`^([0-9a-f]{40}|[0-9a-f]{64})$`)
	imageDigest = regexp.MustCompile(`^sha256:[0-9a-f]{64}$`)
)

// splitNPM reads an npm package specification:
// https://docs.npmjs.com/cli/using-npm/package-spec
func splitNPM(spec string) (name, version string, pinned bool) {
	if isSource(spec) || strings.HasPrefix(spec, "github:") || (strings.Contains(spec, "/") && !strings.HasPrefix(spec, "@")) {
		name, version, _ = strings.Cut(spec, "#")
		return name, version, commit.MatchString(version)
	}
	// The @ of a scope is the first byte.
	if i := strings.LastIndexByte(spec, '@'); i > 0 {
		name, version = spec[:i], spec[i+1:]
	} else {
		name = spec
	}
	return name, version, exactVersion.MatchString(version)
}

// splitPyPI reads a requirement (PEP 508), and uv's name@version.
func splitPyPI(spec string) (name, version string, pinned bool) {
	if isSource(spec) {
		i := strings.LastIndexByte(spec, '@')
		if i < strings.LastIndexByte(spec, '/') || i < 0 {
			return spec, "", false
		}
		version, _, _ = strings.Cut(spec[i+1:], "#")
		return spec[:i], version, commit.MatchString(version)
	}
	i := strings.IndexAny(spec, "=<>!~@ ")
	if i < 0 {
		return bare(spec), "", false
	}
	name, version = bare(spec[:i]), strings.TrimSpace(spec[i:])
	if exact, ok := strings.CutPrefix(version, "=="); ok {
		version = strings.TrimSpace(strings.TrimPrefix(exact, "="))
		return name, version, exactPython.MatchString(version)
	}
	version = strings.TrimSpace(strings.TrimPrefix(version, "@"))
	if isSource(version) { // name @ URL
		_, at, pinned := splitPyPI(version)
		return name, at, pinned
	}
	return name, version, exactPython.MatchString(version)
}

// bare is a Python package without its extras.
func bare(name string) string {
	name, _, _ = strings.Cut(name, "[")
	return strings.TrimSpace(name)
}

// splitImage reads an image reference. A tag is moved at will; a digest is not.
func splitImage(spec string) (name, version string, pinned bool) {
	name, digest, ok := strings.Cut(spec, "@")
	if ok {
		return name, digest, imageDigest.MatchString(digest)
	}
	// A colon in front of a slash belongs to the port of a registry.
	if i := strings.LastIndexByte(spec, ':'); i > strings.LastIndexByte(spec, '/') {
		return spec[:i], spec[i+1:], false
	}
	return spec, "", false
}

// isSource says whether spec is a place rather than a name: a URL or a path.
func isSource(spec string) bool {
	return strings.Contains(spec, "://") || strings.HasPrefix(spec, ".") || strings.HasPrefix(spec, "/") || strings.HasPrefix(spec, "git+") || strings.HasPrefix(spec, "file:")
}

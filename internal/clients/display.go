package clients

import (
	"fmt"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

// Bounds of what Display shows. What is cut says by how much.
const (
	maxShown     = 500 // bytes of a word
	maxShownName = 100 // bytes of a variable's name
	maxShownAll  = 50  // arguments, and variables
)

var (
	// A word that names a secret, in a flag or in front of a `=`.
	secretName = regexp.MustCompile(`(?i)token|secret|passw|passphrase|pwd|credential|auth|bearer|api[-_]?key|access[-_]?key|private|[-_]key$|^-*key$|header|cookie|dsn|connection`)
	// NAME=value as docker's -e and env take it.
	assignment = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*=`)
	// How tokens of well-known services begin.
	tokenStart = regexp.MustCompile(`^(sk-|pk-|gh[pousr]_|github_pat_|glpat-|xox[a-z]-|AKIA|ASIA|AIza|eyJ|npm_|hf_|ya29\.)`)
	// A long word of nothing but what tokens are made of.
	tokenBody = regexp.MustCompile(`^[A-Za-z0-9+_=-]{32,}$`)
	// A path from the root, from here, from home, or from a drive.
	pathStart = regexp.MustCompile(`^(\.{0,2}/|~/|\.{0,2}\\|[A-Za-z]:[\\/])`)

	// Programs that run code that stands among their arguments.
	interpreter = regexp.MustCompile(`(?i)^(sh|bash|dash|ash|zsh|ksh|mksh|fish|csh|tcsh|nu|elvish|xonsh|busybox|cmd|powershell|pwsh|env|eval|xargs|ssh|su|script|expect|python[0-9.w]*|pypy[0-9.]*|py|node|nodejs|bun|deno|tsx|ts-node|perl[0-9.]*|ruby[0-9.]*|php[0-9.]*|lua[0-9.]*|luajit|rscript|osascript|tclsh[0-9.]*|groovy|scala|elixir|erl|ghc|awk|gawk|mawk|npx|npm|pnpm|pnpx|yarn|bunx|uv|uvx|pipx)$`)
	// Their flags for it: -c, -e, -lc, /c, -Command, --eval …
	codeFlag = regexp.MustCompile(`(?i)^(-[a-z]{0,4}[cekprs]|/[ckrs]|-{1,2}(eval|print|call|exec|execute|run|command|encodedcommand|split-string|shell|import|require)|-c[a-z]+|-en?c?[a-z]*)$`)
	// Those that take all words behind such a flag for one line.
	joins = regexp.MustCompile(`(?i)^(cmd|powershell|pwsh)$`)
	// The same with the code in one word.
	codeJoined = regexp.MustCompile(`(?i)^(-[a-z]?[cekprs]|/[ckrs]|--(eval|print|call|exec|execute|run|command|split-string|shell|import|require)=)`)

	// Variables that decide what a program loads, or from where it is fetched.
	decides = regexp.MustCompile(`(?i)^(ld_.*|dyld_.*|gconv_path|path|pathext|shell|comspec|ifs|env|bash_env|shellopts|bashopts|zdotdir|home|node_.*|npm_config_.*|yarn_.*|bun_.*|deno_.*|python.*|pip_.*|uv_.*|pipx_.*|virtual_env|perl5.*|perllib|ruby.*|gem_.*|bundle_.*|lua_.*|php.*|java_.*|_java_options|jdk_java_options|classpath|git_.*|docker_host|docker_config|.*_proxy|ssl_cert_.*|requests_ca_bundle|curl_ca_bundle|corepack_.*)$`)
)

const (
	hidden = "***"
	// shellMeta are the bytes by which a shell tells code from a word.
	shellMeta = " \t\r\n;|&`$()<>{}*?!'\"\\"
	// joinMeta are those that no header or sentence has.
	joinMeta = ";|&`$()<>^\n"
)

// Display is the command line, or the URL's host, for the eyes of the person who
// is asked whether to start it: variables stand unreplaced, and what looks secret
// is left out. Behind it stand the variables that the client adds, by name, and
// with their values where they decide what runs.
//
// What looks secret is a guess, made on the careful side: do not store it. It is
// never made of code: a word for an interpreter to run is shown, whatever it looks
// like, or code could be written so that it looks like a secret.
func (s Server) Display() string {
	if s.Command == "" {
		return s.host()
	}
	args := s.Written
	if len(args) != len(s.Args) {
		args = s.Args
	}
	words := []string{quoteWord(s.Command)}
	d := display{program: program(s.Command)}
	d.runs = interpreter.MatchString(d.program)
	if l, ok := (Server{Command: s.Command, Args: args}).Launcher(); ok {
		d.pkg, d.pinned = l.Package, l.Pinned
	}
	for i, a := range args {
		if i == maxShownAll {
			words = append(words, fmt.Sprintf("… (%d more)", len(args)-i))
			break
		}
		words = append(words, d.word(a))
	}
	return strings.Join(append(words, s.displayEnv()...), " ")
}

// display is what the arguments so far say of the next one.
type display struct {
	program string // the interpreter
	runs    bool   // there is an interpreter in front of it
	script  bool   // and what that runs, as it seems: what follows is for the script
	joined  bool   // all that follows is one line for a shell
	code    bool   // it is for the interpreter to run
	secret  bool   // a flag names it a secret
	pkg     string // the package that a launcher fetches; "" is none
	pinned  bool   // its version is
}

// word shows the next argument.
func (d *display) word(a string) string {
	was, flag := *d, strings.HasPrefix(a, "-")
	d.joined = d.joined || d.code && joins.MatchString(d.program)
	switch {
	case flag, d.runs && strings.EqualFold(a, "/c"):
	case d.code:
		d.script = true
	case interpreter.MatchString(program(a)):
		d.program, d.runs, d.script = program(a), true, false
	default:
		d.script = d.runs
	}
	d.code = d.runs && codeFlag.MatchString(a)
	d.secret = flag && !strings.Contains(a, "=") && secretName.MatchString(a)
	if was.isCode(a) {
		return quoteWord(a)
	}
	switch {
	case d.pkg != "" && strings.HasPrefix(a, d.pkg) && (!was.secret || d.pinned || strings.HasPrefix(a, "@")):
		// Behind a flag that names a secret only what cannot be one.
		return fetched(a)
	case pathStart.MatchString(a) && !strings.Contains(a, "://"):
		return quoteWord(a)
	case was.secret && !flag:
		return hidden
	case flag && !strings.Contains(a, "=") && !strings.ContainsAny(a, ": "):
		return quoteWord(a)
	}
	return mask(a)
}

// isCode says whether a is run by an interpreter in front of it. Behind a script,
// only what reads like code is taken for it: it may be an argument of the script.
func (d *display) isCode(a string) bool {
	looksRun := strings.ContainsAny(a, shellMeta)
	switch {
	case d.code && (looksRun || !d.script):
		return true
	case d.joined && strings.ContainsAny(a, joinMeta):
		return true
	}
	return d.runs && looksRun && codeJoined.MatchString(a)
}

// fetched shows what a launcher fetches: the path of a URL is the code, and what
// stands in front of its host or behind its path may be a secret.
func fetched(a string) string {
	u, err := url.Parse(a)
	if err != nil || u.Host == "" {
		if strings.Contains(a, "://") {
			return mask(a)
		}
		return quoteWord(a)
	}
	text := u.Scheme + "://" + u.Host + u.EscapedPath()
	if u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		text += " (and " + hidden + ")"
	}
	return quoteWord(text)
}

// mask returns one argument without what looks secret.
func mask(a string) string {
	if name, value, ok := strings.Cut(a, "="); ok && (assignment.MatchString(a) || secretName.MatchString(name)) {
		if decides.MatchString(name) {
			return quoteWord(name + "=" + plainValue(name, value))
		}
		return quoteWord(name + "=" + hidden)
	}
	if u, err := url.Parse(a); err == nil && u.Host != "" {
		if u.User == nil && u.RawQuery == "" && u.Fragment == "" && len(u.Path) <= 1 {
			return quoteWord(a)
		}
		return quoteWord(u.Scheme + "://" + u.Host + "/" + hidden)
	}
	if strings.Contains(a, "://") || tokenStart.MatchString(a) || isTokenBody(a) || (secretName.MatchString(a) && strings.ContainsAny(a, ": ")) {
		return hidden
	}
	return quoteWord(a)
}

// isTokenBody says whether a is one long word of what tokens are made of. Letters
// of one case and dashes are the name of a package.
func isTokenBody(a string) bool {
	return tokenBody.MatchString(a) && (strings.ContainsAny(a, "0123456789+=") || a != strings.ToLower(a))
}

// displayEnv are the variables that the client adds, those that decide what runs
// first.
func (s Server) displayEnv() []string {
	if len(s.Env) == 0 {
		return nil
	}
	var shown, named []string
	for _, name := range slices.Sorted(maps.Keys(s.Env)) {
		text := quoteCut(name, maxShownName)
		if decides.MatchString(name) {
			shown = append(shown, text+"="+quoteWord(plainValue(name, s.Env[name])))
			continue
		}
		named = append(named, text)
	}
	all := append(shown, named...)
	if n := len(all) - maxShownAll; n > 0 {
		all = append(all[:maxShownAll], fmt.Sprintf("… (%d more)", n))
	}
	all[0] = "[with " + all[0]
	all[len(all)-1] += "]"
	return all
}

// plainValue is the value of a variable that decides what runs, without what is
// secret in it by its name or in a URL.
func plainValue(name, value string) string {
	if secretName.MatchString(name) {
		return hidden
	}
	if u, err := url.Parse(value); err == nil && u.Host != "" {
		text := u.Scheme + "://" + u.Host + u.EscapedPath()
		if u.User != nil || u.RawQuery != "" || u.Fragment != "" {
			text += " (and " + hidden + ")"
		}
		return text
	}
	if strings.Contains(value, "://") && strings.Contains(value, "@") {
		return credentials.ReplaceAllString(value, "://"+hidden+"@")
	}
	return value
}

// credentials is what stands in front of the host of a URL in a text.
var credentials = regexp.MustCompile(`://[^/\s@]*@`)

// quoteWord quotes what is not plain and cuts what is long.
func quoteWord(a string) string { return quoteCut(a, maxShown) }

func quoteCut(a string, limit int) string {
	if len(a) > limit {
		n := limit
		for n > limit-utf8.UTFMax && !utf8.RuneStart(a[n]) {
			n--
		}
		return fmt.Sprintf("%q… (%d more bytes)", a[:n], len(a)-n)
	}
	for i := range len(a) {
		if !isWord(a[i]) && !strings.ContainsRune("@%+=:,./*-${}[]^~", rune(a[i])) {
			return fmt.Sprintf("%q", a)
		}
	}
	if a == "" {
		return `""`
	}
	return a
}

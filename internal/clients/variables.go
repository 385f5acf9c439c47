package clients

import (
	"fmt"
	"path/filepath"
	"strings"
)

// syntax is how a client writes variables.
type syntax int

const (
	syntaxNone    syntax = iota // values stand as they are
	syntaxDefault               // ${NAME} and ${NAME:-default}
	syntaxEditor                // ${env:NAME}, ${workspaceFolder}, ${userHome}, ${input:id} …
	syntaxEnv                   // ${env:NAME} only
	syntaxShell                 // $NAME, ${NAME} and ${NAME:-default}, and what names a place of an extension
)

// variables replaces what a client replaces before it starts a server. One pass:
// what a variable brings in is not looked at again, so that a value cannot name
// another.
type variables struct {
	syntax    syntax
	getenv    func(string) string
	goos      string
	home      string
	workspace string // the folder that is open; "" if it is not known
	extension string // the folder of the extension; "" where it is none
}

func (f *finder) vars(src *source, at place, dir string) variables {
	v := variables{syntax: src.read.vars, getenv: f.Getenv, goos: f.GOOS, home: f.Home, workspace: dir}
	if src.scope == scopeExtension {
		v.extension = at.folder
	}
	if v.workspace == "" && len(f.projects) > 0 {
		v.workspace = f.projects[len(f.projects)-1]
	}
	return v
}

// expand returns s with its variables replaced, or why it cannot be.
func (v variables) expand(s string) (text, why string) {
	if v.syntax == syntaxNone {
		return s, ""
	}
	var out strings.Builder
	for {
		before, rest, found := strings.Cut(s, "$")
		out.WriteString(before)
		if !found {
			return out.String(), ""
		}
		if body, ok := strings.CutPrefix(rest, "{"); ok {
			name, after, closed := strings.Cut(body, "}")
			if !closed {
				return out.String() + "$" + rest, ""
			}
			if name == "" {
				out.WriteString("${}")
				s = after
				continue
			}
			got, why := v.lookup(name)
			if why != "" {
				return "", why
			}
			out.WriteString(got)
			s = after
			continue
		}
		n := 0
		for v.syntax == syntaxShell && n < len(rest) && isWord(rest[n]) {
			n++
		}
		if n == 0 {
			out.WriteString("$")
			s = rest
			continue
		}
		got, why := v.env(rest[:n])
		if why != "" && isVariable(rest[:n]) {
			return "", why
		}
		if why != "" {
			got = "$" + rest[:n] // the client leaves what is not set; this may be no variable at all
		}
		out.WriteString(got)
		s = rest[n:]
	}
}

func (v variables) lookup(name string) (text, why string) {
	switch v.syntax {
	case syntaxDefault:
		return v.env(name)
	case syntaxShell:
		switch name {
		case "extensionPath":
			if v.extension != "" {
				return v.extension, ""
			}
		case "workspacePath":
			return v.folder("${workspacePath}")
		case "/", "pathSeparator":
			return v.separator(), ""
		}
		return v.env(name)
	}
	if env, ok := strings.CutPrefix(name, "env:"); ok {
		return v.env(env)
	}
	if v.syntax == syntaxEnv {
		return "", "needs " + printable(name) + ", which is not followed here"
	}
	switch name {
	case "userHome":
		if v.home == "" {
			return "", "needs ${userHome}, and no home directory is known"
		}
		return v.home, ""
	case "workspaceFolder":
		return v.folder("${workspaceFolder}")
	case "workspaceFolderBasename":
		dir, why := v.folder("${workspaceFolderBasename}")
		return filepath.Base(dir), why
	case "/", "pathSeparator":
		return v.separator(), ""
	}
	if strings.HasPrefix(name, "input:") {
		return "", "needs " + printable(name) + ", which the client asks for"
	}
	return "", "needs " + printable(name) + ", which is not followed here"
}

// env looks NAME, or NAME:-default, up.
func (v variables) env(name string) (text, why string) {
	name, def, hasDefault := strings.Cut(name, ":-")
	if got := v.getenv(name); got != "" {
		return got, ""
	}
	if hasDefault {
		return def, ""
	}
	if !isTold(name) {
		return "", "needs an environment variable that is not set"
	}
	return "", fmt.Sprintf("needs the environment variable %.100s, which is not set", name)
}

func (v variables) folder(what string) (text, why string) {
	if v.workspace == "" {
		return "", "needs " + what + ", and no project is given"
	}
	return v.workspace, ""
}

func (v variables) separator() string {
	if v.goos == "windows" {
		return `\`
	}
	return "/"
}

// printable is ${name} as far as it can be shown: a person who has a secret in
// braces, or a default behind a colon, does not find it in a report.
func printable(name string) string {
	kind, id, two := strings.Cut(name, ":")
	switch {
	case !isTold(kind):
		return "a variable"
	case !two:
		return "${" + name + "}"
	case isName(id) && (kind == "input" || kind == "command" || kind == "config"):
		return "${" + name + "}"
	}
	return "${" + kind + ":…}"
}

// isName says whether s can be the name of a variable or of an input, and is
// short enough to be shown.
func isName(s string) bool {
	if s == "" || len(s) > 100 {
		return false
	}
	for i := range len(s) {
		if !isWord(s[i]) && s[i] != '-' && s[i] != '.' {
			return false
		}
	}
	return true
}

// isTold says whether s is told in a report: it looks like NAME_2, or is one
// word such as selectedText. The rest of a password behind its dollar does not.
func isTold(s string) bool {
	return isVariable(s) || (len(s) <= 32 && s != "" && strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ") == "")
}

// isVariable says whether s is written like a variable of the environment.
func isVariable(s string) bool {
	return s != "" && len(s) <= 100 && strings.Trim(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") == "" && (s[0] < '0' || s[0] > '9')
}

func isWord(c byte) bool {
	return c == '_' || '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}

package clients

import (
	"fmt"
	"net/url"
	"path/filepath"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

const (
	transportStdio = "stdio"
	transportHTTP  = "http"
	transportSSE   = "sse"
)

// transports are the words that clients have for them.
var transports = map[string]string{
	"stdio": transportStdio, "local": transportStdio,
	"http": transportHTTP, "streamable-http": transportHTTP, "streamableHttp": transportHTTP, "streamable_http": transportHTTP,
	"sse": transportSSE,
}

// entry decodes one server. What does not fit becomes Server.Problem: the server
// is listed with it, and the others are read.
type entry struct {
	*Server
	dialect *dialect
	vars    variables
	goos    string
	doc     *document
	members map[string]value
}

// decode reads v into the Server and returns what is worth a line of its own.
func (e *entry) decode(doc *document, v value) []fault {
	if !v.isObject() {
		e.cannot("it is not an object")
		return nil
	}
	e.doc = doc
	all, bad := doc.object(v)
	e.members = make(map[string]value, len(all))
	for _, m := range all {
		if !m.value.isNull() {
			e.members[m.name] = m.value
		}
	}
	e.decodeSwitch()
	e.decodeStart()
	for name, why := range e.dialect.unfit {
		if _, ok := e.members[name]; ok {
			e.cannot("%s", why)
		}
	}
	return bad
}

// cannot keeps the first reason.
func (e *entry) cannot(format string, args ...any) {
	if e.Problem == "" {
		e.Problem = fmt.Sprintf(format, args...)
	}
}

func (e *entry) decodeSwitch() {
	v, ok := e.members[e.dialect.off]
	if !ok || e.dialect.off == "" {
		return
	}
	switch v.kind() {
	case 't':
		e.Disabled = e.dialect.offValue
	case 'f':
		e.Disabled = !e.dialect.offValue
	default:
		e.cannot("%s is not true or false", e.dialect.off)
	}
}

// decodeStart decides between a command and a URL: the type does where it is
// given, else what is there.
func (e *entry) decodeStart() {
	_, command := e.members["command"]
	link, hasURL := e.linkMember()
	kind, typed := e.transport()
	switch {
	case typed && kind == "":
		return
	case typed && kind == transportStdio && !command:
		e.cannot("it has no command")
	case typed && kind != transportStdio && !hasURL:
		e.cannot("it has no URL")
	case hasURL && kind != transportStdio && (typed || !command || e.Client == "gemini-cli"):
		if e.Transport = kind; !typed {
			e.Transport = link.transport
		}
		e.decodeURL(link.name)
	case command:
		e.Transport = transportStdio
		e.decodeCommand()
	case e.dialect.noCommand != "":
		e.cannot("%s", e.dialect.noCommand)
	default:
		e.cannot("it has neither a command nor a URL")
	}
}

func (e *entry) linkMember() (urlMember, bool) {
	for _, u := range e.dialect.urls {
		if _, ok := e.members[u.name]; ok {
			return u, true
		}
	}
	return urlMember{}, false
}

// transport reads the type; "" and true is one that is not known.
func (e *entry) transport() (kind string, typed bool) {
	v, ok := e.members["type"]
	if !ok {
		if v, ok = e.members["transport"]; !ok {
			return "", false
		}
	}
	word, isString := v.str()
	if kind, ok = transports[word]; !isString || !ok {
		e.cannot("its type is not one of stdio, http, sse")
		return "", true
	}
	return kind, true
}

func (e *entry) decodeURL(name string) {
	e.URL = e.text(name)
	e.Headers = e.pairs("headers")
	e.Dir = "" // nothing starts
	if e.Problem != "" {
		return
	}
	u, err := url.Parse(e.URL)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
		// A socket or a pipe (unix:, pipe:) is among these.
		e.cannot("its URL is not one of http or https with a host")
	}
}

func (e *entry) decodeCommand() {
	command := e.members["command"]
	if command.isObject() && e.dialect.commandObject {
		inner, _ := e.doc.object(command)
		delete(e.members, "command")
		for _, m := range inner {
			e.members[m.name] = m.value
		}
		e.Command = e.text("path")
	} else {
		e.Command = e.text("command")
	}
	e.decodeArgs()
	e.Env = e.pairs("env")
	if _, ok := e.members["cwd"]; ok && e.dialect.cwd {
		e.decodeDir()
	}
	if e.Command == "" {
		e.cannot("its command is empty")
	}
}

func (e *entry) decodeDir() {
	dir := e.text("cwd")
	if !isAbs(e.goos, dir) {
		if e.Dir == "" && e.vars.workspace == "" {
			e.cannot("its directory is relative to where the client starts")
			return
		}
		base := e.Dir
		if base == "" {
			base = e.vars.workspace
		}
		dir = filepath.Join(base, filepath.FromSlash(dir))
	}
	e.Dir = dir
}

func (e *entry) decodeArgs() {
	v, ok := e.members["args"]
	if !ok {
		return
	}
	values, ok := e.doc.array(v)
	if !ok {
		e.cannot("args is not a list of at most %d values", maxArgs)
		return
	}
	for i, a := range values {
		raw, ok := a.scalar()
		if !ok {
			e.cannot("args[%d] is not a string", i)
			return
		}
		e.Args = append(e.Args, e.expand(fmt.Sprintf("args[%d]", i), raw))
		e.Written = append(e.Written, raw)
	}
}

// text reads a member that is a string.
func (e *entry) text(name string) string {
	s, ok := e.members[name].str()
	if !ok {
		e.cannot("%s is not a string", name)
		return ""
	}
	if strings.ContainsRune(s, 0) {
		e.cannot("%s has a zero byte", name)
	}
	return e.expand(name, s)
}

// pairs reads an object of strings. Numbers and truth values are taken as they
// are written; null is a variable that is left out.
func (e *entry) pairs(name string) map[string]string {
	v, ok := e.members[name]
	if !ok {
		return nil
	}
	if !v.isObject() {
		e.cannot("%s is not an object", name)
		return nil
	}
	members, _ := e.doc.object(v)
	if len(members) > maxArgs {
		e.cannot("%s has more than %d members", name, maxArgs)
		return nil
	}
	all := make(map[string]string, len(members))
	for _, m := range members {
		if m.value.isNull() {
			continue
		}
		raw, ok := m.value.scalar()
		if !ok {
			e.cannot("%s.%.100q is not a string", name, m.name)
			return all
		}
		all[m.name] = e.expand(fmt.Sprintf("%s.%.100q", name, m.name), raw)
	}
	return all
}

func (e *entry) expand(what, s string) string {
	out, why := e.vars.expand(s)
	if why != "" {
		e.cannot("%s %s", what, why)
	}
	return out
}

// scalar is a string, or a number or a truth value as it is written.
func (v value) scalar() (string, bool) {
	switch v.kind() {
	case '"':
		return v.str()
	case '0', 't', 'f':
		return string(jsontext.Value(v.text)), true
	}
	return "", false
}

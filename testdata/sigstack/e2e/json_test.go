package e2e

import (
	"encoding/json"
	"os"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
)

// document reads a JSON document of a script.
func document(ts *testscript.TestScript, text, name string) any {
	var v any
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		ts.Fatalf("%s: %v", name, err)
	}
	return v
}

// step goes one member down; ok is false where there is none.
func step(v any, name string) (member any, ok bool) {
	switch v := v.(type) {
	case map[string]any:
		member, ok = v[name]
	case []any:
		n, err := strconv.Atoi(name)
		if ok = err == nil && n >= 0 && n < len(v); ok {
			member = v[n]
		}
	}
	return member, ok
}

// absent is the word of a member that is not there.
const absent = "absent"

// jsonMember compares a member with a word: a string by what it says, all else
// by its JSON, and =PATH is the word of another member.
func jsonMember(ts *testscript.TestScript, args []string) {
	if len(args) != 3 {
		ts.Fatalf("usage: json FILE PATH VALUE")
	}
	v := document(ts, ts.ReadFile(args[0]), args[0])
	got, want := word(ts, v, args[1]), args[2]
	if other, ok := strings.CutPrefix(want, "="); ok {
		want = word(ts, v, other)
	}
	if got != want {
		ts.Fatalf("%s: %s: got %s, want %s", args[0], args[1], got, want)
	}
}

// word is a member as [jsonMember] compares it.
func word(ts *testscript.TestScript, v any, path string) string {
	for name := range strings.SplitSeq(path, ".") {
		var ok bool
		if v, ok = step(v, name); !ok {
			return absent
		}
	}
	if s, ok := v.(string); ok {
		return s
	}
	data, err := json.Marshal(v)
	ts.Check(err)
	return string(data)
}

// jsonIs compares whole documents: what is wanted, and nothing more.
func jsonIs(ts *testscript.TestScript, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: jsonis FILE WANT")
	}
	got := document(ts, ts.ReadFile(args[0]), args[0])
	want := document(ts, os.Expand(ts.ReadFile(args[1]), ts.Getenv), args[1])
	if !reflect.DeepEqual(got, want) {
		indented, err := json.MarshalIndent(got, "", "  ")
		ts.Check(err)
		ts.Fatalf("%s is not %s, but\n%s", args[0], args[1], indented)
	}
}

// payload writes what a DSSE envelope holds into a file.
func payload(ts *testscript.TestScript, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: payload ENVELOPE FILE")
	}
	var envelope struct{ Payload []byte }
	ts.Check(json.Unmarshal([]byte(ts.ReadFile(args[0])), &envelope))
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), envelope.Payload, 0o644))
}

// edit sets a member of a document: to some JSON, to the member of the same name
// in another document, @FILE, or to any other one there, @FILE:PATH. By the word
// absent it takes the member away.
func edit(ts *testscript.TestScript, args []string) {
	if len(args) != 3 {
		ts.Fatalf("usage: edit FILE PATH JSON|@FILE|@FILE:PATH|absent")
	}
	v := document(ts, ts.ReadFile(args[0]), args[0])
	change := func(any) any { return valueFor(ts, args[1], args[2]) }
	if args[2] == absent {
		change = nil
	}
	v, ok := changed(v, strings.Split(args[1], "."), change)
	if !ok {
		ts.Fatalf("%s has no %s", args[0], args[1])
	}
	data, err := json.Marshal(v)
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), data, 0o644))
}

// changed is v with another member, or, where change is nil, without it. Members
// of objects may be new; ok is false where there is nothing that has them.
func changed(v any, path []string, change func(any) any) (_ any, ok bool) {
	if len(path) == 0 {
		return change(v), true
	}
	member, there := step(v, path[0])
	last := len(path) == 1
	if !there && (!last || change == nil) {
		return nil, false
	}
	if !last || change != nil {
		if member, ok = changed(member, path[1:], change); !ok {
			return nil, false
		}
	}
	remove := last && change == nil
	switch v := v.(type) {
	case map[string]any:
		v[path[0]] = member
		if remove {
			delete(v, path[0])
		}
		return v, true
	case []any:
		n, err := strconv.Atoi(path[0])
		if err != nil || n < 0 || n >= len(v) {
			return nil, false
		}
		if remove {
			return slices.Delete(v, n, n+1), true
		}
		v[n] = member
		return v, true
	}
	return nil, false
}

// valueFor reads what [edit] puts in.
func valueFor(ts *testscript.TestScript, path, text string) any {
	other, ok := strings.CutPrefix(text, "@")
	if !ok {
		return document(ts, text, "the value")
	}
	if file, there, ok := strings.Cut(other, ":"); ok {
		other, path = file, there
	}
	v := document(ts, ts.ReadFile(other), other)
	for name := range strings.SplitSeq(path, ".") {
		if v, ok = step(v, name); !ok {
			ts.Fatalf("%s has no %s", other, path)
		}
	}
	return v
}

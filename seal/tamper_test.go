package seal_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mcp-integrity/seal-action/internal/keys"
	"github.com/mcp-integrity/seal-action/internal/sealtest"
	"github.com/mcp-integrity/seal-action/seal"
)

// facts are what a consumer believes of an opened envelope.
type facts struct {
	Payload           string
	Role, Type, KeyID string
	Time              string
}

func factsOf(o *seal.Opened) facts {
	a := o.Attestations[0]
	f := facts{Payload: string(o.Payload), Role: string(a.Role), Type: a.Type, KeyID: a.KeyID}
	if a.Time != nil {
		f.Time = a.Time.UTC().Format(time.RFC3339)
	}
	return f
}

// rightNames are the codes by which tampering may be refused.
var rightNames = []seal.Code{seal.CodeManifestParse, seal.CodeSignatureInvalid, seal.CodeSignatureKeyNotFound, seal.CodeNotCounted, seal.CodeSignatureExpired}

// check opens data, and fails the test unless it is refused by a right name or
// gives exactly the facts that it gave untouched.
func check(t *testing.T, what string, data []byte, k seal.Keys, want facts) {
	t.Helper()
	o, err := open(data, k)
	if err != nil {
		if !slices.Contains(rightNames, seal.CodeOf(err, 0)) {
			t.Errorf("%s: refused by a wrong name: %v", what, err)
		}
		return
	}
	if diff := cmp.Diff(want, factsOf(o)); diff != "" {
		t.Errorf("%s: accepted with other facts (-untouched +tampered):\n%s", what, diff)
	}
}

// TestFlipEveryByte changes every byte of an envelope in turn, to each of
// several others.
func TestFlipEveryByte(t *testing.T) {
	for _, alg := range []keys.Algorithm{keys.Ed25519, keys.ES256} {
		key := sealtest.Key(t, alg, "k")
		data := sealtest.Marshal(t, sealtest.Seal(t, sealtest.Manifest(t, sealtest.Tools(t, 1)...), key))
		k := sealtest.Keys(key)
		o, err := open(data, k)
		if err != nil {
			t.Fatal(err)
		}
		want := factsOf(o)
		// Decision 10c: an attestation whose statement is gone is unbound, it
		// has no time and all else it had. Misspelling the member's name, and
		// nothing else, takes the statement away.
		name := bytes.Index(data, []byte(`"statement"`))
		wantAt := func(i int) facts {
			f := want
			if i > name && i < name+len(`"statement"`)-1 {
				f.Time = ""
			}
			return f
		}
		for i := range data {
			for _, mask := range []byte{0x01, 0x20, 0x80, 0xff} {
				bad := bytes.Clone(data)
				bad[i] ^= mask
				check(t, fmt.Sprintf("%s: byte %d of %q flipped to %q", alg, i, around(data, i), bad[i]), bad, k, wantAt(i))
			}
		}
		for i := range data {
			check(t, fmt.Sprintf("%s: byte %d left out", alg, i), slices.Delete(bytes.Clone(data), i, i+1), k, wantAt(i))
			check(t, fmt.Sprintf("%s: cut at byte %d", alg, i), data[:i], k, want)
		}
	}
}

func around(data []byte, i int) []byte { return data[max(0, i-10):min(len(data), i+10)] }

// TestEveryMember removes, adds and swaps every member of the manifest and of
// the envelope, however deep.
func TestEveryMember(t *testing.T) {
	key := sealtest.Key(t, keys.Ed25519, "k")
	m := sealtest.Manifest(t, sealtest.Tools(t, 2)...)
	expires := seal.NewTimestamp(sealtest.Time.Add(24 * time.Hour))
	m.ExpiresAt = &expires
	e := sealtest.Seal(t, m, key)
	data := sealtest.Marshal(t, e)
	k := sealtest.Keys(key)
	o, err := open(data, k)
	if err != nil {
		t.Fatal(err)
	}
	want := factsOf(o)

	// The payload: whatever changes in it, no signature holds.
	mutants(t, e.Payload, func(what string, payload []byte) {
		changed := *e
		changed.Payload = payload
		_, err := open(mustMarshalWith(t, data, e.Payload, payload), k)
		if seal.CodeOf(err, 0) != seal.CodeSignatureInvalid {
			t.Errorf("payload: %s: got %v, want SIGNATURE_INVALID", what, err)
		}
	})
	// The envelope: labels and statements.
	mutants(t, data, func(what string, bad []byte) {
		if strings.HasSuffix(what, "signatures.0.details removed") || strings.HasSuffix(what, "signatures.0.details.statement removed") {
			// Decision 10c: without a statement it is the publisher's
			// manifest_signed still, and its time is gone.
			unbound := want
			unbound.Time = ""
			check(t, "envelope: "+what, bad, k, unbound)
			return
		}
		check(t, "envelope: "+what, bad, k, want)
	})
	// What the payload itself may not say, validly signed.
	refused := 0
	mutants(t, e.Payload, func(what string, payload []byte) {
		if _, err := seal.ParseManifest(payload); err != nil {
			refused++
			if c := seal.CodeOf(err, 0); c != seal.CodeManifestParse && c != seal.CodeManifestVersionUnsupported {
				t.Errorf("signed payload: %s: refused by a wrong name: %v", what, err)
			}
		}
	})
	if refused < 20 {
		t.Errorf("only %d mutants of the payload were refused by its schema", refused)
	}
}

func mustMarshalWith(t *testing.T, envelope, old, payload []byte) []byte {
	t.Helper()
	e, err := seal.ParseEnvelope(envelope)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(e.Payload, old) {
		t.Fatal("another envelope")
	}
	e.Payload = payload
	return sealtest.Marshal(t, e)
}

// mutants calls f with data changed in one place: each member removed, one
// added to each object, each two neighbours' values swapped, and each scalar
// replaced.
func mutants(t *testing.T, data []byte, f func(what string, mutant []byte)) {
	t.Helper()
	var root any
	if err := json.Unmarshal(data, &root); err != nil {
		t.Fatal(err)
	}
	original, err := json.Marshal(root)
	if err != nil {
		t.Fatal(err)
	}
	emit := func(what string) {
		out, err := json.Marshal(root)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(out, original) {
			f(what, out)
		}
	}
	walk(root, "", emit, func(v any) { root = v })
}

func walk(v any, at string, emit func(string), set func(any)) {
	switch x := v.(type) {
	case map[string]any:
		names := slices.Sorted(maps.Keys(x))
		for i, name := range names {
			path := strings.TrimPrefix(at+"."+name, ".")
			old := x[name]
			delete(x, name)
			emit(path + " removed")
			x[name] = nil
			emit(path + " null")
			x[name] = old
			if i > 0 {
				x[name], x[names[i-1]] = x[names[i-1]], x[name]
				emit(path + " swapped with " + names[i-1])
				x[name], x[names[i-1]] = x[names[i-1]], x[name]
			}
			walk(old, path, emit, func(v any) { x[name] = v })
		}
		x["added"] = "x"
		emit(at + " gained a member")
		delete(x, "added")
	case []any:
		for i, item := range x {
			walk(item, fmt.Sprintf("%s.%d", at, i), emit, func(v any) { x[i] = v })
		}
		set(append(slices.Clone(x), x...))
		emit(at + " doubled")
		set([]any{})
		emit(at + " emptied")
		set(x)
	default:
		for _, other := range []any{"x", 7.0, true, false, []any{}, map[string]any{}} {
			set(other)
			emit(fmt.Sprintf("%s replaced by %v", at, other))
		}
		set(v)
	}
}

// TestRelabelling is decision 10: no label may say other than the statement.
func TestRelabelling(t *testing.T) {
	key := sealtest.Key(t, keys.Ed25519, "k")
	k := sealtest.Keys(key)
	k.Roles = []seal.Role{seal.RolePublisher, seal.RoleRegistry, seal.RoleScanner}
	m := sealtest.Manifest(t, sealtest.Tools(t, 1)...)
	payload, err := seal.MarshalManifest(m)
	if err != nil {
		t.Fatal(err)
	}
	later := seal.NewTimestamp(sealtest.Time.Add(48 * time.Hour))
	past := seal.NewTimestamp(sealtest.Time.Add(time.Minute))
	st := sealtest.Statement()
	st.ExpiresAt = &later
	other := sealtest.Key(t, keys.Ed25519, "k")
	for name, tt := range map[string]struct {
		change func(e *seal.Envelope)
		want   seal.Code
	}{
		"role":            {func(e *seal.Envelope) { e.Signatures[0].Role = seal.RoleScanner }, seal.CodeSignatureInvalid},
		"no role":         {func(e *seal.Envelope) { e.Signatures[0].Role = "" }, seal.CodeSignatureInvalid},
		"type":            {func(e *seal.Envelope) { e.Signatures[0].Type = "malware_scan_clean" }, seal.CodeSignatureInvalid},
		"no type":         {func(e *seal.Envelope) { e.Signatures[0].Type = "" }, seal.CodeSignatureInvalid},
		"time":            {func(e *seal.Envelope) { e.Signatures[0].Timestamp = &later }, seal.CodeSignatureInvalid},
		"no time":         {func(e *seal.Envelope) { e.Signatures[0].Timestamp = nil }, seal.CodeSignatureInvalid},
		"no expiry":       {func(e *seal.Envelope) { e.Signatures[0].ExpiresAt = nil }, seal.CodeSignatureInvalid},
		"another expiry":  {func(e *seal.Envelope) { e.Signatures[0].ExpiresAt = &past }, seal.CodeSignatureInvalid},
		"another payload": {func(e *seal.Envelope) { e.Signatures[0].Details = attested(t, []byte("{}"), key, st) }, seal.CodeSignatureInvalid},
		"another signer":  {func(e *seal.Envelope) { e.Signatures[0].Details = attested(t, payload, other, st) }, seal.CodeSignatureInvalid},
		"expired": {func(e *seal.Envelope) {
			*e = *seal.NewEnvelope(payload)
			s := st
			s.ExpiresAt = &past
			if err := e.Attest(key, s); err != nil {
				t.Fatal(err)
			}
		}, seal.CodeSignatureExpired},
		"unbound as a scanner": {func(e *seal.Envelope) {
			e.Signatures[0].Details, e.Signatures[0].Role, e.Signatures[0].Type = nil, seal.RoleScanner, "malware_scan_clean"
		}, seal.CodeSignatureInvalid},
	} {
		e := seal.NewEnvelope(payload)
		if err := e.Attest(key, st); err != nil {
			t.Fatal(err)
		}
		tt.change(e)
		_, err := open(sealtest.Marshal(t, e), k)
		if got := seal.CodeOf(err, 0); got != tt.want {
			t.Errorf("%s: got %v, want %s", name, err, tt.want.Name())
		}
	}
}

// attested is the details member of key's attestation of payload.
func attested(t *testing.T, payload []byte, key seal.Signer, st seal.Statement) []byte {
	t.Helper()
	e := seal.NewEnvelope(payload)
	if err := e.Attest(key, st); err != nil {
		t.Fatal(err)
	}
	return e.Signatures[0].Details
}

// TestOneKeyOneRole is the end of decision 10a.
func TestOneKeyOneRole(t *testing.T) {
	key := sealtest.Key(t, keys.Ed25519, "k")
	e := sealtest.Seal(t, sealtest.Manifest(t, sealtest.Tools(t, 1)...), key)
	st := sealtest.Statement()
	st.Role, st.Type = seal.RoleRegistry, "namespace_verified"
	if err := e.Attest(key, st); err != nil {
		t.Fatal(err)
	}
	k := sealtest.Keys(key)
	k.Roles = []seal.Role{seal.RolePublisher, seal.RoleRegistry}
	o, err := open(sealtest.Marshal(t, e), k)
	if err != nil {
		t.Fatal(err)
	}
	if o.Has(seal.RoleRegistry, "namespace_verified") || len(o.Rejections) != 1 || o.Rejections[0].Err.Code != seal.CodeNotCounted {
		t.Errorf("got %+v, want the second role not counted", o)
	}
}

func FuzzParseEnvelope(f *testing.F) {
	key := sealtest.Key(f, keys.Ed25519, "k")
	f.Add(sealtest.Marshal(f, sealtest.Seal(f, sealtest.Manifest(f, sealtest.Tools(f, 1)...), key)))
	f.Add([]byte(`{"payloadType":"application/vnd.mcp-integrity.manifest+json","payload":"e30","signatures":[{"keyid":"","sig":"AA"}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		e, err := seal.ParseEnvelope(data)
		if err != nil {
			return
		}
		out, err := e.Marshal()
		if err != nil {
			t.Fatalf("read %q, and cannot write it: %v", data, err)
		}
		again, err := seal.ParseEnvelope(out)
		if err != nil || !bytes.Equal(again.Payload, e.Payload) || len(again.Signatures) != len(e.Signatures) {
			t.Fatalf("read back differently: %v", err)
		}
		if o, err := e.Open(t.Context(), sealtest.Keys(key), options); err == nil {
			_ = o.Manifest.Server
		}
	})
}

func FuzzParseManifest(f *testing.F) {
	good, err := seal.MarshalManifest(sealtest.Manifest(f, sealtest.Tools(f, 1)...))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Fuzz(func(t *testing.T, payload []byte) {
		m, err := seal.ParseManifest(payload)
		if err != nil {
			return
		}
		for i := range m.Tools {
			seal.Level(seal.Requirements(seal.Evidence{Tool: &m.Tools[i]}))
		}
		again, err := seal.MarshalManifest(m)
		if err != nil {
			t.Fatalf("read %q, and cannot write it: %v", payload, err)
		}
		if _, err := seal.ParseManifest(again); err != nil {
			t.Fatal(err)
		}
	})
}

func FuzzParseStatement(f *testing.F) {
	st, err := seal.MarshalStatement(sealtest.Statement(), []byte("{}"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(st, []byte("{}"))
	f.Fuzz(func(t *testing.T, data, payload []byte) {
		s, err := seal.ParseStatement(data, payload)
		if err != nil {
			return
		}
		if s.Role == "" || s.Type == "" {
			t.Fatalf("accepted %q without role or type", data)
		}
		if _, err := seal.MarshalStatement(s, payload); err != nil {
			t.Fatal(err)
		}
	})
}

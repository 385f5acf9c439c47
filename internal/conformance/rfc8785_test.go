package conformance

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"math"
	"strconv"
	"strings"
	"testing"

	"github.com/mcp-integrity/seal-action/seal"
	"github.com/mcp-integrity/seal-action/seal/fingerprint"
	"github.com/mcp-integrity/seal-action/seal/strictjson"
)

// TestRFC8785Data runs the six documents of RFC 8785's author, byte for byte,
// through everything that canonicalises.
func TestRFC8785Data(t *testing.T) {
	for _, name := range []string{"arrays", "french", "structures", "unicode", "values", "weird"} {
		t.Run(name, func(t *testing.T) {
			in := external(t, rfc8785Data, "testdata/input/"+name+".json")
			want := external(t, rfc8785Data, "testdata/output/"+name+".json")
			dump := strings.Join(strings.Fields(string(external(t, rfc8785Data, "testdata/outhex/"+name+".txt"))), "")
			if fromHex, err := hex.DecodeString(dump); err != nil || !bytes.Equal(fromHex, want) {
				t.Fatalf("the data's own hex dump says otherwise: %q, %v", fromHex, err)
			}
			got, err := strictjson.Canonical(in)
			if err != nil || !bytes.Equal(got, want) {
				t.Fatalf("got %q, %v; want %q", got, err, want)
			}
			d := &desk{TB: t}
			if _, err := seal.ParseManifest(d.payloadWith(want)); err != nil {
				t.Errorf("in a payload: %v", err)
			}
			if _, err := seal.ParseManifest(d.payloadWith(in)); err == nil {
				t.Error("in a payload, as it came: accepted")
			}
			// "arrays" is no object, and may stand in a schema only.
			schema := fmt.Appendf(nil, `{"default":%s}`, in)
			tool, err := fingerprint.ParseTool(fmt.Appendf(nil, `{"name":"t","inputSchema":%s,"annotations":%s,"outputSchema":%s}`, schema, schema, schema))
			if err != nil {
				t.Fatal(err)
			}
			for _, alg := range fingerprint.Algorithms {
				got, err := fingerprint.Of(tool, alg)
				if err != nil {
					t.Fatal(err)
				}
				wantDigest := alg.FromString(`{"default":` + string(want) + "}")
				if got.InputSchema != wantDigest || got.Annotations != wantDigest || got.OutputSchema != wantDigest {
					t.Errorf("in a tool: got %+v, want %s for each schema", got, wantDigest)
				}
			}
		})
	}
}

// rfc8785Numbers are RFC 8785, appendix B: doubles by their bits, and what is
// written of them; nothing where RFC 8785 §3.2.2.3 demands an error.
var rfc8785Numbers = []struct {
	bits uint64
	text string
}{
	{0x0000000000000000, "0"},                        // zero
	{0x8000000000000000, "0"},                        // minus zero
	{0x0000000000000001, "5e-324"},                   // least positive number
	{0x8000000000000001, "-5e-324"},                  // least negative number
	{0x7fefffffffffffff, "1.7976931348623157e+308"},  // greatest positive number
	{0xffefffffffffffff, "-1.7976931348623157e+308"}, // greatest negative number
	{0x4340000000000000, "9007199254740992"},         // greatest positive integer
	{0xc340000000000000, "-9007199254740992"},        // greatest negative integer
	{0x4430000000000000, "295147905179352830000"},    // about 2⁶⁸
	{0x7fffffffffffffff, ""},                         // NaN
	{0x7ff0000000000000, ""},                         // infinity
	{0x44b52d02c7e14af5, "9.999999999999997e+22"},
	{0x44b52d02c7e14af6, "1e+23"},
	{0x44b52d02c7e14af7, "1.0000000000000001e+23"},
	{0x444b1ae4d6e2ef4e, "999999999999999700000"},
	{0x444b1ae4d6e2ef4f, "999999999999999900000"},
	{0x444b1ae4d6e2ef50, "1e+21"},
	{0x3eb0c6f7a0b5ed8c, "9.999999999999997e-7"},
	{0x3eb0c6f7a0b5ed8d, "0.000001"},
	{0x41b3de4355555553, "333333333.3333332"},
	{0x41b3de4355555554, "333333333.33333325"},
	{0x41b3de4355555555, "333333333.3333333"},
	{0x41b3de4355555556, "333333333.3333334"},
	{0x41b3de4355555557, "333333333.33333343"},
	{0xbecbf647612f3696, "-0.0000033333333333333333"},
	{0x43143ff3c1cb0959, "1424953923781206.2"}, // round to even
}

// TestRFC8785Numbers writes each double in every form that holds it exactly,
// reads it, and wants the RFC's form.
func TestRFC8785Numbers(t *testing.T) {
	for _, n := range rfc8785Numbers {
		f := math.Float64frombits(n.bits)
		if n.text == "" {
			// JSON has no text for these; what a writer makes of them is refused.
			for _, text := range []string{strconv.FormatFloat(f, 'g', -1, 64), "Infinity", "NaN"} {
				if got, err := strictjson.Canonical([]byte(text)); err == nil {
					t.Errorf("%016x: %q is accepted as %q", n.bits, text, got)
				}
			}
			if got, err := strictjson.Marshal(f); err == nil {
				t.Errorf("%016x: written as %q", n.bits, got)
			}
			continue
		}
		for _, text := range []string{
			n.text,
			strconv.FormatFloat(f, 'e', 16, 64), // 17 digits name every double
			strconv.FormatFloat(f, 'e', 40, 64),
			strconv.FormatFloat(f, 'f', 400, 64),
			strings.ToUpper(strconv.FormatFloat(f, 'e', -1, 64)),
		} {
			if got, err := strictjson.Canonical([]byte(text)); err != nil || string(got) != n.text {
				t.Errorf("%016x: %.60q gives %q, %v; want %q", n.bits, text, got, err, n.text)
			}
		}
		if got, err := strictjson.Marshal(f); err != nil || string(got) != n.text {
			t.Errorf("%016x: written as %q, %v; want %q", n.bits, got, err, n.text)
		}
	}
}

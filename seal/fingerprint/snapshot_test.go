package fingerprint_test

import (
	"bytes"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mcp-integrity/seal-action/seal/fingerprint"
)

func TestSnapshotKeepsEveryByte(t *testing.T) {
	raws := [][]byte{
		[]byte(`{ "name" : "a", "inputSchema":{ "z":1.0, "a": "\u00e9"}, "x" : [ 1e2 ,  2 ] }`),
		[]byte("{\"name\":\"b\",\n\t\"description\":null, \"inputSchema\":{}}"),
	}
	tools, err := fingerprint.ParseTools(raws)
	if err != nil {
		t.Fatal(err)
	}
	s := &fingerprint.Snapshot{
		Server:     fingerprint.ServerInfo{Name: "s", Version: "1"},
		Conditions: fingerprint.Conditions{ProtocolVersion: "2025-11-25", Command: []string{"node", "x y"}, Env: []string{"A"}},
		Tools:      tools,
	}
	data, err := s.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	got, err := fingerprint.ParseSnapshot(data)
	if err != nil {
		t.Fatalf("%v\n%s", err, data)
	}
	if diff := cmp.Diff(s, got); diff != "" {
		t.Errorf("read back differently (-written +read):\n%s", diff)
	}
	again, err := got.Marshal()
	if err != nil || !bytes.Equal(again, data) {
		t.Errorf("written again: got\n%s (%v)\nwant\n%s", again, err, data)
	}
}

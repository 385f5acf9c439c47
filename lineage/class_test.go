package lineage

import "testing"

func TestClassifyTools(t *testing.T) {
	old := Side{Tools: parseTools(t, `{"name":"a","inputSchema":{}}`, `{"name":"b","description":"x","inputSchema":{}}`)}
	new := Side{Tools: parseTools(t, `{"name":"b","description":"y","inputSchema":{}}`, `{"name":"c","inputSchema":{}}`)}
	got := Classify(old, new)
	var classes []Class
	for _, c := range got.Changes {
		classes = append(classes, c.Class)
	}
	if len(classes) != 3 || classes[0] != ToolRemoved || classes[1] != DescriptionChanged || classes[2] != ToolAdded {
		t.Errorf("got %v", got)
	}
}

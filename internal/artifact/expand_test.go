package artifact

import (
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestExpand(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	for _, name := range []string{"b.tgz", "a.tgz", "dist/c.whl", "dist/mcp-integrity.json", "dist/mcp-integrity.interface.json", "[x].tgz"} {
		write(t, dir, name, "")
	}
	tests := map[string]struct {
		refs, want []string
		err        string
	}{
		"none":                 {nil, nil, ""},
		"names":                {[]string{"b.tgz", "./a.tgz"}, []string{"a.tgz", "b.tgz"}, ""},
		"twice":                {[]string{"a.tgz", "./a.tgz", "?.tgz"}, []string{"a.tgz", "b.tgz"}, ""},
		"pattern":              {[]string{"*/*.whl"}, []string{filepath.Join("dist", "c.whl")}, ""},
		"not what sealing did": {[]string{"dist/*"}, []string{filepath.Join("dist", "c.whl")}, ""},
		"but by name":          {[]string{"dist/mcp-integrity.json"}, []string{filepath.Join("dist", "mcp-integrity.json")}, ""},
		"literal brackets":     {[]string{"[x].tgz"}, []string{"[x].tgz"}, ""},
		"directory":            {[]string{"dist"}, []string{"dist"}, ""},
		"image":                {[]string{"oci://h.example/a:1", "a.tgz"}, []string{"a.tgz", "oci://h.example/a:1"}, ""},
		"not there":            {[]string{"a.tgz", "z.tgz"}, nil, `artifact "z.tgz"`},
		"nothing matches":      {[]string{"*.crate"}, nil, `artifact "*.crate": the pattern matches nothing`},
		"only what sealing did": {[]string{"dist/mcp-integrity*.json"}, nil,
			"the pattern matches nothing"},
		"bad pattern": {[]string{"["}, nil, "syntax error in pattern"},
		"bad image":   {[]string{"oci://a"}, nil, "names no registry"},
		"empty":       {[]string{""}, nil, "want a path, a pattern or an oci:// reference"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			before := slices.Clone(test.refs)
			got, err := Expand(test.refs)
			wantErr(t, err, test.err)
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("Expand (-want +got):\n%s", diff)
			}
			if !slices.Equal(before, test.refs) {
				t.Errorf("Expand changed its argument to %q", test.refs)
			}
		})
	}
}

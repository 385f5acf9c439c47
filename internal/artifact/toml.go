package artifact

import (
	"bytes"
	"fmt"

	"github.com/BurntSushi/toml"
)

// A table is a decoded TOML table. It is kept as a map so that keys match by
// exact bytes; the library's structs take "Name" for "name".
type table map[string]any

// parseTOML reads a TOML document. The library refuses duplicate keys and
// invalid UTF-8, and recurses for every open bracket: their number is bounded.
func parseTOML(data []byte) (table, error) {
	if len(data) > maxTOML {
		return nil, fmt.Errorf("%d bytes, want at most %d", len(data), maxTOML)
	}
	if n := bytes.Count(data, []byte("[")) + bytes.Count(data, []byte("{")); n > maxTOMLBrackets {
		return nil, fmt.Errorf("%d brackets, want at most %d", n, maxTOMLBrackets)
	}
	var t table
	if err := toml.Unmarshal(data, &t); err != nil {
		return nil, fmt.Errorf("%.300s", err.Error())
	}
	return t, nil
}

// table is the table at key; nil, which has nothing, where it is none.
func (t table) table(key string) table {
	v, _ := t[key].(map[string]any)
	return v
}

// string is the string at key, "" where it is none.
func (t table) string(key string) string {
	s, _ := t[key].(string)
	return s
}

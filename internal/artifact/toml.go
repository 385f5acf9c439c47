package artifact

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/pelletier/go-toml/v2"
)

// A table is a decoded TOML table. It is kept as a map so that keys match by
// exact bytes; the library's structs take "Name" for "name".
type table map[string]any

// parseTOML reads a TOML document. The library refuses duplicate keys, invalid
// UTF-8 and deep nesting; it compares every key of a table with all before it, so
// their number is bounded by what a key or a table cannot be without.
func parseTOML(data []byte) (table, error) {
	if len(data) > maxTOML {
		return nil, fmt.Errorf("%d bytes, want at most %d", len(data), maxTOML)
	}
	if n := bytes.Count(data, []byte("=")) + bytes.Count(data, []byte("[")); n > maxTOMLKeys {
		return nil, fmt.Errorf("%d keys and tables, want at most %d", n, maxTOMLKeys)
	}
	var t table
	if err := toml.Unmarshal(data, &t); err != nil {
		return nil, errors.New(oneLine(err.Error(), 300))
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

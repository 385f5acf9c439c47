package rules

import (
	"fmt"
	"reflect"
	"strings"

	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"

	"github.com/mcp-integrity/seal-action/seal"
)

// table holds the types of the language: CEL's own, and one for each Go struct
// that a variable leads to. It is fixed once it is built.
type table struct {
	types.Provider
	byName map[string]*shape
	byGo   map[reflect.Type]*shape
}

// shape is the type of one Go struct, whose members are those of its JSON form.
type shape struct {
	celType *types.Type
	members map[string]*member
	names   []string // of the members, in order
	memos   int      // how many members are kept once read
}

// member is a member of a shape.
type member struct {
	name    string
	celType *types.Type
	index   []int  // the path of Go fields, through embedded structs
	omitted bool   // JSON leaves the zero value out
	why     string // why an embedded pointer on the path is nil
	memo    int    // where an object keeps it; -1 where it is made anew
}

var (
	variablesType = reflect.TypeFor[variables]()
	timestampType = reflect.TypeFor[seal.Timestamp]()
	hiddenType    = reflect.TypeFor[hidden]()
)

// newTable returns the table and the shape of [variables].
func newTable() (*table, *shape, error) {
	base, err := types.NewRegistry()
	if err != nil {
		return nil, nil, err
	}
	t := &table{Provider: base, byName: map[string]*shape{}, byGo: map[reflect.Type]*shape{}}
	root, err := t.shapeOf(variablesType)
	return t, root, err
}

// shapeOf describes g and whatever it leads to.
func (t *table) shapeOf(g reflect.Type) (*shape, error) {
	if s, ok := t.byGo[g]; ok {
		return s, nil
	}
	// No expression can spell this name: rules read objects and make none.
	name := "object(" + g.String() + ")"
	if _, ok := t.byName[name]; ok {
		return nil, fmt.Errorf("two types are named %s", g)
	}
	s := &shape{
		celType: types.NewObjectType(name, traits.IndexerType, traits.FieldTesterType),
		members: map[string]*member{},
	}
	t.byGo[g], t.byName[name] = s, s
	return s, t.describe(s, g, nil, "")
}

// describe adds the fields of g to s, its own before those of the structs it
// embeds.
func (t *table) describe(s *shape, g reflect.Type, path []int, why string) error {
	var embedded []reflect.StructField
	for n := range g.NumField() {
		f := g.Field(n)
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case f.Anonymous && name == "":
			embedded = append(embedded, f)
			continue
		case name == "-":
			continue
		case name == "":
			return fmt.Errorf("%s.%s has no name in JSON", g, f.Name)
		}
		if _, ok := s.members[name]; ok {
			if len(path) > 0 && len(s.members[name].index) == 1 {
				continue // the outer one is meant
			}
			return fmt.Errorf("%s has two members %s", s.celType, name)
		}
		m := &member{name: name, index: append(append([]int{}, path...), n), omitted: strings.Contains(options, "omit"), why: why, memo: -1}
		s.members[name] = m
		if f.Type == hiddenType {
			continue
		}
		s.names = append(s.names, name)
		var err error
		if m.celType, err = t.celType(f.Type); err != nil {
			return fmt.Errorf("%s.%s: %w", g, f.Name, err)
		}
		if k := m.celType.Kind(); k == types.StructKind || k == types.ListKind {
			m.memo = s.memos
			s.memos++
		}
	}
	for _, f := range embedded {
		inner := f.Type
		if inner.Kind() == reflect.Pointer {
			inner = inner.Elem()
		}
		if err := t.describe(s, inner, append(append([]int{}, path...), f.Index...), f.Tag.Get("absent")); err != nil {
			return err
		}
	}
	return nil
}

// celType is the type in the language of a Go type.
func (t *table) celType(g reflect.Type) (*types.Type, error) {
	if g.Kind() == reflect.Pointer {
		g = g.Elem()
	}
	if g == timestampType {
		return types.TimestampType, nil
	}
	switch g.Kind() {
	case reflect.Bool:
		return types.BoolType, nil
	case reflect.String:
		return types.StringType, nil
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return types.IntType, nil
	case reflect.Slice:
		of, err := t.celType(g.Elem())
		if err != nil {
			return nil, err
		}
		return types.NewListType(of), nil
	case reflect.Struct:
		s, err := t.shapeOf(g)
		if err != nil {
			return nil, err
		}
		return s.celType, nil
	}
	return nil, fmt.Errorf("the language has no type for %s", g)
}

// FindStructType implements [types.Provider].
func (t *table) FindStructType(name string) (*types.Type, bool) {
	if s, ok := t.byName[name]; ok {
		return types.NewTypeTypeWithParam(s.celType), true
	}
	return t.Provider.FindStructType(name)
}

// FindStructFieldNames implements [types.Provider].
func (t *table) FindStructFieldNames(name string) ([]string, bool) {
	if s, ok := t.byName[name]; ok {
		return s.names, true
	}
	return t.Provider.FindStructFieldNames(name)
}

// FindStructFieldType implements [types.Provider].
func (t *table) FindStructFieldType(name, field string) (*types.FieldType, bool) {
	s, ok := t.byName[name]
	if !ok {
		return t.Provider.FindStructFieldType(name, field)
	}
	m, ok := s.members[field]
	if !ok || m.celType == nil {
		return nil, false
	}
	return &types.FieldType{
		Type: m.celType,
		IsSet: func(target any) bool {
			o, ok := target.(*object)
			return ok && o.shape == s && o.has(m)
		},
		GetFrom: func(target any) (any, error) {
			o, ok := target.(*object)
			if !ok || o.shape != s {
				return nil, fmt.Errorf("%s: got a %T, want a %s", field, target, s.celType)
			}
			return o.get(m)
		},
	}, true
}

// NewValue implements [types.Provider].
func (t *table) NewValue(name string, fields map[string]ref.Val) ref.Val {
	if s, ok := t.byName[name]; ok {
		return types.NewErr("a rule makes no %s", s.celType)
	}
	return t.Provider.NewValue(name, fields)
}

package rules

import (
	"fmt"
	"reflect"

	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"

	"github.com/mcp-integrity/seal-action/seal"
)

// object is a Go struct as a value of the language. It belongs to one evaluation
// and one goroutine.
type object struct {
	table *table
	shape *shape
	value reflect.Value // a struct
	// memo has the objects and lists that were read: a loop in a loop would
	// otherwise make them again at every turn, and no cost would show it.
	memo []ref.Val
}

// absentError says that a member is not there.
type absentError struct{ member, why string }

func (e *absentError) Error() string {
	if e.why != "" {
		return e.member + " is absent: " + e.why
	}
	return e.member + " is absent"
}

// field finds m, through pointers.
func (o *object) field(m *member) (reflect.Value, error) {
	v := o.value
	for _, n := range m.index {
		if v.Kind() == reflect.Pointer {
			if v.IsNil() {
				return v, &absentError{m.name, m.why}
			}
			v = v.Elem()
		}
		v = v.Field(n)
	}
	switch k := v.Kind(); {
	case (k == reflect.Pointer || k == reflect.Slice) && v.IsNil(), m.omitted && v.IsZero():
		return v, &absentError{m.name, ""}
	case k == reflect.Pointer:
		v = v.Elem()
	}
	return v, nil
}

func (o *object) has(m *member) bool {
	_, err := o.field(m)
	return err == nil
}

func (o *object) get(m *member) (ref.Val, error) {
	if m.memo >= 0 && o.memo != nil && o.memo[m.memo] != nil {
		return o.memo[m.memo], nil
	}
	v, err := o.field(m)
	if err != nil {
		return nil, err
	}
	val := o.table.val(v)
	if m.memo >= 0 {
		if o.memo == nil {
			o.memo = make([]ref.Val, o.shape.memos)
		}
		o.memo[m.memo] = val
	}
	return val, nil
}

// val is v in the language; v is of a type that [table.celType] knows, and no
// nil pointer.
func (t *table) val(v reflect.Value) ref.Val {
	if v.Kind() == reflect.Pointer {
		v = v.Elem()
	}
	if v.Type() == timestampType {
		return types.Timestamp{Time: v.Interface().(seal.Timestamp).Time}
	}
	switch v.Kind() {
	case reflect.Bool:
		return types.Bool(v.Bool())
	case reflect.String:
		return types.String(v.String())
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return types.Int(v.Int())
	case reflect.Slice:
		vals := make([]ref.Val, v.Len())
		for n := range vals {
			vals[n] = t.val(v.Index(n))
		}
		return types.NewRefValList(types.DefaultTypeAdapter, vals)
	case reflect.Struct:
		return t.object(v)
	}
	return types.NewErr("the language has no type for %s", v.Type())
}

func (t *table) object(v reflect.Value) *object {
	return &object{table: t, shape: t.byGo[v.Type()], value: v}
}

// Get implements [traits.Indexer].
func (o *object) Get(index ref.Val) ref.Val {
	m, err := o.member(index)
	if err != nil {
		return types.WrapErr(err)
	}
	v, err := o.get(m)
	if err != nil {
		return types.WrapErr(err)
	}
	return v
}

// IsSet implements [traits.FieldTester].
func (o *object) IsSet(field ref.Val) ref.Val {
	m, err := o.member(field)
	if err != nil {
		return types.WrapErr(err)
	}
	return types.Bool(o.has(m))
}

// member finds the member that a rule names past the type-check, by dyn.
func (o *object) member(name ref.Val) (*member, error) {
	s, ok := name.(types.String)
	if !ok {
		return nil, fmt.Errorf("a %s is no name of a member", name.Type())
	}
	m, ok := o.shape.members[string(s)]
	if !ok || m.celType == nil {
		return nil, fmt.Errorf("%s has no member %.100q", o.shape.celType, string(s))
	}
	return m, nil
}

// Equal implements [ref.Val]: objects of one type are equal where all that they
// hold is.
func (o *object) Equal(other ref.Val) ref.Val {
	p, ok := other.(*object)
	return types.Bool(ok && o.shape == p.shape && reflect.DeepEqual(o.value.Interface(), p.value.Interface()))
}

// ConvertToType implements [ref.Val].
func (o *object) ConvertToType(t ref.Type) ref.Val {
	switch t {
	case types.TypeType:
		return o.shape.celType
	case o.shape.celType:
		return o
	}
	return types.NewErr("a %s is no %s", o.shape.celType, t)
}

// ConvertToNative implements [ref.Val].
func (o *object) ConvertToNative(want reflect.Type) (any, error) {
	return nil, fmt.Errorf("a %s is no %s", o.shape.celType, want)
}

// Type implements [ref.Val].
func (o *object) Type() ref.Type { return o.shape.celType }

// Value implements [ref.Val].
func (o *object) Value() any { return o }

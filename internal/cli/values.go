package cli

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/pflag"
)

// source is where an option's value came from, in the order of precedence.
type source int

const (
	unset source = iota
	fromDefault
	fromEnvironment
	fromInput
	fromFlag
)

type value struct {
	items  []string
	source source
}

// values are a command's options, resolved. Asking for an option that the
// command does not have is a bug, and panics.
type values map[string]value

func (v values) lookup(name string) value {
	val, ok := v[name]
	if !ok {
		panic(fmt.Sprintf("option --%s is not declared for this command", name))
	}
	return val
}

// str returns the value of a text option, "" when unset.
func (v values) str(name string) string { return strings.Join(v.lookup(name).items, "\n") }

// list returns the items of a list option.
func (v values) list(name string) []string { return v.lookup(name).items }

// is returns a boolean option.
func (v values) is(name string) bool { return v.str(name) == "true" }

// duration returns a duration option; 0 when unset.
func (v values) duration(name string) time.Duration {
	d, err := parseDuration(v.str(name))
	if err != nil {
		panic(err) // resolve has parsed it already
	}
	return d
}

// given says that somebody set the option: it is no default.
func (v values) given(name string) bool { return v.lookup(name).source > fromDefault }

// flagValue collects what the command line says of one option.
type flagValue struct {
	opt   option
	items []string
}

func (f *flagValue) String() string { return strings.Join(f.items, "\n") }

// Type is what help shows where the text names no placeholder.
func (f *flagValue) Type() string {
	if f.opt.kind == boolean {
		return "bool"
	}
	return "VALUE"
}

func (f *flagValue) Set(s string) error {
	if f.opt.kind != list && len(f.items) > 0 {
		return fmt.Errorf("given twice")
	}
	f.items = append(f.items, s)
	return nil
}

// addFlags declares the flags of a command, aliases hidden beside their names.
func addFlags(set *pflag.FlagSet, name string) map[string]*flagValue {
	set.SortFlags = false
	flags := map[string]*flagValue{}
	for _, o := range optionsOf(name) {
		for i, n := range append([]string{o.name}, o.aliases...) {
			f := &flagValue{opt: o}
			flags[n] = f
			flag := set.VarPF(f, n, "", o.usage())
			flag.Hidden = i > 0
			flag.DefValue = ""
			if o.kind == boolean {
				flag.NoOptDefVal = "true"
			}
		}
	}
	return flags
}

func (o option) usage() string {
	text := o.help
	if o.values != nil {
		text += ": " + strings.Join(o.values, ", ")
	}
	if o.def != "" {
		text += " (default " + o.def + ")"
	}
	if o.trust {
		text += " ⚿"
	}
	return text
}

// resolve finds the value of every option of a command: its flag, else
// INPUT_<NAME> (upper case, hyphens kept, as GitHub passes inputs), else
// MCP_INTEGRITY_<NAME> (hyphens as underscores), else the default. Empty is
// unset. An alias beside its name with another value is wrong use.
//
// What decides trust does not come from the ambient environment: such
// variables are passed over, and returned by name.
func resolve(command string, flags map[string]*flagValue, getenv func(string) string) (vals values, passedOver []string, err error) {
	vals = values{}
	for _, o := range optionsOf(command) {
		var got value
		var by string
		for _, n := range append([]string{o.name}, o.aliases...) {
			v, ambient := o.find(n, flags[n], getenv)
			if ambient != "" {
				passedOver = append(passedOver, ambient)
			}
			switch {
			case v.source == unset:
			case got.source == unset:
				got, by = v, n
			case !slices.Equal(got.items, v.items):
				return nil, nil, usagef("--%s and --%s name one option and have different values", by, n)
			}
		}
		if got.source == unset {
			got.source = fromDefault
			if o.def != "" {
				got.items = []string{o.def}
			}
		}
		if err := o.check(got); err != nil {
			return nil, nil, err
		}
		vals[o.name] = got
	}
	return vals, passedOver, nil
}

// find looks for one name of an option. passedOver names a variable that is
// set and does not count.
func (o option) find(name string, flag *flagValue, getenv func(string) string) (v value, passedOver string) {
	items := slices.DeleteFunc(slices.Clone(flag.items), func(s string) bool { return s == "" })
	if len(items) > 0 {
		return value{items, fromFlag}, ""
	}
	if items := o.split(getenv("INPUT_" + strings.ToUpper(name))); items != nil {
		return value{items, fromInput}, ""
	}
	ambient := "MCP_INTEGRITY_" + strings.ToUpper(strings.ReplaceAll(name, "-", "_"))
	items = o.split(getenv(ambient))
	switch {
	case items == nil:
		return value{}, ""
	case o.trust:
		return value{}, ambient
	}
	return value{items, fromEnvironment}, ""
}

func (o option) split(s string) []string {
	if strings.TrimSpace(s) == "" {
		return nil
	}
	if o.kind != list {
		return []string{strings.TrimSpace(s)}
	}
	var items []string
	for _, line := range strings.Split(s, "\n") {
		if line = strings.TrimSpace(line); line != "" {
			items = append(items, line)
		}
	}
	return items
}

func (o option) check(v value) error {
	for _, s := range v.items {
		if o.values != nil && !slices.Contains(o.values, s) {
			return usagef("--%s: got %.60q, want one of %s", o.name, s, strings.Join(o.values, ", "))
		}
		switch o.kind {
		case boolean:
			if s != "true" && s != "false" {
				return usagef("--%s: got %.60q, want true or false", o.name, s)
			}
		case duration:
			if _, err := parseDuration(s); err != nil {
				return usagef("--%s: %w", o.name, err)
			}
		}
	}
	return nil
}

// parseDuration reads Go's durations, and whole days as 30d.
func parseDuration(s string) (time.Duration, error) {
	if s == "" {
		return 0, nil
	}
	if days, ok := strings.CutSuffix(s, "d"); ok {
		if n, err := strconv.ParseUint(days, 10, 16); err == nil && n > 0 {
			return time.Duration(n) * 24 * time.Hour, nil
		}
	}
	d, err := time.ParseDuration(s)
	if err != nil || d <= 0 {
		return 0, fmt.Errorf("got %.40q, want a positive duration such as 30s, 12h or 30d", s)
	}
	return d, nil
}

// has says that the command has the option at all.
func (v values) has(name string) bool {
	_, ok := v[name]
	return ok
}

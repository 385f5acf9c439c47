package strictyaml

import (
	"fmt"
	"strings"
)

// anyOfMessage is for alternatives that are all texts.
func (x *explainer) anyOfMessage(n *Node) string {
	if n.Kind != String {
		return typeMessage(n, []string{string(String)})
	}
	return x.format.AnyOf(n.Text)
}

func (x *explainer) enumMessage(n *Node, want []any, url string) string {
	names := make([]string, len(want))
	for i, w := range want {
		names[i] = fmt.Sprint(w)
	}
	if n.Kind != String {
		return fmt.Sprintf("is %s, want one of %s", n.describe(), strings.Join(names, ", "))
	}
	if x.format.Enum != nil {
		if said := x.format.Enum(url); said != "" {
			return fmt.Sprintf("unknown value %s, %s", Quoted(n.Text), said)
		}
	}
	if guess := Nearest(n.Text, names); guess != "" {
		return fmt.Sprintf("unknown value %s, did you mean %q?", Quoted(n.Text), guess)
	}
	return fmt.Sprintf("unknown value %s, want one of %s", Quoted(n.Text), strings.Join(names, ", "))
}

// typeMessage is [typeMessage], with the unit that a number lacks.
func (x *explainer) typeMessage(n *Node, want []string, url string) string {
	if n.Kind == Number && kindOf(want) == String && x.format.Unit != nil {
		if unit := x.format.Unit(url); unit != "" {
			return fmt.Sprintf("is %s, want a text with its unit: write %s%s", n.describe(), Bounded(n.Text, MaxQuoted), unit)
		}
	}
	return typeMessage(n, want)
}

// typeMessage says what n is, what it should be, and how to write that.
func typeMessage(n *Node, want []string) string {
	is := fmt.Sprintf("is %s, want %s", n.describe(), wantName(want))
	switch w := kindOf(want); {
	case w == String && (n.Kind == Number || n.Kind == Boolean):
		return is + fmt.Sprintf(": write %q", Bounded(n.Text, MaxQuoted))
	case w == Array && n.Kind == String && isWord(n.Text):
		return is + fmt.Sprintf(": write [%s]", n.Text)
	case w == Array && n.Kind == Null:
		return is + ": write [] for none"
	case w == Boolean && n.Kind == String:
		switch strings.ToLower(n.Text) {
		case "yes", "on", "y", "true":
			return is + ": write true"
		case "no", "off", "n", "false":
			return is + ": write false"
		}
	}
	return is
}

// kindOf is the first kind that is wanted.
func kindOf(want []string) Kind {
	for _, w := range want {
		if w != string(Null) {
			return Kind(w)
		}
	}
	return Null
}

func wantName(want []string) string {
	var names []string
	for _, w := range want {
		if w != string(Null) {
			names = append(names, kindName(Kind(w)))
		}
	}
	return strings.Join(names, " or ")
}

// kindName is a kind in words; besides the kinds of nodes, a schema may want a
// whole number.
func kindName(k Kind) string {
	switch k {
	case Object:
		return "a mapping"
	case Array:
		return "a list"
	case String:
		return "a text"
	case Boolean:
		return "true or false"
	case "integer":
		return "a whole number"
	}
	return string(k)
}

func (n *Node) describe() string {
	switch n.Kind {
	case Object:
		return "a mapping"
	case Array:
		return "a list"
	case String:
		return "the text " + Quoted(n.Text)
	case Number:
		return "the number " + Bounded(n.Text, MaxQuoted)
	case Boolean:
		return n.Text
	}
	return "empty"
}

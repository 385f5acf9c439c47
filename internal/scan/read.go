package scan

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/mcp-integrity/seal-action/seal/strictjson"
)

// Read reads one scanner's report and recognises its format. It returns an error
// when data is none of the formats, or more than one, or is not what its format
// says; a report of a failed scan is no error, but never complete.
func Read(data []byte) (Report, error) {
	if len(data) > MaxSize {
		return Report{}, fmt.Errorf("scan report: got %d bytes, want at most %d", len(data), MaxSize)
	}
	// Some tools on Windows put a byte order mark before their JSON.
	text := bytes.TrimPrefix(data, []byte("\ufeff"))
	if len(bytes.TrimSpace(text)) == 0 {
		return Report{}, errors.New("scan report: it is empty, which says nothing about a scan")
	}
	if err := strictjson.Check(text); err != nil {
		return Report{}, fmt.Errorf("scan report: %w", err)
	}
	format, err := recognise(text)
	if err != nil {
		return Report{}, fmt.Errorf("scan report: %w", err)
	}
	r := &reader{Report: Report{Format: format, Digest: digestOf(data), Kinds: map[Kind]int{}}, rules: map[string]bool{}, seen: map[Target]bool{}}
	if err := r.read(text); err != nil {
		return Report{}, fmt.Errorf("%s report: %w", format, err)
	}
	return r.Report, nil
}

// marks are the members at the top by which a format is known.
var marks = map[string]Format{
	"runs":          SARIF,
	"SchemaVersion": Trivy,
	"matches":       Grype,
	"results":       OSVScanner,
	"scan_results":  MCPScanner,
}

// osvTop are the members that osv-scanner writes at the top. Many tools have
// "results", and each means another thing by it.
var osvTop = []string{"results", "experimental_config", "experimental_generic_findings", "image_metadata", "license_summary"}

func recognise(text []byte) (Format, error) {
	names, err := topNames(text)
	if err != nil {
		return "", err
	}
	var fits []string
	for _, name := range names {
		if _, ok := marks[name]; ok {
			fits = append(fits, name)
		}
	}
	switch len(fits) {
	case 0:
		return "", errors.New("it is none of the formats SARIF 2.1.0, trivy, grype, osv-scanner and mcp-scanner (want runs, SchemaVersion, matches, results or scan_results at the top)")
	case 1:
	default:
		return "", fmt.Errorf("it could be of several formats: it has the members %s", strings.Join(fits, ", "))
	}
	format := marks[fits[0]]
	if format == OSVScanner {
		for _, name := range names {
			if !slices.Contains(osvTop, name) {
				return "", fmt.Errorf("it has results, but is not of osv-scanner, which writes no member %.100q", name)
			}
		}
	}
	return format, nil
}

// topNames returns the names of the members of the one object in text.
func topNames(text []byte) ([]string, error) {
	d := jsontext.NewDecoder(bytes.NewBuffer(text))
	if d.PeekKind() != '{' {
		return nil, fmt.Errorf("got a JSON value that begins with %q, want an object", d.PeekKind().String())
	}
	if _, err := d.ReadToken(); err != nil {
		return nil, err
	}
	var names []string
	for d.PeekKind() != '}' {
		if len(names) == maxTop {
			return nil, fmt.Errorf("got more than %d members at the top: no format has as many", maxTop)
		}
		name, err := d.ReadToken()
		if err != nil {
			return nil, err
		}
		names = append(names, name.String())
		if err := d.SkipValue(); err != nil {
			return nil, err
		}
	}
	return names, nil
}

// reader is a report in the making.
type reader struct {
	Report
	rules map[string]bool
	seen  map[Target]bool
	err   error // the first thing that makes the whole report unreadable
}

func (r *reader) read(text []byte) error {
	var err error
	switch r.Format {
	case SARIF:
		err = r.sarif(text)
	case Trivy:
		err = r.trivy(text)
	case Grype:
		err = r.grype(text)
	case OSVScanner:
		err = r.osv(text)
	case MCPScanner:
		err = r.mcp(text)
	}
	if r.err != nil {
		return r.err
	}
	if err != nil {
		return err
	}
	if r.Tool == "" {
		return errors.New("it does not name its tool")
	}
	if len(r.rules) > maxRules {
		return fmt.Errorf("got more than %d rules", maxRules)
	}
	r.Rules, err = rulesOf(r.rules)
	return err
}

// fail keeps the first error; what is decoded goes on, and is thrown away.
func (r *reader) fail(format string, args ...any) {
	if r.err == nil {
		r.err = fmt.Errorf(format, args...)
	}
}

// against counts n findings that speak against the report.
func (r *reader) against(kind Kind, s grade, n int, id string) {
	if total := r.Counts.Against() + n; n > maxItems || total > maxItems {
		r.fail("got %d findings or more, want at most %d", total, maxItems)
		return
	}
	r.Counts.add(s, n)
	r.Kinds[kind] += n
	if len(r.Why) < maxWhy {
		r.Why = append(r.Why, fmt.Sprintf("%.60q (%s, %s)", id, s, kind))
	}
}

// gap notes why the report is not that of a complete scan, each reason once.
func (r *reader) gap(format string, args ...any) {
	why := fmt.Sprintf(format, args...)
	if len(r.Gaps) < maxWhy && !slices.Contains(r.Gaps, why) {
		r.Gaps = append(r.Gaps, why)
	}
}

// unread notes members that this package does not know, in an object that
// carries a verdict: what is nested there may be findings under a new name, or
// under an old one in another case.
func (r *reader) unread(where string, rest jsontext.Value) {
	if len(rest) == 0 {
		return
	}
	d := jsontext.NewDecoder(bytes.NewReader(rest))
	if _, err := d.ReadToken(); err != nil {
		r.fail("%s: %w", where, err)
		return
	}
	for d.PeekKind() != '}' {
		token, err := d.ReadToken()
		if err != nil {
			r.fail("%s: %w", where, err)
			return
		}
		name := token.String()
		value, err := d.ReadValue()
		if err != nil {
			r.fail("%s: %w", where, err)
			return
		}
		if k := value.Kind(); (k == '{' || k == '[') && len(value) > len("[]") {
			r.gap("%s has a member %.60q, which is not known and may hold findings", where, name)
		}
	}
}

// tool sets name and version, which go into a signed statement: they are
// printable and short, or the report is refused.
func (r *reader) tool(name, version string) {
	if err := printable(name, maxName); err != nil || name == "" {
		r.fail("the tool's name is %.100q; want 1 to %d printable bytes", name, maxName)
		return
	}
	if err := printable(version, maxName); err != nil {
		r.fail("the version of %s is %.100q; want at most %d printable bytes", name, version, maxName)
		return
	}
	if r.Tool != "" && (r.Tool != name || r.Version != version) {
		r.fail("it has runs of %q %q and of %q %q: attest each tool's report by itself", r.Tool, r.Version, name, version)
		return
	}
	r.Tool, r.Version = name, version
}

var errUnprintable = errors.New("not printable, or too long")

// printable refuses what would act on a terminal or be invisible: control and
// format characters, and spaces other than U+0020.
func printable(s string, limit int) error {
	if len(s) > limit || strings.ContainsFunc(s, func(c rune) bool { return !unicode.IsPrint(c) }) {
		return errUnprintable
	}
	return nil
}

package artifact

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Expand gives the artifacts that refs mean: paths, glob patterns (the syntax of
// [path/filepath.Match]) and oci:// references, which pass through. The result
// is sorted and names nothing twice. A path that is not there and a pattern that
// matches nothing are errors: an artifact that is left out is not sealed. What
// sealing itself wrote is not matched by a pattern.
func Expand(refs []string) ([]string, error) {
	var all []string
	for _, ref := range refs {
		found, err := expand(ref)
		if err != nil {
			return nil, err
		}
		if all = append(all, found...); len(all) > maxRefs {
			return nil, fmt.Errorf("more than %d artifacts", maxRefs)
		}
	}
	slices.Sort(all)
	return slices.Compact(all), nil
}

func expand(ref string) ([]string, error) {
	if isRemote(ref) {
		if _, err := parseReference(strings.TrimPrefix(ref, remotePrefix)); err != nil {
			return nil, fmt.Errorf("artifact %.200q: %w", ref, err)
		}
		return []string{ref}, nil
	}
	if ref == "" {
		return nil, fmt.Errorf("artifact %q: want a path, a pattern or an oci:// reference", ref)
	}
	// A name with brackets in it is itself before it is a pattern.
	if _, err := os.Lstat(ref); err == nil {
		return []string{filepath.Clean(ref)}, nil
	} else if !strings.ContainsAny(ref, "*?[") {
		return nil, fmt.Errorf("artifact %.200q: %w", ref, bare(err))
	}
	found, err := filepath.Glob(ref)
	if err != nil {
		return nil, fmt.Errorf("artifact %.200q: %w", ref, err)
	}
	found = slices.DeleteFunc(found, func(p string) bool { return slices.Contains(leftOutFiles, filepath.Base(p)) })
	if len(found) == 0 {
		return nil, fmt.Errorf("artifact %.200q: the pattern matches nothing", ref)
	}
	for i, p := range found {
		found[i] = filepath.Clean(p)
	}
	return found, nil
}

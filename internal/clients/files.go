package clients

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// place is a file that may exist.
type place struct {
	file    string
	project string // the project that it belongs to; "" is none
	folder  string // what the `*` of its path stands for; "" is none
}

// owner is the project that something in the file belongs to: a file of the
// person has one for each of its parts, or none.
func (p place) owner(where hit) string {
	if where.star != "" {
		return where.star
	}
	return p.project
}

// files returns the files that a row of the table means here.
func (f *finder) files(src *source) []place {
	t := src.paths.linux
	switch f.GOOS {
	case "darwin":
		t = src.paths.darwin
	case "windows":
		t = src.paths.windows
	}
	if t == "" {
		return nil
	}
	name, rest, _ := strings.Cut(strings.TrimPrefix(t, "{"), "}/")
	if name == "project" {
		var all []place
		for _, dir := range f.projects {
			all = append(all, place{file: filepath.Join(dir, filepath.FromSlash(rest)), project: dir})
		}
		return all
	}
	root := f.root(name)
	if root == "" {
		return nil
	}
	before, after, star := strings.Cut(rest, "*/")
	if !star {
		return []place{{file: filepath.Join(root, filepath.FromSlash(rest))}}
	}
	return f.folders(src, filepath.Join(root, filepath.FromSlash(before)), filepath.FromSlash(after))
}

// root is the directory that a name in a template stands for; "" if it has none
// here.
func (f *finder) root(name string) string {
	switch name {
	case "home":
		return f.Home
	case "config":
		return f.configDir()
	case "local":
		return f.firstDir(f.Getenv("LOCALAPPDATA"), "AppData", "Local")
	case "claude":
		return f.firstDir(f.Getenv("CLAUDE_CONFIG_DIR"))
	case "dotclaude":
		return f.firstDir(f.Getenv("CLAUDE_CONFIG_DIR"), ".claude")
	default: // system
		switch {
		case f.SystemRoot != "":
			return f.SystemRoot
		case f.GOOS == "windows":
			if d := f.Getenv("SystemDrive"); d != "" {
				return d + `\`
			}
			return `C:\`
		}
		return "/"
	}
}

// configDir is os.UserConfigDir for any operating system.
func (f *finder) configDir() string {
	switch {
	case f.ConfigDir != "":
		return f.ConfigDir
	case f.GOOS == "windows":
		return f.firstDir(f.Getenv("APPDATA"), "AppData", "Roaming")
	case f.GOOS == "darwin":
		return f.firstDir("", "Library", "Application Support")
	}
	return f.firstDir(f.Getenv("XDG_CONFIG_HOME"), ".config")
}

// firstDir is dir if it is absolute, else the one below the home directory.
func (f *finder) firstDir(dir string, below ...string) string {
	if filepath.IsAbs(dir) {
		return dir
	}
	if f.Home == "" {
		return ""
	}
	return filepath.Join(append([]string{f.Home}, below...)...)
}

// folders returns after in each folder of dir, in order.
func (f *finder) folders(src *source, dir, after string) []place {
	d, err := os.Open(dir) // #nosec G304 -- a documented place
	if err != nil {
		if !errors.Is(err, fs.ErrNotExist) {
			f.problem(src.client, dir, 0, "%v", cause(err))
		}
		return nil
	}
	defer d.Close()
	names, err := d.Readdirnames(maxEntries + 1)
	if err != nil && err != io.EOF {
		f.problem(src.client, dir, 0, "%v", cause(err))
	}
	slices.Sort(names)
	if len(names) > maxEntries {
		f.problem(src.client, dir, 0, "more than %d entries: the rest is left out", maxEntries)
		names = names[:maxEntries]
	}
	var all []place
	for _, n := range names {
		sub := filepath.Join(dir, n)
		// A link to a folder is one, and other files are none.
		if info, err := os.Stat(sub); err == nil && info.IsDir() {
			all = append(all, place{file: filepath.Join(sub, after), folder: sub})
		}
	}
	return all
}

// upwards returns the project's directory and those above it up to the root of
// its repository; only itself where there is none, since what stands above is
// then anybody's.
func (f *finder) upwards() []string {
	if f.Project == "" {
		return nil
	}
	start, err := filepath.Abs(f.Project)
	if err != nil {
		f.problem("", f.Project, 0, "%v", err)
		return nil
	}
	var all []string
	for dir := start; len(all) < maxUp; dir = filepath.Dir(dir) {
		all = append(all, dir)
		// A worktree and a submodule have a file there.
		if _, err := os.Lstat(filepath.Join(dir, ".git")); err == nil {
			return all
		}
		if filepath.Dir(dir) == dir {
			break
		}
	}
	return []string{start}
}

// cause is err without the path, which stands beside it already.
func cause(err error) error {
	if p, ok := errors.AsType[*fs.PathError](err); ok {
		return p.Err
	}
	return err
}

// read returns the bytes of a regular file, nil if there is no such file. Links
// are followed. Whatever else it is, it does not block.
func read(file string, limit int64) ([]byte, error) {
	info, err := os.Stat(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, errors.New("not a regular file")
	}
	// Between the look and the opening it can have become a pipe.
	in, err := os.OpenFile(file, os.O_RDONLY|openNonblock, 0) // #nosec G304 -- a documented place
	if err != nil {
		return nil, err
	}
	defer in.Close()
	if info, err = in.Stat(); err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, errors.New("not a regular file")
	}
	data, err := io.ReadAll(io.LimitReader(in, limit+1))
	if err != nil {
		return nil, err
	}
	if int64(len(data)) > limit {
		return nil, fmt.Errorf("larger than %d bytes", limit)
	}
	if data == nil {
		data = []byte{}
	}
	return data, nil
}

// isAbs is filepath.IsAbs for the system that the configuration is for.
func isAbs(goos, p string) bool {
	if goos != "windows" {
		return filepath.IsAbs(p)
	}
	drive := len(p) > 2 && p[1] == ':' && (p[2] == '\\' || p[2] == '/')
	return drive || strings.HasPrefix(p, `\\`) || filepath.IsAbs(p)
}

// sameDir compares two directories as they are written.
func sameDir(a, b string) bool {
	return filepath.Clean(filepath.FromSlash(a)) == filepath.Clean(filepath.FromSlash(b))
}

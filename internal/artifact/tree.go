package artifact

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/opencontainers/go-digest"
	"golang.org/x/sync/errgroup"
)

// treePrefix opens the listing that a tree digest covers; see the package
// comment. Another format gets another number.
const treePrefix = "mcp-integrity tree v1\n"

// The kinds of a tree's entries.
const (
	treeFile       = 'f'
	treeExecutable = 'x'
	treeLink       = 'l'
)

// A treeEntry is a line of the listing. The producer makes it, a worker fills
// in content, size and err and then closes done.
type treeEntry struct {
	kind   byte
	path   string
	info   fs.FileInfo
	target string        // of a link
	size   int64         // of the content
	hash   digest.Digest // of the content
	err    error
	done   chan struct{}
}

// appendLine writes the entry as the package comment says.
func (e *treeEntry) appendLine(w io.Writer) {
	fmt.Fprintf(w, "%c %d %s %d %s\n", e.kind, len(e.path), e.path, e.size, e.hash.Encoded())
}

// A treeDigest is what hashing a directory gives.
type treeDigest struct {
	digest digest.Digest
	size   int64
	// files are the contents of the wanted files at the root, as hashed.
	files map[string][]byte
	// leaving are links whose target is not in the tree.
	leaving []string
}

// treeReader hashes one directory. Files are hashed by several workers; the
// listing is written in order all the same. It holds no more than a few hundred
// entries and the names of the directories it is in.
type treeReader struct {
	root    *os.Root
	alg     digest.Algorithm
	meter   *meter
	entries int
	work    chan *treeEntry // to the workers
	order   chan *treeEntry // to the listing
}

// treeQueue is how many entries the workers may be ahead of the listing.
const treeQueue = 256

// hashTree gives the tree digest of dir, and the content of those files at its
// root that wanted names. name is for o.Progress.
func hashTree(ctx context.Context, dir, name string, wanted []string, o Options) (treeDigest, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return treeDigest{}, bare(err)
	}
	defer root.Close()
	t := &treeReader{
		root: root, alg: o.Algorithm, meter: newMeter(o.Progress, name, 0),
		work: make(chan *treeEntry, treeQueue), order: make(chan *treeEntry, treeQueue),
	}
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		defer close(t.work)
		defer close(t.order)
		return t.walk(ctx, "", 0)
	})
	for range o.Concurrency {
		group.Go(func() error {
			for e := range t.work {
				t.fill(ctx, e)
				close(e.done)
			}
			return nil
		})
	}
	result := treeDigest{files: make(map[string][]byte)}
	group.Go(func() error { return t.list(ctx, &result, wanted) })
	err = group.Wait()
	return result, err
}

// list hashes the lines of the listing in their order.
func (t *treeReader) list(ctx context.Context, result *treeDigest, wanted []string) error {
	h := t.alg.Hash()
	io.WriteString(h, treePrefix)
	for e := range t.order {
		select {
		case <-e.done:
		case <-ctx.Done():
			return ctx.Err()
		}
		if e.err != nil {
			return fmt.Errorf("%.200q: %w", e.path, e.err)
		}
		e.appendLine(h)
		result.size += e.size
		if e.kind == treeLink && leavesTree(e.path, e.target) {
			result.leaving = append(result.leaving, e.path)
		}
		if e.kind != treeLink && slices.Contains(wanted, e.path) {
			data, err := t.again(e)
			if err != nil {
				return fmt.Errorf("%.200q: %w", e.path, err)
			}
			result.files[e.path] = data
		}
	}
	result.digest = digest.NewDigest(t.alg, h)
	return nil
}

// again reads a small file once more and makes sure that it is the one whose
// digest stands in the listing.
func (t *treeReader) again(e *treeEntry) ([]byte, error) {
	f, err := t.open(e)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := readBounded(f, maxMetadata)
	if err != nil {
		return nil, bare(err)
	}
	if got := t.alg.FromBytes(data); got != e.hash {
		return nil, fmt.Errorf("%w: got digest %s, want %s", ErrChanged, got, e.hash)
	}
	return data, nil
}

// walk sends the entries below the directory dir ("" is the root) in the order
// of their whole paths. That is the order of the names once those of
// directories end in "/": every path below one begins so.
func (t *treeReader) walk(ctx context.Context, dir string, depth int) error {
	if depth > maxTreeDepth {
		return fmt.Errorf("%.200q: more than %d directories deep", dir, maxTreeDepth)
	}
	names, err := t.readDir(dir)
	if err != nil {
		return fmt.Errorf("%.200q: %w", cmp.Or(dir, "."), bare(err))
	}
	for _, name := range names {
		p := path.Join(dir, strings.TrimSuffix(name, "/"))
		if strings.HasSuffix(name, "/") {
			if err := t.walk(ctx, p, depth+1); err != nil {
				return err
			}
			continue
		}
		e, err := t.entry(p)
		if err != nil {
			return fmt.Errorf("%.200q: %w", p, err)
		}
		if err := t.send(ctx, e); err != nil {
			return err
		}
	}
	return nil
}

func (t *treeReader) send(ctx context.Context, e *treeEntry) error {
	for _, to := range []chan *treeEntry{t.work, t.order} {
		select {
		case to <- e:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// readDir gives the sorted names in dir that count, those of directories with
// "/" behind.
func (t *treeReader) readDir(dir string) ([]string, error) {
	f, err := t.root.Open(filepath.FromSlash(cmp.Or(dir, ".")))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var names []string
	for {
		batch, err := f.ReadDir(4096)
		for _, d := range batch {
			switch {
			case dir == "" && leftOut(d):
			case d.IsDir():
				names = append(names, d.Name()+"/")
			default:
				names = append(names, d.Name())
			}
		}
		if t.entries += len(batch); t.entries > maxTreeEntries {
			return nil, fmt.Errorf("more than %d entries in the tree", maxTreeEntries)
		}
		if err == io.EOF {
			slices.Sort(names)
			return names, nil
		}
		if err != nil {
			return nil, err
		}
	}
}

// leftOutFiles are what sealing writes, at the root of the tree it seals.
var leftOutFiles = []string{manifestName, "mcp-integrity.interface.json", "mcp-integrity.provenance.sigstore.json"}

// LeftOut says whether a path below a directory, with slashes, is left out of
// its tree digest: nothing vouches for what lies there.
func LeftOut(path string) bool {
	first, _, below := strings.Cut(path, "/")
	return first == ".git" || !below && slices.Contains(leftOutFiles, first)
}

// leftOut says what of a tree's root does not count.
func leftOut(d fs.DirEntry) bool {
	if d.Name() == ".git" {
		return d.IsDir() || d.Type().IsRegular()
	}
	return d.Type().IsRegular() && slices.Contains(leftOutFiles, d.Name())
}

// entry looks at what lies at p, which is no directory.
func (t *treeReader) entry(p string) (*treeEntry, error) {
	info, err := t.root.Lstat(filepath.FromSlash(p))
	if err != nil {
		return nil, bare(err)
	}
	e := &treeEntry{path: p, info: info, done: make(chan struct{})}
	switch mode := info.Mode(); {
	case mode.IsRegular() && mode&0o100 != 0:
		e.kind = treeExecutable
	case mode.IsRegular():
		e.kind = treeFile
	case mode.Type() == fs.ModeSymlink:
		e.kind = treeLink
		target, err := t.root.Readlink(filepath.FromSlash(p))
		if err != nil {
			return nil, bare(err)
		}
		e.target = filepath.ToSlash(target)
	case mode.IsDir():
		return nil, fmt.Errorf("%w: got a directory, want a file", ErrChanged)
	default:
		return nil, fmt.Errorf("is a special file (%s), want regular files, directories and links", mode.Type())
	}
	return e, nil
}

// fill hashes the content of e.
func (t *treeReader) fill(ctx context.Context, e *treeEntry) {
	if e.kind == treeLink {
		e.size, e.hash = int64(len(e.target)), t.alg.FromString(e.target)
		return
	}
	f, err := t.open(e)
	if err != nil {
		e.err = err
		return
	}
	defer f.Close()
	e.hash, e.size, err = hashStream(ctx, f, t.alg, t.meter)
	if err != nil {
		e.err = bare(err)
		return
	}
	if e.size != e.info.Size() {
		e.err = fmt.Errorf("%w: got %d bytes, want %d", ErrChanged, e.size, e.info.Size())
		return
	}
	e.err = f.unchanged()
}

// open opens the very file that e was made of, and no other that was put in its
// place since.
func (t *treeReader) open(e *treeEntry) (*file, error) {
	f, err := t.root.OpenFile(filepath.FromSlash(e.path), os.O_RDONLY|openNonblock, 0)
	if err != nil {
		return nil, bare(err)
	}
	info, err := f.Stat()
	if err == nil && !os.SameFile(info, e.info) {
		err = fmt.Errorf("%w: it is another file now", ErrChanged)
	}
	if err != nil {
		return nil, errors.Join(bare(err), f.Close())
	}
	return &file{File: f, before: e.info}, nil
}

// leavesTree says whether a link at p leads out of the tree that p is in.
func leavesTree(p, target string) bool {
	if path.IsAbs(target) || filepath.VolumeName(filepath.FromSlash(target)) != "" {
		return true
	}
	to := path.Join(path.Dir(p), target)
	return to == ".." || strings.HasPrefix(to, "../")
}

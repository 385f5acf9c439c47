package vault

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strconv"
)

// A Tx is a vault while its lock is held. One goroutine uses it.
type Tx struct {
	*Vault
	lock   io.Closer // nil where there is no directory
	secret []byte    // nil where nothing was written yet
	begun  bool      // there is a secret, and heads
	heads  heads
}

// Close gives the lock back.
func (t *Tx) Close() {
	if t.lock != nil {
		t.lock.Close()
	}
}

// Get returns what was written to a file; nil where there is none.
func (t *Tx) Get(name string) ([]byte, error) {
	data, _, err := t.get(name)
	return data, err
}

// get returns how often the file was written, too; a file that was removed as
// often as it was at its removal.
func (t *Tx) get(name string) ([]byte, int64, error) {
	if t.lock == nil {
		return nil, 0, nil
	}
	data, count, err := t.readCounted(name)
	if err != nil {
		return nil, 0, err
	}
	known := t.heads.get(name)
	switch {
	case known.Gone && count <= known.Count:
		return nil, known.Count, nil
	case data == nil && known.Count > 0:
		return nil, 0, t.changed(name, "it was removed")
	case count < known.Count:
		return nil, 0, t.changed(name, "it is an older copy: written %d times, while %s counts %d", count, headsName, known.Count)
	case count > known.Count+1:
		return nil, 0, t.changed(headsName, "it is an older copy: it counts %d writes of %s, which was written %d times", known.Count, name, count)
	}
	return data, count, nil
}

// Put writes a file. When it returns nil, the file is on the disk; an error that
// wraps [ErrFull] says that nothing was written.
func (t *Tx) Put(name string, data []byte) error {
	old, count, err := t.get(name)
	if err != nil {
		return err
	}
	text := t.sealCounted(name, count+1, data)
	if err := t.room(name, int64(len(text))); err != nil {
		return t.unusable(name, err)
	}
	if known := t.heads.get(name); count > known.Count { // a writer was killed: catch up first
		t.heads.set(head{File: name, Count: count, Size: int64(len(t.sealCounted(name, count, old)))})
		if err := t.writeHeads(); err != nil {
			return err
		}
	}
	if err := t.write(name, text); err != nil {
		return err
	}
	t.heads.set(head{File: name, Count: count + 1, Size: int64(len(text))})
	return t.writeHeads()
}

// room makes sure that a file of that size is within the bounds. What was removed
// makes room for what is written: then nothing tells any more that it was there.
func (t *Tx) room(name string, size int64) error {
	if size > t.MaxFile {
		return fmt.Errorf("%w: got %d bytes for one file, want at most %d", ErrFull, size, t.MaxFile)
	}
	if total := t.heads.total(name); total+size > t.MaxTotal {
		return fmt.Errorf("%w: %d bytes are kept, and another %d are more than %d", ErrFull, total, size, t.MaxTotal)
	}
	if t.heads.has(name) || len(t.heads.Files) < t.MaxFiles {
		return nil
	}
	if t.heads.Files = slices.DeleteFunc(t.heads.Files, func(e head) bool { return e.Gone }); len(t.heads.Files) >= t.MaxFiles {
		return fmt.Errorf("%w: %d are kept, and can be no more", ErrFull, t.MaxFiles)
	}
	return nil
}

// Remove removes a file, and says whether there was one. It works for one that
// somebody changed or removed, too: it is how such a file is given up.
func (t *Tx) Remove(name string) (bool, error) {
	known := t.heads.get(name)
	_, count, err := t.readCounted(name)
	var changed *ChangedError
	if err != nil && !errors.As(err, &changed) {
		return false, err
	}
	if err != nil {
		count = known.Count + 1 // a writer may have been killed before somebody changed it
	}
	was := err != nil || count > 0 && !(known.Gone && count <= known.Count) || known.Count > 0 && !known.Gone
	if count = max(count, known.Count); count > 0 && (was || !known.Gone) {
		t.heads.set(head{File: name, Count: count, Size: 1, Gone: true})
		if err := t.writeHeads(); err != nil {
			return false, err
		}
	}
	return was, t.effect(name, func() error { return removeFile(t.Dir, name) })
}

// Names are the files that are there, and those that should be, in byte order.
func (t *Tx) Names() ([]string, error) {
	if t.lock == nil {
		return nil, nil
	}
	names, err := t.present()
	if err != nil {
		return nil, err
	}
	for _, e := range t.heads.Files {
		if !e.Gone {
			names = append(names, e.File)
		}
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}

// mac authenticates what a file holds, under its name.
func (t *Tx) mac(name string, data []byte) []byte {
	h := hmac.New(sha256.New, t.secret)
	io.WriteString(h, t.Label+"\n"+name+"\n")
	h.Write(data)
	return []byte(hex.EncodeToString(h.Sum(nil)))
}

func (t *Tx) seal(name string, data []byte) []byte {
	return slices.Concat(t.mac(name, data), []byte("\n"), data)
}

// unseal returns what stands behind an HMAC that fits.
func (t *Tx) unseal(name string, data []byte) ([]byte, error) {
	if t.secret == nil {
		return nil, t.changed(secretName, "it is gone, and %s is there", name)
	}
	mac, rest, ok := bytes.Cut(data, []byte("\n"))
	if !ok || !hmac.Equal(mac, t.mac(name, rest)) {
		return nil, t.changed(name, "it is not as it was written: its HMAC does not fit")
	}
	return rest, nil
}

func (t *Tx) sealCounted(name string, count int64, data []byte) []byte {
	return t.seal(name, slices.Concat(strconv.AppendInt(nil, count, 10), []byte("\n"), data))
}

// readCounted returns what a file holds and how often it was written; nil and 0
// where there is none.
func (t *Tx) readCounted(name string) ([]byte, int64, error) {
	data, err := t.readFile(name, t.MaxFile)
	if data == nil || err != nil {
		return nil, 0, err
	}
	rest, err := t.unseal(name, data)
	if err != nil {
		return nil, 0, err
	}
	digits, rest, ok := bytes.Cut(rest, []byte("\n"))
	count, err := strconv.ParseInt(string(digits), 10, 64)
	if !ok || err != nil || count < 1 {
		return nil, 0, t.changed(name, "it has no count: got %.20q, want 1 or more", digits)
	}
	return rest, count, nil
}

func (t *Tx) readFile(name string, limit int64) ([]byte, error) {
	data, err := ReadFile(filepath.Join(t.Dir, name), limit)
	var changed *ChangedError
	switch {
	case errors.As(err, &changed):
		return nil, t.changed(name, "%v", err)
	case err != nil:
		return nil, t.unusable(name, err)
	}
	return data, nil
}

func (t *Tx) write(name string, data []byte) error {
	return t.effect(name, func() error { return ReplaceFile(t.Dir, name, tempName, data) })
}

// effect does something to a file, or fails where a test says so.
func (t *Tx) effect(name string, do func() error) error {
	if t.Fault != nil {
		if err := t.Fault(name, false); err != nil {
			return err
		}
	}
	if err := do(); err != nil {
		return t.unusable(name, err)
	}
	if t.Fault != nil {
		return t.Fault(name, true)
	}
	return nil
}

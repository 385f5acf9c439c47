package artifact

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/opencontainers/go-digest"
)

// A slowReader gives a byte a second.
type slowReader struct{ left int }

func (s *slowReader) Read(p []byte) (int, error) {
	if s.left == 0 {
		return 0, io.EOF
	}
	time.Sleep(time.Second)
	s.left--
	return copy(p, "x"), nil
}

func TestProgress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var calls []int64
		report := func(name string, done, total int64) {
			if name != "slow" || total != 10 {
				t.Errorf("got %q, total %d, want slow and 10", name, total)
			}
			calls = append(calls, done)
		}
		short := newMeter(report, "slow", 10)
		_, _, err := hashStream(context.Background(), &slowReader{2}, digest.SHA256, short)
		if err != nil || len(calls) != 0 {
			t.Errorf("two seconds of work: got %v, calls %v, want none", err, calls)
		}
		long := newMeter(report, "slow", 10)
		_, _, err = hashStream(context.Background(), &slowReader{10}, digest.SHA256, long)
		if err != nil || len(calls) < 3 || len(calls) > 8 {
			t.Errorf("ten seconds of work: got %v, calls %v, want a few", err, calls)
		}
	})
	_, _, err := hashStream(context.Background(), strings.NewReader("x"), digest.SHA256, nil)
	mustDo(t, err)
}

// sparse makes a file of n zeros that takes no room.
func sparse(t testing.TB, n int64) string {
	t.Helper()
	p := filepath.Join(t.TempDir(), "sparse.bin")
	f, err := os.Create(p)
	mustDo(t, err)
	mustDo(t, f.Truncate(n))
	mustDo(t, f.Close())
	return p
}

// Memory does not grow with the size of the file. All that is ever allocated is counted, so that the collector's pace has no
// part in it.
func TestConstantMemory(t *testing.T) {
	const size = 192 << 20
	p := sparse(t, size)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f := identifyOK(t, p, Options{Type: "binary"})
	runtime.ReadMemStats(&after)
	if f.Size != size {
		t.Errorf("got %d bytes, want %d", f.Size, size)
	}
	if allocated := after.TotalAlloc - before.TotalAlloc; allocated > size/4 {
		t.Errorf("allocated %d bytes for a file of %d", allocated, size)
	}
}

func TestBoundReader(t *testing.T) {
	got, err := io.ReadAll(&boundReader{r: strings.NewReader("12345"), limit: 5})
	if err != nil || string(got) != "12345" {
		t.Errorf("at the bound: got %q, %v", got, err)
	}
	_, err = io.ReadAll(&boundReader{r: strings.NewReader("123456"), limit: 5})
	wantErr(t, err, "more than 5 bytes")
}

func TestOnlyZeros(t *testing.T) {
	mustDo(t, onlyZeros(bytes.NewReader(make([]byte, 10_000))))
	wantErr(t, onlyZeros(bytes.NewReader(append(make([]byte, 9_999), 1))), "data behind the end")
	wantErr(t, onlyZeros(io.MultiReader(bytes.NewReader(make([]byte, 10)), errReader{})), "behind the end of the archive: broken")
}

type errReader struct{}

func (errReader) Read([]byte) (int, error) { return 0, errors.New("broken") }

// A zip file's claims about itself cost no memory before they are checked.
func TestZipClaims(t *testing.T) {
	good := zipBytes(t, entry{name: "manifest.json", body: bundleText})
	end := bytes.LastIndex(good, []byte("PK\x05\x06"))
	identify := func(data []byte) error {
		_, err := Identify(context.Background(), write(t, t.TempDir(), "a.mcpb", string(data)), Options{})
		return err
	}
	// 64-bit end record and locator with a count of our choice, put in before
	// the end record.
	with64 := func(records, offset uint64) []byte {
		var rec [56]byte
		copy(rec[:], "PK\x06\x06")
		binary.LittleEndian.PutUint64(rec[4:], 44)
		binary.LittleEndian.PutUint64(rec[24:], records)
		binary.LittleEndian.PutUint64(rec[32:], records)
		var loc [20]byte
		copy(loc[:], "PK\x06\x07")
		binary.LittleEndian.PutUint64(loc[8:], offset)
		binary.LittleEndian.PutUint32(loc[16:], 1)
		last := bytes.Clone(good[end:])
		binary.LittleEndian.PutUint16(last[8:], 0xffff)
		binary.LittleEndian.PutUint16(last[10:], 0xffff)
		return bytes.Join([][]byte{good[:end], rec[:], loc[:], last}, nil)
	}
	wantErr(t, identify(with64(1<<40, uint64(end))), "1099511627776 entries, want at most 500000")
	wantErr(t, identify(with64(1, 1<<62)), "64-bit end record")
	wantErr(t, identify(with64(1, 1<<63|5)), "zip:")
	if err := checkZipEnd(bytes.NewReader(good), int64(len(good))); err != nil {
		t.Error(err)
	}
	// A directory of more entries than the end record says is read no further
	// than its bound.
	f, err := openFile(write(t, t.TempDir(), "a.mcpb", string(good)))
	mustDo(t, err)
	defer f.Close()
	_, err = zip.NewReader(&readBudget{r: f, left: 100}, f.size())
	wantErr(t, err, "more to read than its bound allows")
}

func BenchmarkHashFile(b *testing.B) {
	// To compare on the same machine: a file of 2 GiB (not a sparse one: other
	// programs skip its holes), then
	//	go test -bench HashFile ./internal/artifact
	//	time sha256sum FILE; time openssl dgst -sha256 FILE
	const size = 256 << 20
	p := filepath.Join(b.TempDir(), "file")
	f, err := os.Create(p)
	mustDo(b, err)
	block := bytes.Repeat([]byte("mcp-integrity\n"), 1<<16)
	for n := 0; n < size; n += len(block) {
		_, err := f.Write(block[:min(len(block), size-n)])
		mustDo(b, err)
	}
	mustDo(b, f.Close())
	for _, alg := range []digest.Algorithm{digest.SHA256, digest.SHA512} {
		b.Run(string(alg), func(b *testing.B) {
			b.SetBytes(size)
			b.ReportAllocs()
			for b.Loop() {
				identifyOK(b, p, Options{Type: "binary", Algorithm: alg})
			}
		})
	}
}

// BenchmarkHashTree hashes a tree of 2,000 small files.
func BenchmarkHashTree(b *testing.B) {
	dir := b.TempDir()
	data := strings.Repeat("x", 4000)
	for i := range 2000 {
		write(b, dir, filepath.Join(string(rune('a'+i%26)), strings.Repeat("d/", i%5), "f"+string(rune('a'+i/26%26))+string(rune('a'+i/676))), data)
	}
	for _, workers := range []int{1, 2, 4} {
		b.Run(string(rune('0'+workers))+" workers", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				identifyOK(b, dir, Options{Concurrency: workers})
			}
		})
	}
}

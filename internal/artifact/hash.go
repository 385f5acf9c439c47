package artifact

import (
	"context"
	"io"
	"sync"
	"time"

	"github.com/opencontainers/go-digest"
)

// hashBuffer is read at a time. Below 64 KiB system calls show; above 1 MiB
// the buffer leaves the cache of a core.
const hashBuffer = 256 << 10

var hashBuffers = sync.Pool{New: func() any { return new([hashBuffer]byte) }}

// hashStream hashes r to its end and returns digest and length. It looks at ctx
// once for each buffer.
func hashStream(ctx context.Context, r io.Reader, alg digest.Algorithm, m *meter) (digest.Digest, int64, error) {
	buf := hashBuffers.Get().(*[hashBuffer]byte)
	defer hashBuffers.Put(buf)
	h, n := alg.Hash(), int64(0)
	for {
		if err := ctx.Err(); err != nil {
			return "", n, err
		}
		k, err := r.Read(buf[:])
		h.Write(buf[:k])
		n += int64(k)
		m.add(k)
		if err == io.EOF {
			return digest.NewDigest(alg, h), n, nil
		}
		if err != nil {
			return "", n, err
		}
	}
}

// A meter tells of long work, seldom. It may be used by several goroutines; a
// nil one tells nobody.
type meter struct {
	report func(name string, done, total int64)
	name   string
	total  int64

	mu   sync.Mutex // guards what follows
	done int64
	next time.Time
}

func newMeter(report func(string, int64, int64), name string, total int64) *meter {
	if report == nil {
		return nil
	}
	return &meter{report: report, name: name, total: total, next: time.Now().Add(progressAfter)}
}

func (m *meter) add(n int) {
	if m == nil {
		return
	}
	m.mu.Lock()
	m.done += int64(n)
	done, now := m.done, time.Now()
	due := now.After(m.next)
	if due {
		m.next = now.Add(progressEvery)
	}
	m.mu.Unlock()
	if due {
		m.report(m.name, done, m.total)
	}
}

// ctxReader ends a long stream when its context does.
type ctxReader struct {
	ctx context.Context
	r   io.Reader
}

func (c ctxReader) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.r.Read(p)
}

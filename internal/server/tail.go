package server

import (
	"fmt"
	"sync"
)

// A tail keeps how a stream began and how it ended, in memory that does not
// grow with the stream. The zero value is ready. Writing never fails.
type tail struct {
	mu   sync.Mutex
	head []byte
	// ring holds the latest bytes behind head; once it is full, at is where the
	// oldest of them stands.
	ring []byte
	at   int
	size int64
}

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	n := len(p)
	t.size += int64(n)
	if room := stderrHead - len(t.head); room > 0 {
		k := min(room, len(p))
		t.head = append(t.head, p[:k]...)
		p = p[k:]
	}
	if len(p) > stderrTail {
		p = p[len(p)-stderrTail:]
	}
	if room := stderrTail - len(t.ring); room > 0 {
		k := min(room, len(p))
		t.ring = append(t.ring, p[:k]...)
		p = p[k:]
	}
	for len(p) > 0 {
		k := copy(t.ring[t.at:], p)
		t.at = (t.at + k) % stderrTail
		p = p[k:]
	}
	return n, nil
}

// String is all that was written, or its two ends with a line between them that
// says how many bytes are left out.
func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	out := append([]byte(nil), t.head...)
	if left := t.size - int64(len(t.head)+len(t.ring)); left > 0 {
		out = fmt.Appendf(out, "\n[… %d bytes left out …]\n", left)
	}
	out = append(out, t.ring[t.at:]...)
	return string(append(out, t.ring[:t.at]...))
}

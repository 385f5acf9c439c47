package server

import (
	"bufio"
	"bytes"
	"errors"
	"io"
)

// errMidLine says that output ended in the middle of a message.
var errMidLine = errors.New("the server's output ended in the middle of a line")

// A lineReader cuts a server's stdout into messages: "messages are delimited by
// newlines, and MUST NOT contain embedded newlines". White space before a message
// is passed over, blank lines with it, and a carriage return before the newline,
// which printing on Windows adds, is cut off.
type lineReader struct {
	r *bufio.Reader
	// line is the number of the line that comes next.
	line int
	// left is how many bytes the server may still send in this session.
	left int
}

func newLineReader(r io.Reader) *lineReader {
	return &lineReader{r: bufio.NewReaderSize(r, 64<<10), line: 1, left: maxTotal}
}

// next returns the next line that is not blank, in memory of its own. At the
// end it returns io.EOF, or errMidLine where the last line has no newline.
func (l *lineReader) next() ([]byte, error) {
	if err := l.skipBlank(); err != nil {
		return nil, err
	}
	var line bytes.Buffer // doubles as it grows, unlike append
	for {
		part, err := l.r.ReadSlice('\n')
		if err := l.spend(len(part)); err != nil {
			return nil, err
		}
		if line.Len()+len(part) > maxMessage+len("\r\n") {
			return nil, refusef("stdout line %d: a message of more than %d MiB: %q …", l.line, maxMessage>>20, excerpt(line.Bytes()))
		}
		line.Write(part)
		switch {
		case err == nil:
			l.line++
			return bytes.TrimSuffix(line.Bytes()[:line.Len()-1], []byte("\r")), nil
		case errors.Is(err, bufio.ErrBufferFull):
		case errors.Is(err, io.EOF):
			return nil, errMidLine
		default:
			return nil, err
		}
	}
}

// skipBlank passes over white space up to the next message, a buffer at a time:
// there may be nothing else for many MiB.
func (l *lineReader) skipBlank() error {
	for {
		if _, err := l.r.Peek(1); err != nil {
			return err
		}
		buffered, _ := l.r.Peek(l.r.Buffered()) // is there already
		blank := len(buffered) - len(bytes.TrimLeft(buffered, " \t\r\n"))
		if err := l.spend(blank); err != nil {
			return err
		}
		l.line += bytes.Count(buffered[:blank], []byte("\n"))
		if _, err := l.r.Discard(blank); err != nil || blank < len(buffered) {
			return err
		}
	}
}

// spend takes n bytes off what the server may send.
func (l *lineReader) spend(n int) error {
	if l.left -= n; l.left < 0 {
		return refusef("stdout: more than %d MiB in one session", maxTotal>>20)
	}
	return nil
}

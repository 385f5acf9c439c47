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
// newlines, and MUST NOT contain embedded newlines". Blank lines are passed
// over, and a carriage return before the newline, which printing on Windows
// adds, is cut off.
type lineReader struct {
	r    *bufio.Reader
	line int64
	// left is what the server may still send in this session.
	left int64
}

func newLineReader(r io.Reader) *lineReader {
	return &lineReader{r: bufio.NewReaderSize(r, 64<<10), left: maxTotal}
}

// next returns the next line that is not blank, in memory of its own. At the
// end it returns io.EOF, or errMidLine where the last line has no newline.
func (l *lineReader) next() ([]byte, error) {
	for {
		line, err := l.readLine()
		if err != nil {
			return nil, err
		}
		if line = bytes.TrimSuffix(line, []byte("\r")); len(bytes.TrimLeft(line, " \t")) > 0 {
			return line, nil
		}
	}
}

func (l *lineReader) readLine() ([]byte, error) {
	l.line++
	var line bytes.Buffer // doubles as it grows, unlike append
	for {
		part, err := l.r.ReadSlice('\n')
		if l.left -= int64(len(part)); l.left < 0 {
			return nil, refusef("stdout: more than %d MiB in one session", maxTotal>>20)
		}
		if line.Len()+len(part) > maxMessage+len("\r\n") {
			return nil, refusef("stdout line %d: a message of more than %d MiB: %q …", l.line, maxMessage>>20, excerpt(line.Bytes()))
		}
		line.Write(part)
		switch {
		case err == nil:
			return line.Bytes()[:line.Len()-1], nil
		case errors.Is(err, bufio.ErrBufferFull):
		case errors.Is(err, io.EOF) && line.Len() > 0:
			return nil, errMidLine
		default:
			return nil, err
		}
	}
}

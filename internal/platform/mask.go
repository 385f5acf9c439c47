package platform

import (
	"errors"
	"fmt"
	"io"

	"github.com/sethvargo/go-githubactions"
)

// mask tells GitHub's runner to print *** wherever secret would stand in the
// log from now on. A token that could not be masked must not be used.
func mask(commands io.Writer, secret string) error {
	if commands == nil {
		return errors.New("there is no way to the runner to mask the identity token")
	}
	w := &commandWriter{to: commands}
	githubactions.New(githubactions.WithWriter(w)).AddMask(secret)
	if w.err != nil {
		return fmt.Errorf("mask the identity token: %w", plainly(w.err, secret))
	}
	return nil
}

// commandWriter keeps the error that the library would panic on, and starts
// each command on a line of its own: the runner takes one for text, and prints
// it, where it stands behind other text.
type commandWriter struct {
	to  io.Writer
	err error
}

func (w *commandWriter) Write(command []byte) (int, error) {
	_, w.err = w.to.Write(append([]byte(githubactions.EOF), command...))
	return len(command), nil
}

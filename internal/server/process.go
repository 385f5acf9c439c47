package server

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

var (
	errNoDirectory     = errors.New("not a directory")
	errSupervisorEnded = errors.New("the server outlived its supervisor, which it may have ended")
)

// supervisorEnded is the state of a server whose supervisor ended first.
const supervisorEnded = "its supervisor was ended"

// A tree is a started server with everything that it starts.
type tree interface {
	// ended is closed when the server's own process has ended, or could not
	// be started at all.
	ended() <-chan struct{}
	// outcome says how, once ended is closed: its state, or why it could not
	// start.
	outcome() (state string, startErr error)
	// terminate asks the server and its process group to end.
	terminate()
	// destroy kills whatever is left and returns when it is gone, or says
	// what it could not do. It is called once, at last.
	destroy() error
}

// A program is what a tree is started from. The three files are the server's
// own ends; the starter may close them once it has returned.
type program struct {
	path   string
	argv   []string
	dir    string
	env    []string
	stdin  *os.File
	stdout *os.File
	stderr *os.File
}

// A process is a running server with the pipes to it.
type process struct {
	tree   tree
	conn   *stdioConn
	stderr tail
	// pipes are our ends: stdin, stdout, stderr.
	pipes [3]*os.File
	// readers counts the goroutines on the pipes.
	readers sync.WaitGroup
}

// listCommand runs the server of t once, in a home of its own, and lists it.
func listCommand(ctx context.Context, t Target, o Options, lc lifecycle) (*Listing, error) {
	h, err := newHome()
	defer func() {
		if err := h.remove(); err != nil {
			o.notice("the server's temporary home could not be removed: %v", err)
		}
	}()
	if err != nil {
		return nil, failure(StageStart, err)
	}
	p, err := start(t, h.environment(t.Env), o)
	if err != nil {
		return nil, failure(StageStart, err)
	}
	s := &session{conn: p.conn}
	stage, err := converse(ctx, s, lc)
	if err == nil {
		p.conn.hush()
		stage, err = StageShutdown, p.linger(ctx, s)
	}
	state, stopErr := p.stop(err)
	if err == nil && state == supervisorEnded {
		// It may have been quick enough to answer first; that is chance.
		stage, err = StageShutdown, errSupervisorEnded
	}
	switch {
	case stopErr != nil && err == nil:
		// What still runs could reach whatever this program does next.
		stage, err = StageShutdown, refused{stopErr}
	case stopErr != nil:
		o.notice("%v", stopErr)
	}
	if err != nil {
		return nil, p.explain(stage, err, state)
	}
	s.listing.Stderr = p.stderr.String()
	return &s.listing, nil
}

// start starts the server of t with the environment env.
func start(t Target, env []string, o Options) (*process, error) {
	if info, err := os.Stat(t.Dir); t.Dir != "" && (err != nil || !info.IsDir()) {
		return nil, fmt.Errorf("working directory %.200q: %w", t.Dir, cmp.Or(err, errNoDirectory))
	}
	path, err := lookPath(t.Command[0], t.Dir)
	if err != nil {
		return nil, err
	}
	var theirs, ours [3]*os.File
	closeAll := func(files [3]*os.File) {
		for _, f := range files {
			_ = f.Close() // nil files say so and nothing else
		}
	}
	for i := range theirs {
		r, w, err := os.Pipe()
		if err != nil {
			closeAll(theirs)
			closeAll(ours)
			return nil, err
		}
		theirs[i], ours[i] = w, r
		if i == 0 {
			theirs[i], ours[i] = r, w
		}
	}
	tree, err := startTree(program{path, t.Command, t.Dir, env, theirs[0], theirs[1], theirs[2]}, o)
	closeAll(theirs)
	if err != nil {
		closeAll(ours)
		return nil, err
	}
	p := &process{tree: tree, pipes: ours}
	p.conn = newStdioConn(ours[0], ours[1], &p.readers)
	p.readers.Go(func() { _, _ = io.Copy(&p.stderr, ours[2]) })
	return p, nil
}

// lookPath finds the program to run. A path with a slash starts at dir, where
// the server will run, as it would for a shell there.
func lookPath(name, dir string) (string, error) {
	if !strings.ContainsRune(name, '/') && !strings.ContainsRune(name, filepath.Separator) {
		path, err := exec.LookPath(name)
		if err != nil {
			return "", err
		}
		return filepath.Abs(path)
	}
	if !filepath.IsAbs(name) {
		name = filepath.Join(dir, name)
	}
	path, err := filepath.Abs(name)
	if err != nil {
		return "", err
	}
	return exec.LookPath(path)
}

// linger waits for the server to end, reading on meanwhile.
func (p *process) linger(ctx context.Context, s *session) error {
	ctx, cancel := context.WithTimeout(ctx, inputGrace)
	defer cancel()
	if err := s.linger(ctx); err != nil {
		return err
	}
	select {
	case <-p.tree.ended():
	case <-ctx.Done():
	}
	return nil
}

// stop ends the server with all that it started, and the goroutines on its
// pipes. why is nil, or what the session failed by. The state is how the server
// ended where it did so before it was told to.
func (p *process) stop(why error) (state string, err error) {
	if errors.Is(why, errEnded) || errors.Is(why, errMidLine) {
		p.await(drainGrace) // its exit follows its last output
	}
	select {
	case <-p.tree.ended():
		state, _ = p.tree.outcome()
	default:
		p.tree.terminate()
		p.await(termGrace)
	}
	err = p.tree.destroy()
	p.conn.stop()
	_ = p.pipes[0].Close()
	p.finishReading()
	return state, err
}

// await waits for the server's own process to end, for at most d.
func (p *process) await(d time.Duration) {
	select {
	case <-p.tree.ended():
	case <-time.After(d):
	}
}

// finishReading waits until stderr is read to its end. Where somebody who was
// not found still holds a pipe, closing our end stops the reading.
func (p *process) finishReading() {
	done := make(chan struct{})
	go func() {
		p.readers.Wait()
		close(done)
	}()
	_ = p.pipes[1].Close()
	select {
	case <-done:
	case <-time.After(drainGrace):
	}
	_ = p.pipes[2].Close()
	<-done
}

// explain makes the Error of a session that failed by err at stage.
func (p *process) explain(stage Stage, err error, state string) *Error {
	if _, startErr := p.tree.outcome(); startErr != nil {
		return failure(StageStart, startErr)
	}
	e := failure(stage, err)
	e.Ended, e.Stderr = state, p.stderr.String()
	return e
}

// command is prog for os/exec.
func (prog program) command() *exec.Cmd {
	return &exec.Cmd{
		Path: prog.path, Args: prog.argv, Dir: prog.dir, Env: prog.env,
		Stdin: prog.stdin, Stdout: prog.stdout, Stderr: prog.stderr,
	}
}

// awaitEnd waits for what was killed. A process that sleeps in the kernel dies
// when it wakes, which may be never.
func awaitEnd(done <-chan struct{}, what string) error {
	select {
	case <-done:
		return nil
	case <-time.After(killGrace):
		return fmt.Errorf("%s could not be ended within %s and may still run", what, killGrace)
	}
}

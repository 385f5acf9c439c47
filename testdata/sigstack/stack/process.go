package stack

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"sync/atomic"
	"time"
)

const (
	// healthEvery is how often a starting server is asked whether it is up.
	healthEvery = 20 * time.Millisecond
	// healthTime bounds one such question.
	healthTime = time.Second
	// grace is what a server gets to end by itself. Fulcio does not end while it
	// waits for a log of certificates, so that nobody may wait for it.
	grace = 3 * time.Second
	// logTail is how much of its log a server's death is reported with.
	logTail = 4 << 10
)

// process is a server that was started.
type process struct {
	name   string
	cmd    *exec.Cmd
	log    *os.File
	exited chan struct{} // closed once Wait returned
	err    error         // of Wait; read it after exited only
}

// server says how to start one.
type server struct {
	name   string   // of the program in the directory of programs
	health string   // URL that answers 200 once it is up
	env    []string // NAME=VALUE beside PATH
	args   []string
}

// Ports are of none of the ranges that systems hand out by themselves: our
// doors and every outgoing connection take from there all the time. Processes
// whose stacks start side by side look at different ones, since who asks
// another's server whether it is up hears yes.
const (
	firstPort       = 12000
	portsPerProcess = 400 // a stack takes seven, and a test has several at once
	processes       = 50
)

// portsTaken counts the ports that this process looked at.
var portsTaken atomic.Uint32

// freePort returns a port that nobody listened on a moment ago.
func freePort() (int, error) {
	var err error
	for range portsPerProcess {
		var l net.Listener
		port := firstPort + os.Getpid()%processes*portsPerProcess + int(portsTaken.Add(1)%portsPerProcess)
		if l, err = net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port)); err == nil {
			return port, l.Close()
		}
	}
	return 0, err
}

// errPortTaken says that a server ended since somebody else has its port.
var errPortTaken = errors.New("port taken")

// start runs a server in dir, its log beside its files. Its environment is
// built: nothing of ours reaches it but the path.
func start(bin, dir string, s server) (*process, error) {
	program := filepath.Join(bin, s.name)
	log, err := os.Create(filepath.Join(dir, s.name+".log"))
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(program, s.args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, log, log
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir}, s.env...)
	cmd.SysProcAttr = dieWithParent()
	if err := cmd.Start(); err != nil {
		log.Close()
		return nil, err
	}
	p := &process{name: s.name, cmd: cmd, log: log, exited: make(chan struct{})}
	go func() {
		p.err = cmd.Wait()
		close(p.exited)
	}()
	return p, nil
}

// healthy waits until the server answers, ends or ctx does.
func (p *process) healthy(ctx context.Context, url string) error {
	tick := time.NewTicker(healthEvery)
	defer tick.Stop()
	for {
		select {
		case <-p.exited:
			tail := p.tail()
			if bytes.Contains(tail, []byte("address already in use")) {
				return fmt.Errorf("%s: %w\n%s", p.name, errPortTaken, tail)
			}
			return fmt.Errorf("%s ended at its start: %v\n%s", p.name, p.err, tail)
		case <-ctx.Done():
			return fmt.Errorf("%s does not answer at %s: %w\n%s", p.name, url, ctx.Err(), p.tail())
		case <-tick.C:
		}
		if answers(ctx, url) {
			return nil
		}
	}
}

// answers asks once. Whoever has the port but does not answer is not waited for.
func answers(ctx context.Context, url string) bool {
	ctx, cancel := context.WithTimeout(ctx, healthTime)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return false
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return false
	}
	defer resp.Body.Close()
	return resp.StatusCode == http.StatusOK
}

// tail is the end of the server's log.
func (p *process) tail() []byte {
	b, err := os.ReadFile(p.log.Name())
	if err != nil {
		return []byte(err.Error())
	}
	return b[max(0, len(b)-logTail):]
}

// stop ends the server, by force where it will not.
func (p *process) stop() error {
	if err := p.cmd.Process.Signal(os.Interrupt); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("stop %s: %w", p.name, err)
	}
	select {
	case <-p.exited:
	case <-time.After(grace):
		_ = p.cmd.Process.Kill()
		<-p.exited
	}
	return p.log.Close()
}

package stack

import (
	_ "embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// fulcioConfig has the issuers and the rules by which claims become extensions
// of a certificate, as upstream's production instance has them for these two.
//
//go:embed fulcio-config.yaml
var fulcioConfig []byte

const (
	fulcioConfigFile = "fulcio-config.yaml"
	fulcioSocket     = "fulcio.sock"
)

// ports hands out free ports and remembers the first failure.
type ports struct{ err error }

func (p *ports) next() int {
	n, err := freePort()
	if err != nil && p.err == nil {
		p.err = err
	}
	return n
}

// fulcio is the certificate authority. It reaches the issuers through proxy.
func fulcio(dir, proxy, ctLog string) (server, string, error) {
	var free ports
	port := free.next()
	base := fmt.Sprintf("http://127.0.0.1:%d", port)
	if err := os.WriteFile(filepath.Join(dir, fulcioConfigFile), fulcioConfig, 0o600); err != nil {
		return server{}, "", err
	}
	// A Fulcio that ended for want of a port leaves its socket behind, which the
	// next one takes for another's.
	if err := os.Remove(filepath.Join(dir, fulcioSocket)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return server{}, "", err
	}
	return server{
		name: "fulcio", health: base + "/healthz",
		env: []string{"HTTPS_PROXY=" + proxy, "SSL_CERT_FILE=" + filepath.Join(dir, webCAFile)},
		args: []string{
			"serve", "--host=127.0.0.1", fmt.Sprintf("--port=%d", port),
			// One port for both protocols panics in v1.8.8.
			"--grpc-host=127.0.0.1", fmt.Sprintf("--grpc-port=%d", free.next()),
			fmt.Sprintf("--metrics-port=%d", free.next()),
			// In dir: short enough for a socket's name wherever dir is, and nobody else's.
			"--legacy-unix-domain-socket=" + fulcioSocket,
			"--ct-log-url=" + ctLog, "--config-path=" + fulcioConfigFile,
			"--ca=fileca", "--fileca-cert=" + fulcioChainFile, "--fileca-key=" + fulcioKeyFile,
			// The key is not encrypted, but the option must be there.
			"--fileca-key-passwd=none", "--fileca-watch=false",
		},
	}, base, free.err
}

// rekor is the log, version 2, on plain files. Below a second the interval of
// its checkpoints makes no entry faster: it polls for them once a second.
func rekor() (server, string, error) {
	var free ports
	port := free.next()
	base := fmt.Sprintf("http://127.0.0.1:%d", port)
	return server{
		name: "rekor-server-posix", health: base + "/healthz",
		args: []string{
			"serve", "--http-address=127.0.0.1", fmt.Sprintf("--http-port=%d", port),
			"--grpc-address=127.0.0.1", fmt.Sprintf("--grpc-port=%d", free.next()),
			fmt.Sprintf("--http-metrics-port=%d", free.next()),
			"--hostname=" + origin, "--storage-dir=rekor", "--signer-filepath=" + rekorKeyFile,
			"--checkpoint-interval=200ms", "--batch-max-age=50ms",
		},
	}, base, free.err
}

// tsa is the timestamp authority.
func tsa() (server, string, error) {
	port, err := freePort()
	base := fmt.Sprintf("http://127.0.0.1:%d", port)
	return server{
		name: "tsa", health: base + "/ping",
		args: []string{fmt.Sprintf("-port=%d", port), "-key=" + tsaKeyFile, "-chain=" + tsaChainFile},
	}, base, err
}

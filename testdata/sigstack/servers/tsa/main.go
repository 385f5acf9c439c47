// Command tsa is the upstream Sigstore timestamp authority without the metrics
// listener that upstream's own command hard-wires to port 2112 on all
// interfaces: two of those cannot run on one host, and a test must not depend
// on a port that others may hold. All else is upstream's server.
package main

import (
	"flag"
	"log"
	"time"

	"github.com/sigstore/timestamp-authority/v2/pkg/server"
	"github.com/spf13/viper"
)

const (
	// policy is the OID that upstream's command has as its default, too.
	policy = "1.3.6.1.4.1.57264.2"
	// timeout bounds reading a request and writing its answer.
	timeout = 30 * time.Second
	// maxRequest bounds a request: it holds one digest.
	maxRequest = 1 << 20
)

func main() {
	log.SetFlags(0)
	log.SetPrefix("tsa: ")
	port := flag.Int("port", 0, "port on 127.0.0.1")
	key := flag.String("key", "", "private key, PKCS#8 PEM, unencrypted")
	chain := flag.String("chain", "", "certificate chain, PEM, leaf first")
	flag.Parse()
	if *port == 0 || *key == "" || *chain == "" || flag.NArg() > 0 {
		flag.Usage()
		log.Fatal("-port, -key and -chain are needed")
	}
	configure(*key, *chain)
	s := server.NewRestAPIServer("127.0.0.1", *port, []string{"http"}, false, timeout, timeout)
	if err := s.Serve(); err != nil {
		log.Fatal(err)
	}
}

// configure sets what upstream's command takes from its flags.
func configure(key, chain string) {
	viper.Set("timestamp-signer", "file")
	viper.Set("file-signer-key-path", key)
	viper.Set("certificate-chain-path", chain)
	viper.Set("timestamp-signer-hash", "sha256")
	viper.Set("enforce-intermediate-eku", true)
	viper.Set("max-request-body-size", maxRequest)
	viper.Set("default-policy-oid", policy)
	viper.Set("accepted-policy-oids", []string{policy})
}

package keylesstest

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/mcp-integrity/seal-action/seal"
)

// log is a transparency log: all its leaves, and a checkpoint for each state.
type log struct {
	host string
	id   []byte
	v1   *ecdsa.PrivateKey  // Rekor v1 signs with ECDSA,
	v2   ed25519.PrivateKey // v2 with Ed25519

	mu     sync.Mutex
	leaves [][]byte // hashes
}

// earlier is how many entries of others stand in the log at first, so that an
// inclusion proof has hashes, and treeOffset how much further Rekor v1 counts
// over all its trees.
const earlier, treeOffset = 5, 1000

func newLog(host string, v1 bool) *log {
	l := &log{host: host}
	if v1 {
		l.v1 = newKey(elliptic.P256())
		id := sha256.Sum256(spki(&l.v1.PublicKey))
		l.id = id[:]
	} else {
		public, private, err := ed25519.GenerateKey(rand.Reader)
		if err != nil {
			panic(fmt.Sprintf("keylesstest: %v", err))
		}
		// The key ID of a signed note (C2SP), whole.
		id := sha256.Sum256(append([]byte(host+"\n\x01"), public...))
		l.v2, l.id = private, id[:]
	}
	for n := range earlier {
		l.leaves = append(l.leaves, leafHash([]byte(strconv.Itoa(n))))
	}
	return l
}

func (l *log) publicKey() (raw []byte, details string) {
	if l.v1 != nil {
		return spki(&l.v1.PublicKey), "PKIX_ECDSA_P256_SHA_256"
	}
	return spki(l.v2.Public()), "PKIX_ED25519"
}

// entry is what a client asks the log to witness.
type entry struct {
	certificate, digest, signature []byte
	payloadHash                    []byte // of a DSSE envelope's payload; nil for an artifact's signature
}

func dsseEntry(certificate []byte, payloadType string, payload, signature []byte) entry {
	digest, payloadHash := sha256.Sum256(seal.PAE(payloadType, payload)), sha256.Sum256(payload)
	return entry{certificate: certificate, digest: digest[:], signature: signature, payloadHash: payloadHash[:]}
}

// body is the entry as the log keeps it, and its kind and version.
func (l *log) body(e entry) (body []byte, kind, version string) {
	switch certificate := []byte(toPEM(e.certificate)); {
	case l.v1 == nil:
		return marshal(map[string]any{"apiVersion": "0.0.2", "kind": "hashedrekord", "spec": map[string]any{"hashedRekordV002": map[string]any{
			"data": map[string]any{"algorithm": "SHA2_256", "digest": e.digest},
			"signature": map[string]any{"content": e.signature, "verifier": map[string]any{
				"keyDetails": "PKIX_ECDSA_P256_SHA_256", "x509Certificate": map[string]any{"rawBytes": e.certificate}}},
		}}}), "hashedrekord", "0.0.2"
	case e.payloadHash != nil:
		hash := map[string]any{"algorithm": "sha256", "value": hex.EncodeToString(e.payloadHash)}
		return marshal(map[string]any{"apiVersion": "0.0.1", "kind": "dsse", "spec": map[string]any{
			"envelopeHash": hash, "payloadHash": hash,
			"signatures": []any{map[string]any{"signature": e.signature, "verifier": certificate}},
		}}), "dsse", "0.0.1"
	default:
		return marshal(map[string]any{"apiVersion": "0.0.1", "kind": "hashedrekord", "spec": map[string]any{
			"data":      map[string]any{"hash": map[string]any{"algorithm": "sha256", "value": hex.EncodeToString(e.digest)}},
			"signature": map[string]any{"content": e.signature, "publicKey": map[string]any{"content": certificate}},
		}}), "hashedrekord", "0.0.1"
	}
}

// append adds e and returns the TransparencyLogEntry that proves it.
func (l *log) append(e entry, now time.Time) map[string]any {
	body, kind, version := l.body(e)
	l.mu.Lock()
	defer l.mu.Unlock()
	index := len(l.leaves)
	l.leaves = append(l.leaves, leafHash(body))
	root := treeHash(l.leaves)
	tle := map[string]any{
		"logIndex": strconv.Itoa(index), "logId": map[string]any{"keyId": l.id}, "canonicalizedBody": body,
		"kindVersion": map[string]any{"kind": kind, "version": version},
		"inclusionProof": map[string]any{
			"logIndex": strconv.Itoa(index), "treeSize": strconv.Itoa(len(l.leaves)), "rootHash": root, "hashes": path(index, l.leaves),
			"checkpoint": map[string]any{"envelope": l.checkpoint(root)},
		},
	}
	if l.v1 != nil {
		tle["logIndex"] = strconv.Itoa(index + treeOffset)
		tle["integratedTime"] = strconv.FormatInt(now.Unix(), 10)
		tle["inclusionPromise"] = map[string]any{"signedEntryTimestamp": l.promise(body, now, index)}
	}
	return tle
}

// promise is Rekor v1's signed entry timestamp.
func (l *log) promise(body []byte, now time.Time, index int) []byte {
	digest := sha256.Sum256(marshal(map[string]any{
		"body": body, "integratedTime": now.Unix(), "logID": hex.EncodeToString(l.id), "logIndex": index + treeOffset,
	}))
	return signDER(l.v1, digest[:])
}

// checkpoint is a signed note about the whole log.
func (l *log) checkpoint(root []byte) string {
	origin := l.host
	if l.v1 != nil {
		origin += " - 4711" // the tree's number
	}
	text := fmt.Sprintf("%s\n%d\n%s\n", origin, len(l.leaves), base64.StdEncoding.EncodeToString(root))
	var sig []byte
	if l.v1 != nil {
		digest := sha256.Sum256([]byte(text))
		sig = signDER(l.v1, digest[:])
	} else {
		sig = ed25519.Sign(l.v2, []byte(text))
	}
	hinted := append(append([]byte(nil), l.id[:4]...), sig...)
	return fmt.Sprintf("%s\n— %s %s\n", text, l.host, base64.StdEncoding.EncodeToString(hinted))
}

// RFC 6962 §2.1.

func leafHash(data []byte) []byte {
	sum := sha256.Sum256(append([]byte{0}, data...))
	return sum[:]
}

func nodeHash(left, right []byte) []byte {
	sum := sha256.Sum256(append(append([]byte{1}, left...), right...))
	return sum[:]
}

func treeHash(leaves [][]byte) []byte {
	if len(leaves) == 1 {
		return leaves[0]
	}
	k := split(len(leaves))
	return nodeHash(treeHash(leaves[:k]), treeHash(leaves[k:]))
}

func path(m int, leaves [][]byte) [][]byte {
	if len(leaves) == 1 {
		return nil
	}
	k := split(len(leaves))
	if m < k {
		return append(path(m, leaves[:k]), treeHash(leaves[k:]))
	}
	return append(path(m-k, leaves[k:]), treeHash(leaves[:k]))
}

// split is the largest power of two below n.
func split(n int) int {
	k := 1
	for k*2 < n {
		k *= 2
	}
	return k
}

package seal

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
)

// encodeBase64 is how this package writes bytes: base64url without padding (MIS §7.4).
func encodeBase64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// decodeBase64 reads what other DSSE libraries write, too (decision 5): either
// alphabet of RFC 4648, one alphabet in a string, padded or not. White space
// and stray bits in the last character are refused: one text for one value.
func decodeBase64(s string) ([]byte, error) {
	// encoding/base64 passes over line ends even in strict mode.
	if strings.ContainsAny(s, "\r\n") {
		return nil, errors.New("base64: line end inside")
	}
	urlSafe, std := strings.ContainsAny(s, "-_"), strings.ContainsAny(s, "+/")
	if urlSafe && std {
		return nil, errors.New("base64: both alphabets of RFC 4648 in one string")
	}
	enc := base64.RawURLEncoding
	if std {
		enc = base64.RawStdEncoding
	}
	body := strings.TrimRight(s, "=")
	if pad := len(s) - len(body); pad > 0 && (len(s)%4 != 0 || pad > 2) {
		return nil, fmt.Errorf("base64: %d characters of padding behind %d", pad, len(body))
	}
	b, err := enc.Strict().DecodeString(body)
	if err != nil {
		return nil, fmt.Errorf("base64: %w", err)
	}
	return b, nil
}

package fetch

import (
	"errors"
	"testing"
)

func TestPublicAddress(t *testing.T) {
	for _, address := range []string{
		"127.0.0.1:443", "127.8.8.8:443", "[::1]:443", "10.0.0.1:443", "172.16.0.1:443", "192.168.1.1:443", "169.254.169.254:80",
		"[fe80::1]:443", "[fd00::1]:443", "[::ffff:127.0.0.1]:443", "[::ffff:169.254.169.254]:80", "0.0.0.0:443", "0.1.2.3:443",
		"[::]:443", "100.64.0.1:443", "198.18.0.1:443", "224.0.0.1:443", "255.255.255.255:443", "[64:ff9b::7f00:1]:443",
		"[2002:7f00:1::]:443", "[ff02::1]:443", "192.0.0.1:443",
	} {
		if err := publicAddress(address); !errors.Is(err, ErrPrivate) {
			t.Errorf("publicAddress(%s) = %v, want ErrPrivate", address, err)
		}
	}
	for _, address := range []string{"140.82.121.4:443", "[2606:50c0:8000::153]:443"} {
		if err := publicAddress(address); err != nil {
			t.Errorf("publicAddress(%s) = %v", address, err)
		}
	}
	if publicAddress("host:443") == nil {
		t.Error("publicAddress of no address: no error")
	}
}

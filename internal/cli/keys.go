package cli

import (
	"bytes"
	"context"

	"github.com/mcp-integrity/seal-action/internal/keys"
)

// runKeygen makes a key, or exports the local one.
func runKeygen(_ context.Context, inv *invocation) error {
	if inv.str("output") == "-" {
		return usagef("--output -: a private key is not printed; name a file")
	}
	var key keys.PrivateKey
	if inv.is("local") {
		if inv.given("algorithm") || inv.given("key-id") {
			return usagef("--local exports a key that exists: --algorithm and --key-id do not go with it")
		}
		dir, err := inv.ConfigDir()
		if err != nil {
			return undecidedf("the local key: %w", err)
		}
		if key, err = keys.LoadLocal(dir); err != nil {
			return undecidedf("the local key: %w", err)
		}
	} else {
		var err error
		if key, err = keys.Generate(keys.Algorithm(inv.str("algorithm")), inv.str("key-id")); err != nil {
			return usagef("%w", err)
		}
	}
	if err := keys.WritePrivate(inv.str("output"), key); err != nil {
		return undecidedf("%w", err)
	}
	inv.note("wrote the private key %q to %s: keep it secret, and out of the repository", key.KeyID(), inv.str("output"))
	inv.note("its public half: mcp-integrity jwks %s", inv.str("output"))
	return nil
}

// runJWKS prints the public halves of keys as one JWKS document.
func runJWKS(_ context.Context, inv *invocation) error {
	var all []keys.PublicKey
	for _, name := range inv.args {
		if name == "local" {
			dir, err := inv.ConfigDir()
			if err != nil {
				return undecidedf("the local key: %w", err)
			}
			key, err := keys.LoadLocal(dir)
			if err != nil {
				return undecidedf("the local key: %w", err)
			}
			all = append(all, key.Public())
			continue
		}
		key, err := keys.ReadPublic(name)
		if err != nil {
			return failsf("%w", err)
		}
		all = append(all, key)
	}
	set, err := keys.NewSet(all...)
	if err != nil {
		return failsf("%w", err)
	}
	data, err := set.Marshal()
	if err != nil {
		return failsf("%w", err)
	}
	return inv.print(inv.str("output"), append(bytes.TrimRight(data, "\n"), '\n'))
}

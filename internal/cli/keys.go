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

// runJWKS prints the public halves of keys as one JWKS document, with what else
// it is to carry.
func runJWKS(_ context.Context, inv *invocation) error {
	set, err := inv.continued()
	if err != nil {
		return err
	}
	for _, name := range inv.args {
		key, err := inv.publicHalf(name)
		if err != nil {
			return err
		}
		if err := set.Add(key); err != nil {
			return failsf("%s: %w", name, err)
		}
	}
	for _, id := range inv.list("retire") {
		if err := set.Retire(id, inv.Now()); err != nil {
			return failsf("--retire: %w", err)
		}
	}
	for _, name := range inv.list("revocation") {
		data, err := readFile(name, maxNotice)
		if err != nil {
			return err
		}
		notice, err := keys.ParseNotice(data)
		if err == nil {
			err = set.Revoke(notice)
		}
		if err != nil {
			return failsf("--revocation %s: %w", name, err)
		}
	}
	data, err := set.Marshal()
	if err != nil {
		return failsf("%w", err)
	}
	return inv.print(inv.str("output"), append(bytes.TrimRight(data, "\n"), '\n'))
}

// maxNotice bounds the file of a notice; it takes less than 1 KiB.
const maxNotice = 64 << 10

// continued is the document of --document, or an empty one.
func (i *invocation) continued() (keys.Set, error) {
	name := i.str("document")
	switch {
	case name == "" && len(i.args) == 0:
		return keys.Set{}, usagef("no key is given").withHint("mcp-integrity jwks KEY…, or --document FILE")
	case name == "":
		return keys.Set{}, nil
	}
	set, err := keys.ReadSet(name)
	if err != nil {
		return set, failsf("--document: %w", err)
	}
	return set, nil
}

// publicHalf reads a key's public half, from a file or of the desk.
func (i *invocation) publicHalf(name string) (keys.PublicKey, error) {
	if name != "local" {
		key, err := keys.ReadPublic(name)
		if err != nil {
			return key, failsf("%w", err)
		}
		return key, nil
	}
	dir, err := i.ConfigDir()
	if err != nil {
		return keys.PublicKey{}, undecidedf("the local key: %w", err)
	}
	key, err := keys.LoadLocal(dir)
	if err != nil {
		return keys.PublicKey{}, undecidedf("the local key: %w", err)
	}
	return key.Public(), nil
}

// runRevoke writes a revocation notice (MIS §16.5).
func runRevoke(_ context.Context, inv *invocation) error {
	id, signer, err := inv.revoked()
	if err != nil {
		return err
	}
	notice, err := keys.SignNotice(keys.Notice{
		RevokedKeyID: id, Time: inv.Now(), Reason: keys.Reason(inv.str("reason")), ReplacementKeyID: inv.str("replacement"),
	}, signer)
	if err != nil {
		return failsf("%w", err)
	}
	data, err := notice.Marshal()
	if err != nil {
		return failsf("%w", err)
	}
	if err := inv.print(inv.str("output"), append(bytes.TrimRight(data, "\n"), '\n')); err != nil {
		return err
	}
	inv.note("it has effect as soon as your key document carries it: mcp-integrity jwks --document mcp-integrity-keys.json --revocation %s --output mcp-integrity-keys.json", inv.str("output"))
	inv.note("what the key has signed is unverified from then on: seal the current releases anew, and tell the registries")
	return nil
}

// revoked is the key to revoke, by its id, and who signs that.
func (i *invocation) revoked() (string, keys.PrivateKey, error) {
	name, id := i.args[0], i.args[0]
	if isRegular(name) {
		key, err := keys.ReadPublic(name)
		if err != nil {
			return "", keys.PrivateKey{}, failsf("%w", err)
		}
		id = key.KeyID
	}
	from := i.str("key")
	if from == "" {
		if !isRegular(name) {
			return "", keys.PrivateKey{}, usagef("nothing says who signs the notice").
				withHint("mcp-integrity revoke %s --key FILE, with another live key of the same document", shellWords(name))
		}
		from = name
	}
	signer, err := keys.ReadPrivate(from)
	if err != nil {
		return "", signer, usagef("--key: %w", err)
	}
	return id, signer, nil
}

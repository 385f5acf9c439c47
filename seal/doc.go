// Package seal is the Sealed Manifest of the MCP Integrity Standard (MIS): its
// model, its bytes, the DSSE envelope that carries it, and the attestations
// that stand in the envelope's signatures.
//
// It holds values only. Nothing here reads a file, a clock, an environment
// variable or a socket; whoever calls it brings bytes, keys and the time.
//
// Making one:
//
//	payload, err := seal.MarshalManifest(manifest)
//	envelope := seal.NewEnvelope(payload)
//	err = envelope.Attest(signer, seal.Statement{Role: seal.RolePublisher, …})
//	data, err := envelope.Marshal()
//
// Reading one:
//
//	envelope, err := seal.ParseEnvelope(data)      // still nobody's word
//	opened, err := envelope.Open(ctx, keys, now)   // who says it, checked
//	manifest := opened.Manifest
//
// The bytes that were verified are the bytes that are parsed. A payload whose
// bytes are not their own RFC 8785 form is refused (decision 3).
package seal

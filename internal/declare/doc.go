// Package declare reads mcp-integrity.yaml: what a publisher declares about a
// tool server and its tools. The declarations are sealed as they stand (MIS
// §8.5, §11.2), so nothing here guesses: what the file does not say is an
// error or the widest declaration, never a silent "false".
//
//	publisher: {id: security@acme.example, namespace: io.github.acme, url: https://github.com/acme}
//	server: {command: [node, dist/index.js], env: {API_KEY: dummy}}
//	artifact: [acme-file-tools-1.2.4.tgz]
//	defaults:
//	  side_effects: {reads: [filesystem], writes: [], network_egress: false, …}
//	  capabilities_required: [{resource: filesystem, actions: [read], required: true}]
//	tools:
//	  writeFile: {side_effects: {writes: [filesystem], persists_data: true}}
//
// The file is described by a JSON Schema ([Schema]), which is applied whenever
// a file is read. Every section may be left out or left empty. Beyond the
// schema:
//
//   - A tool's side_effects are those of defaults with the tool's own members
//     in their place, one by one. Lists replace lists, and so does the whole of
//     capabilities_required.
//   - What comes out must have every member that MIS §11.2 requires, and
//     network_endpoints where network_egress is true. A tool that says
//     something and falls short is an error. A tool that says nothing, under
//     defaults that fall short, is [Undeclared].
//   - The names of tools are the source text of their keys: yes, 1e3 and null
//     name tools called "yes", "1e3" and "null".
//
// The YAML is read in one way only (package strictyaml): what is signed is what
// a reviewer reads. Errors name the line, the column and the path of the member
// ([Error]), and all of them at once ([Errors]).
//
// # Contradictions
//
// [Contradictions] compares a declaration with itself and with the tool's
// annotations. A contradiction is a pair of statements that cannot both be
// true, or a statement that lacks the counterpart that MIS requires: a client
// that obeys the one is misled by the other. A hint is what is unusual,
// recommended by MIS but missing, or rests on an annotation that is itself only
// a hint. Annotations are untrusted and optional: an absent one says nothing.
//
//	member                 contradiction                                      hint
//	reads                                                                     names network without network_egress
//	writes                 not empty beside readOnlyHint: true                modifies_system_state, but system is not written
//	                       empty beside destructiveHint: true or              the same, where egress could carry it elsewhere
//	                       persists_data
//	network_egress                                                            openWorldHint says the opposite
//	network_endpoints      none with egress; some without egress
//	executes_code                                                             false beside spawns_processes
//	execution_context                                                         none with executes_code; some with neither code
//	                                                                          nor processes
//	accesses_env_vars      false, but reads names environment
//	env_vars_accessed      some, but accesses_env_vars is false               none, but accesses_env_vars is true
//	modifies_system_state  true beside readOnlyHint: true;
//	                       false, but writes names system
//	persists_data          true beside readOnlyHint: true
//	capabilities_required  none for what reads, writes, egress, environment,  one for a resource without a switch of its own
//	                       processes or system state need; network,           that is neither read nor written
//	                       environment, process or system although the
//	                       declaration says no to it; only "read" for a
//	                       resource that is written
//	annotations                                                               destructiveHint: true beside readOnlyHint: true;
//	                                                                          a hint that is no boolean
//
// A tool that is [Undeclared] has no contradictions: nobody said anything.
package declare

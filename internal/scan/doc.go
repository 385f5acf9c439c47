// Package scan reads the reports of scanners that people run, and says what a
// signed attestation may say of them.
//
// A scanner's attestation that says "clean" is worth what stands behind it. So
// a [Report] is what the bytes of one report support: which tool in which
// version, which rules, how many findings of which severity, how many of them
// somebody waved through, and what the tool looked at. Two things never become
// a clean one: a report with findings, and a report of a scan that failed, did
// not run or looked at nothing, although both may list no finding.
//
// # Formats
//
// [Read] recognises the format by the members at the top; exactly one must fit.
//
//	format       by                        written by
//	sarif        runs, version "2.1.0"     any tool; OASIS SARIF 2.1.0
//	trivy        SchemaVersion 2           trivy --format json
//	grype        matches, descriptor.name  grype -o json
//	osv-scanner  results, and no others    osv-scanner --format json, v1 and v2
//	             than osv-scanner writes
//	mcp-scanner  scan_results              Cisco mcp-scanner --format raw
//
// # What counts as what
//
//	                  speaks against (a finding)    suppressed            neither
//	sarif             kind fail at level error or   every suppression     kind pass, notApplicable,
//	                  warning; any level with a     external and accepted informational; level note or
//	                  security-severity above 0     (also the default)    none; baselineState absent
//	trivy             Vulnerabilities, Secrets,     ModifiedFindings      Misconfigurations with
//	                  Licenses; Misconfigurations   ignored, fixed or     Status PASS
//	                  but PASS and EXCEPTION;       not_affected;
//	                  MisconfSummary.Failures       Status EXCEPTION
//	                  beyond those listed
//	grype             matches                       ignoredMatches with
//	                                                a rule
//	osv-scanner       vulnerabilities, ids of a     (it leaves them out)
//	                  group, license_violations,
//	                  generic findings
//	mcp-scanner       is_safe false; an analyzer    meta_analysis         analyzers at SAFE
//	                  with findings or a severity   .filtered_count
//
// A SARIF suppression of kind inSource is a comment in the code that was scanned:
// its author's word about their own work, and no reason to count less.
//
// A SARIF result without level has its rule's default, which is "warning" where
// the rule has none (§3.27.10); where a run overrides the configuration of rules
// the default is not used to lower it. A value that is not of the format's list
// counts as a finding. Trivy and grype write low vulnerabilities at SARIF's level
// note, with a security-severity: that is why the score counts, so that one scan
// says the same in both formats.
//
// # What is not complete
//
//	sarif        no run; a run without results (null or absent: it did not run,
//	             §3.14.23); an invocation whose executionSuccessful is not true, or
//	             with a notification at level error, a signal, or a failure to
//	             start; results of kind open or review; properties kept in
//	             other files
//	trivy        no Results, or none with a Class; an end-of-life system (EOSL)
//	grype        no source, or one of type unknown or without a target; a database that reports an
//	             error; an alert that a distribution is disabled or end-of-life
//	osv-scanner  no package (a clean run lists them with --all-packages only)
//	mcp-scanner  no result; a status that is not completed; no analyzer
//	all          a member of an object that carries a verdict which this package
//	             does not know and which holds an object or array: there may be
//	             findings in it
//
// What a report does not say cannot be seen: a filter by severity that trivy
// applied before it wrote (--severity, --ignore-unfixed, .trivyignore without
// --show-suppressed), osv-scanner's IgnoredVulns, an empty directory given to
// grype. The report's digest is in the findings, for whom it may concern.
//
// # What bears out what
//
// A scanner's report says something about some of the types of MIS §14.4, and
// nothing about the others; see [Report.Supports].
//
//	malware_scan_clean, types of one's own               every format
//	side_effects_verified, no_prompt_injection_detected  sarif, mcp-scanner
//	code_review_passed, security_audit_passed            sarif
//	namespace_verified, schema_validated,                none
//	manifest_signed
//
// # Findings
//
// [Report.Findings] makes the JSON object for the statement (decision 10b):
//
//	{"tool":"trivy","version":"0.74.0","format":"trivy","verdict":"clean",
//	 "report_digest":"sha256:…","rules":{"count":2,"digest":"sha256:…"},
//	 "database":{"built":"…","digest":"sha256:…"},
//	 "counts":{"critical":0,"high":0,"medium":0,"low":0,"unknown":0,"note":1,"passed":2},
//	 "kinds":{},"suppressed":0,
//	 "targets":[{"name":"docker.io/acme/server","digest":"sha256:…"}],"targets_total":1}
//
// Members about which the report is silent are left out; kinds has those of which
// there are findings; a SARIF log without a run has the tool "unknown". The digest of rules is
// the SHA-256 of the line "mcp-integrity/scan-rules/v1", a line feed, and the
// RFC 8785 form of the array of rule ids, each once, in the order of their bytes.
// The statement is public: a target's name is cut to the last element of an
// absolute path and the first word of a command, and a URL loses its user, query
// and fragment.
//
// The package is a value: bytes in, facts out.
package scan

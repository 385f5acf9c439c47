package scan

import (
	"strconv"
	"strings"
)

// grade is how bad a finding is, on the scale that the formats share.
type grade string

const (
	critical grade = "critical"
	high     grade = "high"
	medium   grade = "medium"
	low      grade = "low"
	unknown  grade = "unknown"
)

// severityNamed reads the words of trivy, grype, OSV and mcp-scanner, which differ in
// case and little else. A word of none of them is unknown, which speaks against.
func severityNamed(word string) grade {
	switch strings.ToLower(word) {
	case "critical":
		return critical
	case "high":
		return high
	case "medium", "moderate":
		return medium
	case "low", "negligible":
		return low
	}
	return unknown
}

// severityScored reads a CVSS score from 0 to 10 by the bands of CVSS 3.1 §5. A
// text that is no score, or 0, is unknown.
func severityScored(text string) grade {
	score, err := strconv.ParseFloat(text, 64)
	switch {
	case err != nil || !(score > 0 && score <= 10): // NaN, too
		return unknown
	case score >= 9:
		return critical
	case score >= 7:
		return high
	case score >= 4:
		return medium
	}
	return low
}

// add counts n findings.
func (c *Counts) add(s grade, n int) {
	switch s {
	case critical:
		c.Critical += n
	case high:
		c.High += n
	case medium:
		c.Medium += n
	case low:
		c.Low += n
	default:
		c.Unknown += n
	}
}

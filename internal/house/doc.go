// Package house holds the rules of the house that a compiler does not: which
// package may import what, and why. It has tests only.
//
// Root packages are values, internal packages are effects, cmd is wire. Each
// heavy dependency stands behind exactly one door.
package house

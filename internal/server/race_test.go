//go:build race

package server

// raceFactor is what the race detector's own memory makes of a bound.
const raceFactor = 10

//go:build !linux

package stack

import "syscall"

// dieWithParent is Linux's alone; elsewhere a killed harness leaves servers.
func dieWithParent() *syscall.SysProcAttr { return nil }

// Command hostile-server is a tool server over stdio that behaves as its one
// argument says; without one it prints the names of all behaviours.
package main

import (
	"fmt"
	"os"

	"github.com/mcp-integrity/seal-action/testdata/servers/hostile"
)

func main() {
	hostile.MaybeRun()
	if len(os.Args) != 2 {
		for _, name := range hostile.Names() {
			fmt.Println(name)
		}
		os.Exit(2)
	}
	os.Exit(hostile.Run(os.Args[1], os.Stdin, os.Stdout, os.Stderr))
}

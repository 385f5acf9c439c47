package server

import (
	"os"
	"path/filepath"
)

// defaultPath is used where we have no PATH ourselves.
const defaultPath = `C:\Windows\System32;C:\Windows`

// systemEnvironment is what programs on Windows need to start at all, and the
// names that home and temporary directory go by there.
func systemEnvironment(h home) []string {
	env := []string{
		"USERPROFILE=" + h.dir(),
		"APPDATA=" + filepath.Join(h.dir(), "AppData", "Roaming"),
		"LOCALAPPDATA=" + filepath.Join(h.dir(), "AppData", "Local"),
		"TEMP=" + h.tmp(), "TMP=" + h.tmp(),
	}
	for _, name := range []string{"SystemRoot", "SystemDrive", "windir", "ComSpec", "PATHEXT"} {
		if value, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+value)
		}
	}
	return env
}

package artifact

import (
	"debug/buildinfo"
	"fmt"
	"runtime/debug"
	"strings"
)

// readBuildInfo sets what a Go program says of itself; for any other program
// it does nothing. The main package's path is what `go install` takes, so it is
// the identifier.
func readBuildInfo(f *file, found *Found) {
	info, err := buildInfo(f)
	if err != nil {
		return
	}
	found.Kind = "Go program"
	if info.Path != "" && info.Path != "command-line-arguments" {
		found.Artifact.Identifier = info.Path
	}
	// "(devel)" is a build of a work tree without version control.
	if v := info.Main.Version; v != "(devel)" {
		found.Artifact.Version = v
	}
	if parts := strings.Split(info.Main.Path, "/"); len(parts) >= 3 && (parts[0] == "github.com" || parts[0] == "gitlab.com") {
		found.Repository = repositoryURL("https://" + strings.Join(parts[:3], "/"))
	}
	settings := make(map[string]string)
	for _, s := range info.Settings {
		settings[s.Key] = s.Value
	}
	found.Revision = settings["vcs.revision"]
	if found.Revision != "" && settings["vcs.modified"] == "true" {
		found.Revision += "+dirty"
	}
}

// buildInfo is buildinfo.Read for an executable that a stranger made. The debug
// packages are by their own word not hardened against those: they may panic,
// and read much.
func buildInfo(f *file) (info *debug.BuildInfo, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("build info: %v", p)
		}
	}()
	return buildinfo.Read(&readBudget{r: f, left: maxExecutableRead})
}

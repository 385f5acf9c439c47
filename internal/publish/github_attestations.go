package publish

import "errors"

func openGitHubAttestations(string, Env) (Place, error) { return nil, errors.New("this place is not there yet") }

package publish

import "errors"

func openDir(string, Env) (Place, error) { return nil, errors.New("this place is not there yet") }

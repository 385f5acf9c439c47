package publish

import "errors"

func openWellKnown(string, Env) (Place, error) { return nil, errors.New("this place is not there yet") }

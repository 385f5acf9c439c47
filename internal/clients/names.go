package clients

import "slices"

// Names returns the clients whose configuration is read, in the order of the table.
func Names() []string {
	var names []string
	for _, s := range table {
		if !slices.Contains(names, s.client) {
			names = append(names, s.client)
		}
	}
	return names
}

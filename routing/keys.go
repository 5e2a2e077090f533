package routing

import "slices"

// Keys returns the keys of the language by the kind of mapping they stand in, sorted. config/schema.json has a
// definition of the same name for each.
func Keys() map[string][]string {
	all := map[string][]string{
		"file": fileKeys, "policy": policyKeys, "retry_policy": keys(retryFields), "route": routeKeys, "step": stepKeys,
		"parallel": parallelKeys, "use": useKeys, "reply": replyKeys,
		"forward": forwardKeys, "destination": destinationKeys, "circuit": circuitKeys, "client_cert": clientCertKeys,
	}
	for kind, list := range all {
		all[kind] = slices.Sorted(slices.Values(list))
	}
	return all
}

package providers

// parseList accepts a body that is one JSON array of bounded depth. Any other is a CodeNoEvent.
func parseList(body []byte) (jsonValue, error) {
	v, err := parseJSON(body)
	switch {
	case err == errDepth:
		return jsonValue{}, err
	case err != nil || v.kind() != '[':
		return jsonValue{}, noEvent("the body is not a JSON array")
	}
	return v, nil
}

// elements returns the elements of an array, none for anything else. It returns MaxItems and one at most: a delivery of more
// is refused, and a list of millions, of a sender that has proved nothing yet, must cost neither memory nor time.
func (v jsonValue) elements() []jsonValue {
	var all []jsonValue
	if v.kind() != '[' {
		return nil
	}
	for it := v.items(); len(all) <= MaxItems && it.next(); {
		all = append(all, it.value)
	}
	return all
}

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

// elements returns the elements of an array, none for anything else.
func (v jsonValue) elements() []jsonValue {
	var all []jsonValue
	if v.kind() != '[' {
		return nil
	}
	for it := v.items(); it.next(); {
		all = append(all, it.value)
	}
	return all
}

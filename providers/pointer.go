package providers

import (
	"strconv"
	"strings"
)

// parsePointer cuts a JSON pointer (RFC 6901) into its tokens; "" is the whole document.
func parsePointer(pointer string) []string {
	if pointer == "" {
		return nil
	}
	tokens := strings.Split(pointer[1:], "/")
	for i, t := range tokens {
		tokens[i] = strings.ReplaceAll(strings.ReplaceAll(t, "~1", "/"), "~0", "~")
	}
	return tokens
}

// at follows a pointer into v. What is not there is an absent value.
func (v jsonValue) at(tokens []string) jsonValue {
	for _, t := range tokens {
		if v.kind() == '[' {
			v = v.element(t)
		} else {
			v = v.member(t)
		}
	}
	return v
}

// element returns an element of an array by the text of its index.
func (v jsonValue) element(index string) jsonValue {
	n, err := strconv.Atoi(index)
	if err != nil || n < 0 {
		return jsonValue{}
	}
	for it := v.items(); it.next(); n-- {
		if n == 0 {
			return it.value
		}
	}
	return jsonValue{}
}

func parsePointers(pointers []string) [][]string {
	parsed := make([][]string, len(pointers))
	for i, pointer := range pointers {
		parsed[i] = parsePointer(pointer)
	}
	return parsed
}

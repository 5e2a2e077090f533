package providers

import "encoding/json"

// setMember returns v's text with one member of the object at v set to a JSON value: replaced where it is, else added in
// front. It is how Sign writes what a sender puts into its body.
func setMember(v jsonValue, name, value string) []byte {
	src := v.src
	at, to, text := v.from+1, v.from+1, `"`+name+`":`+value
	if old := v.member(name); old.kind() != 0 {
		at, to, text = old.from, old.to, value
	} else if it := v.items(); it.next() {
		text += ","
	}
	out := make([]byte, 0, len(src)+len(text))
	out = append(out, src[:at]...)
	out = append(out, text...)
	return append(out, src[to:]...)
}

// quoteJSON writes a JSON string; marshalling one cannot fail.
func quoteJSON(text string) string {
	quoted, _ := json.Marshal(text)
	return string(quoted)
}

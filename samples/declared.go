package samples

import (
	"bytes"
	"fmt"
	"net/http"
	"text/template"

	"hookflow/event"
	"hookflow/providers"
)

// buildDeclared fills in a sample that a kind declares: its headers, its query and its body are templates. The body of a
// form is written as lines of name=value.
func buildDeclared(kind *providers.Kind, s providers.Sample, o Options) (*providers.Request, error) {
	fill, err := newFiller(kind.Name, s.Name, o)
	if err != nil {
		return nil, err
	}
	r := &providers.Request{Method: http.MethodPost, Header: http.Header{"Content-Type": {"application/json"}}}
	for name, text := range s.Header {
		value, err := filled(text, fill)
		if err != nil {
			return nil, fmt.Errorf("header %s of sample %s of %s: %w", name, s.Name, kind.Name, err)
		}
		r.Header.Set(name, string(value))
	}
	if r.Body, err = filled(s.Body, fill); err != nil {
		return nil, fmt.Errorf("sample %s of %s: %w", s.Name, kind.Name, err)
	}
	if event.MediaType(r.Header.Get("Content-Type")) == "application/x-www-form-urlencoded" {
		r.Body = encodeForm(string(r.Body))
	}
	if s.Query != "" {
		query, err := filled(s.Query, fill)
		if err != nil {
			return nil, fmt.Errorf("query of sample %s of %s: %w", s.Name, kind.Name, err)
		}
		r.URL = "?" + string(query)
	}
	return r, nil
}

func filled(text string, fill *filler) ([]byte, error) {
	t, err := template.New("").Option("missingkey=error").Parse(text)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	err = t.Execute(&b, fill)
	return b.Bytes(), err
}

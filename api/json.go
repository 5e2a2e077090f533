package api

import (
	"cmp"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"reflect"
	"strings"

	"github.com/gin-gonic/gin"
)

// maxJSON bounds the bodies of /v1: a filter and a few words.
const maxJSON = 64 << 10

// readJSON reads the body of a request to /v1, one JSON object, into v; without a body v stays as it is. A field that v
// does not have is refused: what is silently left out was meant. The errors are problems.
func readJSON(c *gin.Context, v any) error {
	text, err := io.ReadAll(http.MaxBytesReader(c.Writer, c.Request.Body, maxJSON))
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return tooLarge(maxJSON)
	case err != nil:
		return errIncomplete
	case len(text) == 0:
		return nil
	}
	decoder := json.NewDecoder(strings.NewReader(string(text)))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(v); err != nil {
		return badBody("The body cannot be read: %s; its fields are: %s.", jsonFault(err), cmp.Or(strings.Join(fields(v), ", "), "none"))
	}
	if _, err := decoder.Token(); err != io.EOF {
		return badBody("The body holds more than one JSON value.")
	}
	return nil
}

// readNoJSON is readJSON for what takes nothing: a body with anything in it was meant for something else.
func readNoJSON(c *gin.Context) error { return readJSON(c, &struct{}{}) }

// jsonFault says what is wrong without the names of our types.
func jsonFault(err error) string {
	var wrong *json.UnmarshalTypeError
	switch {
	case errors.As(err, &wrong) && wrong.Field != "":
		return "the field " + wrong.Field + " cannot be a " + wrong.Value
	case errors.As(err, &wrong):
		return "it is not a JSON object"
	case errors.Is(err, io.ErrUnexpectedEOF):
		return "the JSON ends too soon"
	}
	return strings.TrimPrefix(err.Error(), "json: ")
}

// fields are the names in the object that v, a pointer to a struct, is read from.
func fields(v any) []string {
	var names []string
	for field := range reflect.TypeOf(v).Elem().Fields() {
		names = append(names, field.Tag.Get("json"))
	}
	return names
}

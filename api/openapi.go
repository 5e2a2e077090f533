package api

import (
	_ "embed"
	"encoding/json"
	"net/http"
	"sync"

	"github.com/gin-gonic/gin"
	"go.yaml.in/yaml/v3"
)

//go:embed openapi.yaml
var openapiYAML []byte

// openapiJSON is the document as it is served.
var openapiJSON = sync.OnceValue(func() json.RawMessage {
	var document map[string]any
	if err := yaml.Unmarshal(openapiYAML, &document); err != nil {
		panic(err) // it is a part of the program
	}
	text, err := json.Marshal(document)
	if err != nil {
		panic(err)
	}
	return text
})

// openapi answers GET /openapi.json. It holds no data, so it needs no token.
func (a *API) openapi(c *gin.Context) {
	writeJSON(c, http.StatusOK, "application/json", openapiJSON())
}

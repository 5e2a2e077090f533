package api

import (
	"fmt"
	"log/slog"
	"net/http"
	"runtime"
	"runtime/debug"

	"github.com/gin-gonic/gin"
)

// recoverPanic turns a panic into a 500 and reports it. gin's own recovery writes the request's headers to the log,
// signatures and tokens among them.
func (a *API) recoverPanic(c *gin.Context) {
	defer func() {
		value := recover()
		if value == nil {
			return
		}
		if value == http.ErrAbortHandler {
			panic(value)
		}
		stack := debug.Stack()
		a.OnPanic(c.Request.Context(), value, stack)
		a.Log.LogAttrs(c.Request.Context(), slog.LevelError, "a request panicked",
			slog.String("route", c.FullPath()), slog.String("panic", panicText(value)), slog.String("stack", string(stack)))
		if c.Writer.Written() {
			panic(http.ErrAbortHandler) // half an answer is out: only closing tells the client
		}
		c.Abort()
		writeProblem(c, errInternal)
	}()
	c.Next()
}

// panicText shows the runtime's own panics (index out of range, nil map) in words, all others by their type: the value
// may hold what the request held.
func panicText(value any) string {
	if err, ok := value.(runtime.Error); ok {
		return err.Error()
	}
	return fmt.Sprintf("%T", value)
}

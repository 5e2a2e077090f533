package intake

import (
	"errors"
	"strings"
	"sync/atomic"
	"time"

	"hookflow/event"

	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/temporal"
)

// attributePause is how long runs are started without the search attribute once the namespace was found to lack it.
const attributePause = 5 * time.Minute

// maxAttribute is what the servers' SQL stores keep of a keyword (VARCHAR(255)); a longer one keeps the run out of their
// lists.
const maxAttribute = 255

var typeAttribute = temporal.NewSearchAttributeKeyKeyword(event.TypeAttribute)

// attribute puts the event's type on its runs, so that they are found by it in the Temporal UI. A namespace may lack it,
// and then refuses every start that names it.
type attribute struct {
	now func() time.Time
	off atomic.Int64 // until when it is left off, in Unix nanoseconds
}

// of returns the search attributes of a run: none while they are left off.
func (a *attribute) of(e *event.Event) temporal.SearchAttributes {
	if a.now().UnixNano() < a.off.Load() {
		return temporal.SearchAttributes{}
	}
	kept := strings.ToValidUTF8(e.Type[:min(len(e.Type), maxAttribute)], "")
	return temporal.NewSearchAttributes(typeAttribute.ValueSet(kept))
}

// refused reports whether err is about the search attribute, which is then left off for a while. first says that the
// caller is the first to find out.
func (a *attribute) refused(err error) (first, about bool) {
	var invalid *serviceerror.InvalidArgument
	if !errors.As(err, &invalid) || !strings.Contains(invalid.Message, event.TypeAttribute) {
		return false, false
	}
	before := a.off.Load()
	now := a.now()
	return now.UnixNano() >= before && a.off.CompareAndSwap(before, now.Add(attributePause).UnixNano()), true
}

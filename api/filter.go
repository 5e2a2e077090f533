package api

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"hookflow/event"

	"github.com/gin-gonic/gin"
)

const (
	defaultLimit = 50
	maxLimit     = 200
	maxDays      = 36500
)

// parameter sets its part of a question from one value. It returns what is wrong with the value, "" if nothing is.
type parameter[T any] func(question *T, value string, now time.Time) string

var parameters = map[string]parameter[event.Filter]{
	"provider": func(f *event.Filter, v string, _ time.Time) string {
		f.Provider = v
		return checkName(v)
	},
	"type": func(f *event.Filter, v string, _ time.Time) string {
		f.Type = v
		return event.CheckID(v)
	},
	"status": func(f *event.Filter, v string, _ time.Time) string {
		f.Status = event.Status(v)
		if !slices.Contains(event.Statuses, f.Status) {
			return fmt.Sprintf("is none of %v", event.Statuses)
		}
		return ""
	},
	"account": func(f *event.Filter, v string, _ time.Time) string {
		f.Account = v
		return event.CheckID(v)
	},
	"note": func(f *event.Filter, v string, _ time.Time) string {
		f.Note = event.Note(v)
		if !slices.Contains(event.Notes, f.Note) {
			return fmt.Sprintf("is none of %v", event.Notes)
		}
		return ""
	},
	"error": func(f *event.Filter, v string, _ time.Time) string {
		f.Error = v
		return event.CheckID(v)
	},
	"error_type": func(f *event.Filter, v string, _ time.Time) string {
		f.ErrorType = v
		return event.CheckID(v)
	},
	"order": func(f *event.Filter, v string, _ time.Time) string {
		switch v {
		case "newest", "desc":
			return ""
		case "oldest", "asc":
			f.Oldest = true
			return ""
		}
		return "is neither newest (or desc) nor oldest (or asc)"
	},
	"q": func(f *event.Filter, v string, _ time.Time) (why string) {
		f.Contains, why = containment(v)
		return why
	},
	"since": func(f *event.Filter, v string, now time.Time) (why string) {
		f.Since, why = moment(v, now)
		return why
	},
	"until": func(f *event.Filter, v string, now time.Time) (why string) {
		f.Until, why = moment(v, now)
		return why
	},
	"limit": func(f *event.Filter, v string, _ time.Time) string {
		n, err := strconv.Atoi(v)
		if f.Limit = n; err != nil || n < 1 || n > maxLimit {
			return fmt.Sprintf("is not a number from 1 to %d", maxLimit)
		}
		return ""
	},
	"cursor": func(f *event.Filter, v string, _ time.Time) string {
		if f.After = readCursor(v); f.After == nil {
			return "is not a next_cursor of a listing"
		}
		return ""
	},
}

// parseFilter reads the query of GET /v1/events.
func parseFilter(query string, now time.Time) (event.Filter, error) {
	f, err := readParameters(query, parameters, event.Filter{Limit: defaultLimit}, now)
	if err != nil {
		return f, err
	}
	return f, checkSpan(f)
}

func checkSpan(f event.Filter) error {
	if !f.Since.IsZero() && !f.Until.IsZero() && f.Since.After(f.Until) {
		return badQuery("since lies after until, so nothing can be between them.")
	}
	return nil
}

// readParameters reads a query by the parameters that there are. What it does not know it refuses: a filter that is
// silently left out shows an operator events that were not asked for.
func readParameters[T any](query string, parameters map[string]parameter[T], f T, now time.Time) (T, error) {
	given, err := url.ParseQuery(query)
	if err != nil {
		return f, badQuery("The query cannot be read: a percent sign must be followed by two hex digits, and parameters are parted by &.")
	}
	for _, name := range slices.Sorted(maps.Keys(given)) {
		set, known := parameters[name]
		switch {
		case !known:
			return f, badQuery("There is no parameter %s; there are %s.", short(name), strings.Join(slices.Sorted(maps.Keys(parameters)), ", "))
		case len(given[name]) > 1:
			return f, badQuery("The parameter %s is given more than once.", name)
		}
		if why := set(&f, given[name][0], now); why != "" {
			return f, badQuery("The value of %s %s: %s.", name, why, short(given[name][0]))
		}
	}
	return f, nil
}

// takesNoQuery refuses a query where none is read: dry_run=true behind POST /v1/replays would be passed over, and the replay made.
func (a *API) takesNoQuery(c *gin.Context) {
	switch c.FullPath() {
	case "/v1/events", "/v1/stats":
		return
	}
	if c.Request.URL.RawQuery != "" {
		a.refuseQuery(c, badQuery("%s %s takes no parameters in its query.", c.Request.Method, short(c.Request.URL.Path)))
		c.Abort()
	}
}

// short quotes what a caller sent, for a message back to it.
func short(value string) string {
	const enough = 64
	if len(value) > enough {
		return strconv.Quote(strings.ToValidUTF8(value[:enough], "")) + "…"
	}
	return strconv.Quote(value)
}

// checkName reports why a word cannot be a source's name. The source itself may have been removed since: its events stay.
func checkName(s string) string {
	const longest = 64
	for _, r := range s {
		plain := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '_' || r == '.'
		if !plain {
			return "is not a provider's name (letters, digits, hyphens, dots and underscores)"
		}
	}
	if s == "" || len(s) > longest {
		return fmt.Sprintf("is not a provider's name (1 to %d characters)", longest)
	}
	return ""
}

// moment reads an RFC 3339 time, or a duration that lies so far back: 90s, 2h, 7d.
func moment(s string, now time.Time) (time.Time, string) {
	if t, err := time.Parse(time.RFC3339, s); err == nil {
		return t.UTC(), ""
	}
	if days, ok := strings.CutSuffix(s, "d"); ok {
		if n, err := strconv.Atoi(days); err == nil && n >= 0 && n <= maxDays {
			return now.UTC().Add(-time.Duration(n) * 24 * time.Hour), ""
		}
	}
	if d, err := time.ParseDuration(s); err == nil && d >= 0 && d <= maxDays*24*time.Hour {
		return now.UTC().Add(-d), ""
	}
	return time.Time{}, "is neither an RFC 3339 time nor a duration such as 2h or 7d"
}

// containment checks the JSON of q, and writes it anew: jsonb refuses some of what is valid JSON (a NUL or half a
// surrogate pair inside a string, numbers beyond its range, very deep nesting), and a refusal from there would be a 500.
func containment(s string) (json.RawMessage, string) {
	const deepest = 32
	decoder := json.NewDecoder(strings.NewReader(s))
	decoder.UseNumber()
	var value any
	if !json.Valid([]byte(s)) || decoder.Decode(&value) != nil {
		return nil, "is not JSON"
	}
	if why := unfit(value, deepest); why != "" {
		return nil, why
	}
	text, err := json.Marshal(value)
	if err != nil {
		return nil, "is not JSON"
	}
	return text, ""
}

// unfit reports why jsonb would not take value, looking at most deepest levels down.
func unfit(value any, deepest int) string {
	if deepest == 0 {
		return "is nested too deeply"
	}
	switch v := value.(type) {
	case string:
		if strings.Contains(v, "\x00") {
			return "holds a NUL character"
		}
	case json.Number:
		if _, err := v.Float64(); err != nil || len(v) > 400 || tiny(string(v)) {
			return "holds a number out of range"
		}
	case []any:
		for _, item := range v {
			if why := unfit(item, deepest-1); why != "" {
				return why
			}
		}
	case map[string]any:
		for key, item := range v {
			if why := unfit(key, 1); why != "" {
				return why
			}
			if why := unfit(item, deepest-1); why != "" {
				return why
			}
		}
	}
	return ""
}

// tiny recognises exponents below those of a float64; numeric has no place for 1e-20000.
func tiny(number string) bool {
	at := strings.IndexAny(number, "eE")
	if at < 0 {
		return false
	}
	exponent, err := strconv.Atoi(number[at+1:])
	return err != nil || exponent < -400
}

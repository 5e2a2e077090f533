package providers

import (
	"cmp"
	"slices"
	"strings"

	"hookflow/event"
)

// signedForm is the string that Twilio signs, and Mandrill and Plivo in their ways: a URL and behind it each parameter as name and value, in byte order of
// the names, distinct values in byte order, without any delimiter.
type signedForm struct {
	text  string
	spans []span
	// prose is the parameter that holds the text of a message: Body with Twilio, Text with Plivo. Of Twilio's telling
	// parameters none but AccountSid stands before Body, and of Plivo's none behind Text, so nothing that matters can be
	// glued to it.
	prose string
}

// span is the place of one parameter in the text: its name is text[start:value], its value text[value:end].
type span struct{ start, value, end int }

// signForm writes the signed string of a URL, taken as it is, and a form. The order is by name and not by name and value
// together: "Reason" stands before "ReasonConferenceEnded" whatever its value.
func signForm(url string, form event.Form) signedForm {
	sorted := slices.Compact(sortedForm(form))
	size := len(url)
	for _, p := range sorted {
		size += len(p.Name) + len(p.Value)
	}
	var text strings.Builder
	text.Grow(size)
	text.WriteString(url)
	spans := make([]span, len(sorted))
	for i, p := range sorted {
		start := text.Len()
		text.WriteString(p.Name)
		value := text.Len()
		text.WriteString(p.Value)
		spans[i] = span{start: start, value: value, end: text.Len()}
	}
	return signedForm{text: text.String(), spans: spans, prose: "Body"}
}

// sortedForm returns the parameters in the order of their names, and of one name in the order of its values.
func sortedForm(form event.Form) event.Form {
	sorted := slices.Clone(form)
	slices.SortFunc(sorted, func(a, b event.Param) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Value, b.Value))
	})
	return sorted
}

// Because nothing delimits the parameters, whoever holds one signed request can cut it anew and keep the signature:
// glue a parameter to the value before it, move parameters into the query, or cut parameters out of a text that
// somebody wrote into a message. What cannot be changed is the signed string itself. So each place of it that reads as
// a telling name with a fitting value must be a parameter of that name.

// telling is a parameter on which the id or the kind of an event depends.
type telling struct {
	name string
	// fits returns the length of the longest fitting value at the start of a text, 0 for none. A new status word of
	// Twilio fits: words are recognised by their letters, not by a list.
	fits func(string) int
}

// identifying parameters have one value, which fits whole.
var identifying = []telling{
	{"AccountSid", fitsSID},
	{"CallSid", fitsSID},
	{"MessageSid", fitsSID},
	{"SmsSid", fitsSID},
	{"RecordingSid", fitsSID},
	{"ConferenceSid", fitsSID},
	{sequenceNumber, fitsNumber},
	{"CallStatus", fitsWord},
	{"MessageStatus", fitsWord},
	{"SmsStatus", fitsWord},
	{"RecordingStatus", fitsWord},
	{"StatusCallbackEvent", fitsWord},
	{"Direction", fitsWord},
}

// classifying parameters tell kinds apart by being there; their values are Twilio's business.
var classifying = []telling{
	{"CallbackSource", fitsWord},
	{"CallDuration", fitsNumber},
	{"Timestamp", fitsDate},
	{"TranscriptionSid", fitsSID},
	{"RecordingUrl", fitsLink},
	{"Digits", fitsKeys},
	{"SpeechResult", fitsSpeech},
	{"QueueResult", fitsWord},
}

const sequenceNumber = "SequenceNumber"

// longerNames begin the names of Twilio's that end in a telling name: ParentCallSid, DialCallStatus, SmsMessageSid,
// OriginalRepliedMessageSid, NumDigits. None is itself the name of a parameter that could be glued to the next.
var longerNames = []string{"Parent", "Dial", "Sms", "OriginalReplied", "Num"}

// cutting says how a signed string is cut into parameters, from good to bad.
type cutting int

const (
	cutProper   cutting = iota // each telling name is that of a parameter
	cutDoubtful                // one ends a longer name, or its value goes on in the next: new, or cut anew
	cutAnew                    // one stands where no name of a parameter ends: glued, moved or cut out of a text
)

// cut returns the worst cutting of one of Twilio's telling names in the signed string, and that name.
func (s signedForm) cut() (worst cutting, name string) { return s.cutBy(identifying, classifying) }

// cutBy does so for the telling names of some tables.
func (s signedForm) cutBy(tables ...[]telling) (worst cutting, name string) {
	for _, table := range tables {
		for _, t := range table {
			if found := s.cutAt(t); found > worst {
				worst, name = found, t.name
			}
		}
	}
	return worst, name
}

func (s signedForm) cutAt(t telling) (worst cutting) {
	for from := 0; ; {
		i := strings.Index(s.text[from:], t.name)
		if i < 0 {
			return worst
		}
		start := from + i
		from = start + len(t.name)
		if n := t.fits(s.text[from:]); n > 0 {
			worst = max(worst, s.placeOf(start, from, from+n))
		}
	}
}

// placeOf judges a telling name at text[start:value] whose fitting value ends at end. A longer name may be a new one or
// glued from an empty parameter; a value that goes on in the next parameter's name would need one in lower case, which
// Twilio does not have. Both are only doubtful, so that nothing genuine is refused for them. Within the text of a
// message a telling name is just words: see prose.
func (s signedForm) placeOf(start, value, end int) cutting {
	for _, p := range s.spans {
		if start < p.start || start >= p.end {
			continue
		}
		prefix := s.text[p.start:min(start, p.value)]
		switch known := prefix == "" || slices.Contains(longerNames, prefix); {
		case value == p.value && known && end <= p.end:
			return cutProper
		case value == p.value && onlyLetters(prefix):
			return cutDoubtful
		case start >= p.value && value < p.end && s.text[p.start:p.value] == s.prose:
			return cutProper
		}
		return cutAnew
	}
	return cutAnew
}

func onlyLetters(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return (r|0x20) < 'a' || (r|0x20) > 'z' })
}

// sidLength is that of every SID of Twilio: two capital letters and 32 lower-case hexadecimal digits.
const sidLength = 34

func fitsSID(s string) int {
	if len(s) < sidLength || s[0] < 'A' || s[0] > 'Z' || s[1] < 'A' || s[1] > 'Z' {
		return 0
	}
	for i := 2; i < sidLength; i++ {
		if (s[i] < '0' || s[i] > '9') && (s[i] < 'a' || s[i] > 'f') {
			return 0
		}
	}
	return sidLength
}

// fitsNumber takes up to 10 digits: sequence numbers count the callbacks of one call or conference, from 0.
func fitsNumber(s string) int {
	n := 0
	for n < len(s) && n < 10 && s[n] >= '0' && s[n] <= '9' {
		n++
	}
	return n
}

// fitsWord takes a status word: lower-case letters with hyphens or underscores inside, up to 40. Every name that Twilio
// could have put behind it begins with a capital, so a glued one never fits whole.
func fitsWord(s string) int {
	n := 0
	for n < len(s) && n < 40 && (s[n] >= 'a' && s[n] <= 'z' || n > 0 && (s[n] == '-' || s[n] == '_')) {
		n++
	}
	return n
}

// fitsDate takes the start of an RFC 2822 date: "Thu,".
func fitsDate(s string) int {
	if len(s) < 4 || s[0] < 'A' || s[0] > 'Z' || fitsWord(s[1:3]) != 2 || s[3] != ',' {
		return 0
	}
	return 4
}

// fitsLink takes the start of a URL.
func fitsLink(s string) int {
	if strings.HasPrefix(s, "http") {
		return len("http")
	}
	return 0
}

// fitsKeys takes one key of a telephone.
func fitsKeys(s string) int {
	if s != "" && strings.IndexByte("0123456789*#", s[0]) >= 0 {
		return 1
	}
	return 0
}

// fitsSpeech takes the start of what somebody said: one letter or digit, or any byte beyond ASCII.
func fitsSpeech(s string) int {
	if s != "" && (s[0] >= 0x80 || s[0] >= '0' && s[0] <= '9' || onlyLetters(s[:1])) {
		return 1
	}
	return 0
}

// isSID reports whether s is a SID of one of the kinds.
func isSID(s string, kinds ...string) bool {
	return len(s) == sidLength && fitsSID(s) == sidLength && slices.Contains(kinds, s[:2])
}

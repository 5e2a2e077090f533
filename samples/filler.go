package samples

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"regexp"
	"strings"
	"time"
)

// SampleAccountSID is the Twilio account of the samples. It is computed, since anything of this form in a source file
// is taken for a real one by secret scanners.
var SampleAccountSID = "AC" + hex.EncodeToString(digest("sample account"))[:32]

// filler holds what the placeholders of a template are filled with. What it makes up follows from its seed and the
// name of the thing, so one document names one thing alike everywhere.
type filler struct {
	// ID is the natural id, escaped for the inside of a JSON string.
	ID string
	// AccountSid is Twilio's account.
	AccountSid string

	object string
	seed   []byte
	now    time.Time
}

// sidPrefixes are the prefixes of Twilio's natural ids, by the first word of the sample's name.
var sidPrefixes = map[string]string{"call": "CA", "message": "SM", "recording": "RE", "conference": "CF", "com": "EZ"}

// sid is the form of a Twilio SID, https://www.twilio.com/docs/glossary/what-is-a-sid.
var sid = regexp.MustCompile(`^[A-Z]{2}[0-9a-f]{32}$`)

func newFiller(provider, name string, o Options) (*filler, error) {
	seed, err := newSeed(o)
	if err != nil {
		return nil, err
	}
	f := &filler{ID: inJSON(o.ID), AccountSid: o.Account, object: inJSON(o.Object), seed: seed, now: o.Now.UTC()}
	if f.AccountSid == "" {
		f.AccountSid = SampleAccountSID
	}
	if o.Object != "" && provider != "stripe" {
		return nil, fmt.Errorf("samples of %s hold no object of its own", provider)
	}
	if o.ID == "" {
		f.ID = f.freshID(provider, name)
		return f, nil
	}
	if prefix := sidPrefix(name); provider == "twilio" && !isSID(o.ID, prefix) {
		return nil, fmt.Errorf("the id of %s is %s and 32 hexadecimal digits in lower case", name, prefix)
	}
	return f, nil
}

// isSID allows MM where SM is due: messages with media.
func isSID(id, prefix string) bool {
	return sid.MatchString(id) && (id[:2] == prefix || prefix == "SM" && id[:2] == "MM")
}

// inJSON escapes s for the inside of a JSON string. Marshalling a string cannot fail.
func inJSON(s string) string {
	quoted, _ := json.Marshal(s)
	return string(quoted[1 : len(quoted)-1])
}

func newSeed(o Options) ([]byte, error) {
	if o.ID != "" {
		return digest("id", o.ID), nil
	}
	random := binary.BigEndian.AppendUint64(nil, uint64(o.Now.UnixNano()))
	if o.Random != nil {
		random = make([]byte, 16)
		if _, err := io.ReadFull(o.Random, random); err != nil {
			return nil, fmt.Errorf("no randomness for a fresh id: %w", err)
		}
	}
	return digest(string(random), fmt.Sprint(o.N)), nil
}

func (f *filler) freshID(provider, name string) string {
	switch provider {
	case "stripe":
		return f.Word("evt_1", 23)
	case "twilio":
		return f.Hex(sidPrefix(name), 32)
	}
	return f.UUID("call")
}

func sidPrefix(name string) string {
	kind, _, _ := strings.Cut(name, ".")
	return sidPrefixes[kind]
}

// Word makes an id as Stripe writes them: prefix and n letters and digits.
func (f *filler) Word(prefix string, n int) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
	var b strings.Builder
	b.WriteString(prefix)
	for i := range n {
		b.WriteByte(alphabet[int(f.part(prefix, i/sha256.Size)[i%sha256.Size])%len(alphabet)])
	}
	return b.String()
}

// Object is Word for the business object, or Options.Object where that is set.
func (f *filler) Object(prefix string, n int) string {
	if f.object != "" {
		return f.object
	}
	return f.Word(prefix, n)
}

// Hex makes a SID as Twilio writes them: prefix and n (at most 64) hexadecimal digits.
func (f *filler) Hex(prefix string, n int) string {
	return prefix + hex.EncodeToString(f.part(prefix, 0))[:n]
}

// UUID makes a version 4 uuid for the named thing.
func (f *filler) UUID(thing string) string {
	b := f.part(thing, 0)[:16]
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[0:4], b[4:6], b[6:8], b[8:10], b[10:16])
}

// Number makes a number of 9 digits for the named thing.
func (f *filler) Number(thing string) uint32 {
	return 100_000_000 + binary.BigEndian.Uint32(f.part(thing, 0))%900_000_000
}

// Unix is the time, that many seconds off, in seconds.
func (f *filler) Unix(off int) int64 { return f.at(off).Unix() }

// Millis is the time, that many seconds off, in milliseconds.
func (f *filler) Millis(off int) int64 { return f.at(off).UnixMilli() }

// ISO is the time, that many seconds off, as JavaScript writes it.
func (f *filler) ISO(off int) string { return f.at(off).Format("2006-01-02T15:04:05.000Z") }

// RFC2822 is the time, that many seconds off, as Twilio writes it.
func (f *filler) RFC2822(off int) string { return f.at(off).Format(time.RFC1123Z) }

// DLR is the time, that many seconds off, as a carrier's receipt has it: YYMMDDhhmm.
func (f *filler) DLR(off int) string { return f.at(off).Format("0601021504") }

func (f *filler) at(off int) time.Time { return f.now.Add(time.Duration(off) * time.Second) }

func (f *filler) part(thing string, block int) []byte {
	return digest(string(f.seed), thing, fmt.Sprint(block))
}

func digest(parts ...string) []byte {
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	return sum[:]
}

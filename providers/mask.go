package providers

// maskText stands in for a credential. It is a string whatever stood there before.
const maskText = `"[masked]"`

// maskCredentials replaces the values of credentials in a checked JSON text, wherever they stand and of whatever kind,
// and reports whether it replaced any. Every other byte stays as it was: numbers, escapes, order, white space. Vapi puts
// the phone number's Twilio token and the secrets of servers into its messages (its OpenAPI schemas
// CreateTwilioPhoneNumberDTO and Server), and both stores keep bodies. JSON inside a string is text, and null holds no
// credential: both are left alone.
func maskCredentials(v jsonValue) ([]byte, bool) {
	s := splicer{src: v.src, text: maskText, hides: isCredential, headers: true}
	return s.splice(v)
}

// splicer replaces the values of some names in one pass over a checked JSON text.
type splicer struct {
	src, out []byte
	copied   int // src up to here is in out
	text     string
	hides    func(name []byte) bool
	headers  bool // the values of server.headers too
}

func (s *splicer) splice(v jsonValue) ([]byte, bool) {
	s.value(v.from, false)
	if s.out == nil {
		return s.src, false
	}
	return append(s.out, s.src[s.copied:]...), true
}

// value goes through the value at i and returns the place behind it. inServer says that it is the value of "server".
func (s *splicer) value(i int, inServer bool) int {
	switch s.src[i] {
	case '{':
		for i = pastSpace(s.src, i+1); s.src[i] != '}'; i = pastSpace(s.src, i) {
			i = s.member(i, inServer)
		}
		return i + 1
	case '[':
		for i = pastSpace(s.src, i+1); s.src[i] != ']'; i = pastSpace(s.src, i) {
			i = s.value(i, inServer)
		}
		return i + 1
	}
	return pastValue(s.src, i)
}

// member goes through a name and its value.
func (s *splicer) member(i int, inServer bool) int {
	end := pastString(s.src, i)
	name, _ := unquote(s.src[i:end])
	i = pastSpace(s.src, end)
	switch {
	case s.hides(name):
		return s.replace(i)
	case s.headers && inServer && asciiEqualFold(name, "headers"):
		return s.replaceEach(i)
	}
	return s.value(i, s.headers && asciiEqualFold(name, "server"))
}

// replaceEach replaces the values of server.headers and keeps the names. Anything but an object is replaced whole.
func (s *splicer) replaceEach(i int) int {
	if s.src[i] != '{' {
		return s.replace(i)
	}
	for i = pastSpace(s.src, i+1); s.src[i] != '}'; i = pastSpace(s.src, i) {
		i = s.replace(pastSpace(s.src, pastString(s.src, i)))
	}
	return i + 1
}

func (s *splicer) replace(from int) int {
	to := pastValue(s.src, from)
	if s.src[from] == 'n' || string(s.src[from:to]) == s.text {
		return to
	}
	if s.out == nil {
		s.out = make([]byte, 0, len(s.src)+len(s.src)/8+len(s.text))
	}
	s.out = append(s.out, s.src[s.copied:from]...)
	s.out = append(s.out, s.text...)
	s.copied = to
	return to
}

// credentials are names whose values are credentials, in lower case and without - and _: those of Vapi's schema (its OpenAPI
// document, components.schemas) and the general ones, beside those that credentialEndings find.
var credentials = map[string]bool{
	"accesstoken": true, "apikey": true, "apisecret": true, "authorization": true, "authpassword": true, "authtoken": true,
	"awssecretaccesskey": true, "bearer": true, "bearertoken": true, "calltoken": true, "clientsecret": true, "cookie": true, "credential": true,
	"hmacsecret": true, "jwtsecret": true, "ocpapimsubscriptionkey": true, "openaikey": true, "password": true, "privatekey": true,
	"proxyauthorization": true, "refreshtoken": true, "secret": true, "secretaccesskey": true, "secretkey": true, "serverurlsecret": true,
	"sessiontoken": true, "sippassword": true, "token": true, "twilioapisecret": true, "twilioauthtoken": true, "vonageapplicationprivatekey": true,
}

// credentialEndings end the names of credentials, as words of their own: serverUrlSecret, sipPassword, x-api-key, bearerToken.
var credentialEndings = []string{
	"secret", "password", "passphrase", "apikey", "accesskey", "secretkey", "privatekey", "authtoken", "accesstoken", "bearertoken", "refreshtoken",
	"sessiontoken", "apitoken",
}

// maxCredential is the length of the longest name that is looked at.
const maxCredential = 64

// isCredential says whether the value of a name is a credential. Neither its case nor - and _ in it matter: apiKey, api_key
// and X-API-Key are one name.
func isCredential(name []byte) bool {
	if len(name) > maxCredential {
		return false
	}
	var plain [maxCredential]byte
	var begins [maxCredential]bool // a word
	n, apart := 0, true
	for _, b := range name {
		if b == '-' || b == '_' {
			apart = true
			continue
		}
		capital := b >= 'A' && b <= 'Z'
		if capital {
			b += 'a' - 'A'
		}
		plain[n], begins[n] = b, apart || capital
		n, apart = n+1, false
	}
	if credentials[string(plain[:n])] {
		return true
	}
	for _, ending := range credentialEndings {
		if at := n - len(ending); at >= 0 && begins[at] && string(plain[at:n]) == ending {
			return true
		}
	}
	return false
}

// asciiEqualFold compares a name with one in lower case; only ASCII letters have a case here.
func asciiEqualFold(name []byte, lower string) bool {
	if len(name) != len(lower) {
		return false
	}
	for i, b := range name {
		if b >= 'A' && b <= 'Z' {
			b += 'a' - 'A'
		}
		if b != lower[i] {
			return false
		}
	}
	return true
}

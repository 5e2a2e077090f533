package providers

import (
	"context"
	"crypto"
	"crypto/rsa"
	"crypto/sha1" // only with AllowWeak
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"hookflow/event"
)

const (
	snsNotification = "Notification"
	snsSubscribe    = "SubscriptionConfirmation"
	snsUnsubscribe  = "UnsubscribeConfirmation"

	// snsPast is how old a message may be. Its time is that of its publication, in each attempt, and for endpoints of
	// one's own SNS goes on for at most an hour.
	// https://docs.aws.amazon.com/sns/latest/dg/creating-delivery-policy.html
	snsPast = time.Hour + Tolerance

	// snsOwnCert is the address under which a key pair of one's own is known; it is never asked for.
	snsOwnCert = "https://sns.us-east-1.amazonaws.com/SimpleNotificationService-00000000000000000000000000000000.pem"
)

var (
	snsCerts     = regexp.MustCompile(`^https://sns\.[a-z0-9-]+\.amazonaws\.com(\.cn)?/SimpleNotificationService-[0-9a-f]{1,64}\.pem$`)
	snsConfirm   = regexp.MustCompile(`^https://sns\.[a-z0-9-]+\.amazonaws\.com(\.cn)?/\?[!-~]+$`)
	snsNames     = regexp.MustCompile(`^sns(-[a-z0-9-]+)?(\.[a-z0-9-]+)?\.amazonaws\.com(\.cn)?$`)
	snsTopic     = regexp.MustCompile(`^arn:aws[a-z-]*:sns:[a-z0-9-]+:[0-9]{12}:[A-Za-z0-9_.-]{1,256}$`)
	snsMessageID = regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)
)

// SNSConfig is what NewSNS needs to know.
type SNSConfig struct {
	// TopicARNs are the topics whose messages are taken. Anybody with an AWS account can have SNS sign messages, so the
	// topic is what says whose they are. A key pair made by GenerateKey may stand among them.
	TopicARNs []string
	// AllowWeak takes SignatureVersion 1 as well, RSA over SHA-1, which is a topic's default until it is set to 2.
	AllowWeak bool
	Fetch     Fetch
}

// SNS verifies and reads the messages of AWS SNS, and confirms subscriptions.
// https://docs.aws.amazon.com/sns/latest/dg/sns-verify-signature-of-message.html
type SNS struct {
	topics    []string
	allowWeak bool
	certs     *certificates
	private   *rsa.PrivateKey
}

var (
	_ Signer  = (*SNS)(nil)
	_ Greeter = (*SNS)(nil)
)

// NewSNS refuses no topic, more than MaxSecrets, and what is no ARN of a topic.
func NewSNS(c SNSConfig) (*SNS, error) {
	texts, err := currentSecrets(c.TopicARNs)
	if err != nil {
		return nil, err
	}
	s := &SNS{allowWeak: c.AllowWeak, certs: newCertificates(c.Fetch, snsCerts, snsNames)}
	for i, text := range texts {
		private, own, err := readPrivateKey[*rsa.PrivateKey](text)
		switch {
		case err != nil:
			return nil, fmt.Errorf("topic ARN %d %w", i+1, err)
		case own:
			s.private = private
			s.certs.give(snsOwnCert, &private.PublicKey)
		case !snsTopic.MatchString(text):
			return nil, fmt.Errorf("topic ARN %d is not of the form arn:aws:sns:REGION:ACCOUNT:TOPIC", i+1)
		default:
			s.topics = append(s.topics, text)
		}
	}
	if len(s.topics) == 0 {
		return nil, fmt.Errorf("there is no topic ARN: %w", errNoSecret)
	}
	return s, nil
}

// snsMessage holds the signed fields of a message and its proof.
type snsMessage struct {
	body      jsonValue
	fields    map[string]string
	version   string
	signature string
	cert      string
}

// The signed fields, in the order in which they are signed. A subject is signed where there is one.
var (
	snsNotificationFields = []string{"Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"}
	snsConfirmationFields = []string{"Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"}
)

// readSNS reads a message that is not verified yet. Within the signed text the fields stand on lines of their own, so
// that a line end in any but the message would let somebody who may publish cut one message into another.
func readSNS(text []byte) (*snsMessage, error) {
	body, err := parseObject(text)
	if err != nil {
		return nil, unverified(ReasonMalformed)
	}
	m := &snsMessage{body: body, fields: map[string]string{}}
	for name, to := range map[string]*string{"SignatureVersion": &m.version, "Signature": &m.signature, "SigningCertURL": &m.cert} {
		if *to, err = body.member(name).text(name); err != nil {
			return nil, unverified(ReasonMalformed)
		}
		if *to == "" {
			return nil, unverified(ReasonMissing)
		}
	}
	for _, name := range m.names() {
		field := body.member(name)
		if name == "Subject" && (field.kind() == 0 || field.kind() == 'n') {
			continue
		}
		if field.kind() != '"' {
			return nil, unverified(ReasonMissing)
		}
		value, err := field.text(name)
		if err != nil || name != "Message" && strings.Contains(value, "\n") {
			return nil, unverified(ReasonMalformed)
		}
		m.fields[name] = value
	}
	return m, m.checkShapes()
}

func (m *snsMessage) names() []string {
	if typ, _ := m.body.member("Type").text("Type"); typ == snsNotification {
		return snsNotificationFields
	}
	return snsConfirmationFields
}

func (m *snsMessage) checkShapes() error {
	switch m.fields["Type"] {
	case snsNotification, snsSubscribe, snsUnsubscribe:
	default:
		return unverified(ReasonMalformed)
	}
	if !snsMessageID.MatchString(m.fields["MessageId"]) || m.time().IsZero() {
		return unverified(ReasonMalformed)
	}
	return nil
}

func (m *snsMessage) time() time.Time { return rfc3339Time(m.fields["Timestamp"]) }

func (m *snsMessage) signedText() string {
	var text strings.Builder
	for _, name := range m.names() {
		if value, there := m.fields[name]; there {
			text.WriteString(name + "\n" + value + "\n")
		}
	}
	return text.String()
}

// Verify implements Provider. The version is configuration: a message only says which of the allowed ones it has.
func (s *SNS) Verify(r *Request, now time.Time) error {
	m, err := readSNS(r.Body)
	if err != nil {
		return err
	}
	if m.version != "2" && (m.version != "1" || !s.allowWeak) {
		return unverified(ReasonVersion)
	}
	signature, ok := strictBase64(m.signature)
	if !ok {
		return unverified(ReasonMalformed)
	}
	if err := inUnevenWindow(m.time(), now, snsPast, Tolerance); err != nil {
		return err
	}
	if !slices.Contains(s.topics, m.fields["TopicArn"]) {
		return unverified(ReasonMismatch)
	}
	key, err := s.certs.key(m.cert, now)
	if err != nil {
		return err
	}
	if rsa.VerifyPKCS1v15(key, snsHash(m.version), m.sum(), signature) != nil {
		return unverified(ReasonMismatch)
	}
	return nil
}

func snsHash(version string) crypto.Hash {
	if version == "1" {
		return crypto.SHA1
	}
	return crypto.SHA256
}

func (m *snsMessage) sum() []byte {
	if m.version == "1" {
		sum := sha1.Sum([]byte(m.signedText()))
		return sum[:]
	}
	sum := sha256.Sum256([]byte(m.signedText()))
	return sum[:]
}

// Greet confirms a subscription: it asks for SubscribeURL, which must be one of SNS itself.
func (s *SNS) Greet(r *Request) (*Greeting, error) {
	m, err := readSNS(r.Body)
	if err != nil || m.fields["Type"] != snsSubscribe {
		return nil, nil // Identify says what is wrong
	}
	address := m.fields["SubscribeURL"]
	parsed, err := url.Parse(address)
	if err != nil || !snsConfirm.MatchString(address) || parsed.Query().Get("Action") != "ConfirmSubscription" {
		return nil, noEvent("SubscribeURL is not an address of SNS that confirms a subscription")
	}
	return &Greeting{Confirm: func(ctx context.Context) error { return s.certs.confirm(ctx, address) }}, nil
}

// Identify reads MessageId, which is the same in each attempt, and Type. The account is that of the topic.
func (s *SNS) Identify(r *Request) (event.Event, error) {
	m, err := readSNS(r.Body)
	if err != nil {
		return event.Event{}, noEvent("the body is no message of SNS")
	}
	return event.Event{
		EventID: m.fields["MessageId"], Type: m.fields["Type"], OccurredAt: m.time(), Body: r.Body,
		Account: strings.Split(m.fields["TopicArn"]+":::::", ":")[4],
	}, nil
}

// Answer returns nil: any 2xx will do.
func (s *SNS) Answer(*event.Event) *Answer { return nil }

// Traits says how the requests look. SNS calls its JSON text/plain, and a message holds up to 256 KiB before it is
// written as a string.
func (s *SNS) Traits() Traits {
	return Traits{
		Scheme: "sns", MaxBody: 1 << 20, MediaTypes: []string{"text/plain", jsonType},
		Headers: []string{"User-Agent", "X-Amz-Sns-Message-Type", "X-Amz-Sns-Topic-Arn", "X-Amz-Sns-Subscription-Arn"},
	}
}

// Sign implements Signer: it writes topic, version, certificate and signature into the body. Without a key pair of one's
// own, or of a body that is no message, it leaves r as it is.
func (s *SNS) Sign(r *Request, now time.Time) {
	if s.private == nil {
		return
	}
	text := r.Body
	for name, value := range map[string]string{
		"SignatureVersion": "2", "SigningCertURL": snsOwnCert, "Signature": "unsigned",
		"TopicArn": s.topics[0], "Timestamp": now.UTC().Format("2006-01-02T15:04:05.000Z"),
	} {
		body, err := parseObject(text)
		if err != nil {
			return
		}
		text = setMember(body, name, quoteJSON(value))
	}
	m, err := readSNS(text)
	if err != nil {
		return
	}
	signature, err := rsa.SignPKCS1v15(nil, s.private, crypto.SHA256, m.sum())
	if err != nil {
		return
	}
	r.Body = setMember(m.body, "Signature", quoteJSON(base64.StdEncoding.EncodeToString(signature)))
}

var snsKind = Kind{
	Identity: Identity{Rule: IdentityOwn, Docs: "https://docs.aws.amazon.com/sns/latest/dg/sns-message-and-json-formats.html"},
	Name:     "sns", Title: "AWS SNS", Docs: "https://docs.aws.amazon.com/sns/latest/dg/sns-verify-signature-of-message.html",
	Variable: "SNS_TOPIC_ARN", Secret: "the ARN of the topic",
	Options: []Option{{Name: "allow_version_1", Variable: "SNS_ALLOW_VERSION_1", What: "true takes SignatureVersion 1 (RSA over SHA-1) as well"}},
	Dashboard: []string{
		"Put the ARN of the topic into {variable} and start hookflow.",
		"Set the topic's attribute SignatureVersion to 2 (aws sns set-topic-attributes --attribute-name SignatureVersion --attribute-value 2 --topic-arn …): the default, 1, is RSA over SHA-1.",
		"Subscribe with protocol https and endpoint {url}, without raw message delivery, which is not signed. The subscription is confirmed by itself.",
		"Let hookflow reach sns.<region>.amazonaws.com over https.",
	},
	Retries: "By the delivery policy, for an hour at most. It waits 15 s.",
	ID:      "`MessageId`, the same in each attempt", Type: "`Type`: `Notification`, `UnsubscribeConfirmation`",
	Notes: []string{
		"A certificate that cannot be fetched within 2 s is answered with 503 and Retry-After. It is taken from SNS's own host alone, its chain and name are checked, and it is kept until its end. SNS publishes it without the one that issued it, which is asked for where the certificate says.",
		"Messages of other topics are refused, since SNS signs for everybody with an AWS account.",
		"The account is that of the topic.",
	},
	Generate: func(random io.Reader) (string, error) {
		return withKey("arn:aws:sns:us-east-1:000000000000:hookflow-dev", random)
	},
	Samples: []Sample{{Name: "Notification", Header: map[string]string{"Content-Type": "text/plain; charset=UTF-8", "X-Amz-Sns-Message-Type": "Notification"},
		Body: `{"Type":"Notification","MessageId":"{{.UUID .ID}}","TopicArn":"","Subject":"My First Message","Message":"Hello world!","Timestamp":"",` +
			`"SignatureVersion":"2","Signature":"","SigningCertURL":"","UnsubscribeURL":"https://sns.us-east-1.amazonaws.com/?Action=Unsubscribe"}`}},
	SecretBytes: unmeasured,
	Build: func(s Settings) (Provider, error) {
		return NewSNS(SNSConfig{TopicARNs: s.Secrets, AllowWeak: s.AllowWeak || s.Options["allow_version_1"] == "true", Fetch: s.Fetch})
	},
}

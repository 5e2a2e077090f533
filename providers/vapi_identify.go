package providers

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"
	"time"

	"hookflow/event"
)

// vapiMessage is what is read of a server message. Types and fields are those of the schemas ServerMessage… in
// https://github.com/VapiAI/docs/blob/main/fern/apis/api/openapi.json, where timestamp and call are optional.
type vapiMessage struct {
	typ       string
	timestamp string // as written, "" where there is none
	whole     jsonValue

	status, role, turn, transcriptType jsonValue
	toolCallList, toolWithToolCallList jsonValue
	call, session, chat, contact       jsonValue
}

func readVapiMessage(body jsonValue) (vapiMessage, error) {
	m := vapiMessage{whole: body.member("message")}
	if m.whole.kind() != '{' {
		return m, noEvent("the body has no object named message")
	}
	var typ, timestamp jsonValue
	for it := m.whole.items(); it.next(); {
		switch string(it.key) {
		case "type":
			typ = it.value
		case "timestamp":
			timestamp = it.value
		default:
			if field := m.field(it.key); field != nil {
				*field = it.value
			}
		}
	}
	var err error
	if m.typ, err = typ.required("message.type"); err != nil {
		return m, err
	}
	m.timestamp, err = timestamp.scalar("message.timestamp")
	return m, err
}

// field is where the value of a name is kept, nil for names that are not read.
func (m *vapiMessage) field(name []byte) *jsonValue {
	switch string(name) {
	case "status":
		return &m.status
	case "role":
		return &m.role
	case "turn":
		return &m.turn
	case "transcriptType":
		return &m.transcriptType
	case "toolCallList":
		return &m.toolCallList
	case "toolWithToolCallList":
		return &m.toolWithToolCallList
	case "call":
		return &m.call
	case "session":
		return &m.session
	case "chat":
		return &m.chat
	case "contact":
		return &m.contact
	}
	return nil
}

// isTranscript covers both names that Vapi sends: transcript and transcript[transcriptType="final"].
func (m *vapiMessage) isTranscript() bool {
	return m.typ == "transcript" || strings.HasPrefix(m.typ, "transcript[")
}

// chatty says whether the type is sent many times in a second of a call.
func (m *vapiMessage) chatty() bool {
	switch m.typ {
	case "speech-update", "conversation-update", "model-output":
		return true
	}
	if !m.isTranscript() || m.typ == `transcript[transcriptType="final"]` {
		return false
	}
	kind, _ := m.transcriptType.scalar("transcriptType")
	return kind != "final"
}

func (m *vapiMessage) occurredAt() time.Time {
	if t := millisTime(m.timestamp); !t.IsZero() {
		return t
	}
	return rfc3339Time(m.timestamp)
}

// holder is the object that the message is about: its call, else the session, chat or campaign contact that has an id.
func (m *vapiMessage) holder() jsonValue {
	for _, v := range [...]jsonValue{m.call, m.session, m.chat, m.contact} {
		if v.member("id").kind() == '"' {
			return v
		}
	}
	return jsonValue{}
}

// eventID makes the id that Vapi does not send. A piece that is missing or empty would make different events one, so
// the type's own composite is used when it is complete, else the one with the timestamp.
func (m *vapiMessage) eventID() (string, error) {
	callID, err := m.call.member("id").text("message.call.id")
	if err != nil {
		return "", err
	}
	if callID != "" {
		own, err := m.ownPieces()
		if err != nil {
			return "", err
		}
		if own != nil && !slices.Contains(own, "") {
			return joinID(append([]string{callID, m.typ}, own...)), nil
		}
	}
	return m.timedID()
}

// ownPieces are the pieces that follow call.id:type for the types that have an identity of their own; nil for others.
func (m *vapiMessage) ownPieces() ([]string, error) {
	switch {
	case m.typ == "end-of-call-report":
		return []string{}, nil
	case m.typ == "status-update":
		return scalars(m.status)
	case m.typ == "speech-update":
		return scalars(m.role, m.turn, m.status)
	case m.isTranscript():
		role, err := scalars(m.role)
		return append(role, m.timestamp), err
	case m.typ == "tool-calls":
		ids, err := m.toolCallIDs()
		return []string{ids}, err
	}
	return nil, nil
}

func scalars(values ...jsonValue) ([]string, error) {
	texts := make([]string, len(values))
	for i, v := range values {
		text, err := v.scalar("message.status, role or turn")
		if err != nil {
			return nil, err
		}
		texts[i] = text
	}
	return texts, nil
}

// timedID is object:type:timestamp. Without an object it is the SHA-256 of type and timestamp; without a timestamp, of
// the message, less what differs between two deliveries of it.
func (m *vapiMessage) timedID() (string, error) {
	object, err := m.holder().member("id").text("id")
	if err != nil {
		return "", err
	}
	switch {
	case object != "" && m.timestamp != "":
		return joinID([]string{object, m.typ, m.timestamp}), nil
	case object != "":
		return joinID([]string{object, m.typ, m.stableSum()}), nil
	case m.timestamp != "":
		return sumID([]byte(m.typ + ":" + m.timestamp)), nil
	}
	return m.stableSum(), nil
}

// joinID joins the pieces of an id. Behind object and type, pieces that are too long together (the ids of some forty
// tool calls) are replaced by their SHA-256.
func joinID(pieces []string) string {
	id := strings.Join(pieces, ":")
	if len(id) <= event.MaxEventIDBytes || len(pieces) < 3 {
		return id
	}
	return pieces[0] + ":" + pieces[1] + ":" + sumID([]byte(strings.Join(pieces[2:], ":")))
}

func sumID(text []byte) string {
	sum := sha256.Sum256(text)
	return "sha256-" + hex.EncodeToString(sum[:])
}

// stableSum hashes the message without its presigned… values: Vapi signs those URLs anew for each delivery.
func (m *vapiMessage) stableSum() string {
	s := splicer{src: m.whole.bytes(), text: `""`, hides: isPresigned}
	stable, _ := s.splice(jsonValue{src: s.src, to: len(s.src)})
	return sumID(stable)
}

func isPresigned(name []byte) bool { return bytes.HasPrefix(name, []byte("presigned")) }

// vapiToolCall is one call of a tool-calls message.
type vapiToolCall struct{ id, name string }

// toolCalls reads toolCallList, else toolWithToolCallList, in the order sent. The name stands in name or function.name.
func (m *vapiMessage) toolCalls() ([]vapiToolCall, error) {
	var calls []vapiToolCall
	for it := m.toolCallList.items(); it.next(); {
		call, err := readToolCall(it.value, it.value)
		if err != nil {
			return nil, err
		}
		calls = append(calls, call)
	}
	if calls != nil {
		return calls, nil
	}
	for it := m.toolWithToolCallList.items(); it.next(); {
		call, err := readToolCall(it.value.member("toolCall"), it.value)
		if err != nil {
			return nil, err
		}
		calls = append(calls, call)
	}
	return calls, nil
}

// readToolCall reads the id from v and the name from v or, where v has none, from tool.
func readToolCall(v, tool jsonValue) (vapiToolCall, error) {
	id, err := v.member("id").text("toolCall.id")
	if err != nil {
		return vapiToolCall{}, err
	}
	for _, at := range []jsonValue{v.member("name"), v.member("function").member("name"), tool.member("name"),
		tool.member("function").member("name")} {
		name, err := at.text("toolCall.name")
		if err != nil || name != "" {
			return vapiToolCall{id: id, name: name}, err
		}
	}
	return vapiToolCall{id: id}, nil
}

// toolCallIDs is the sorted list of the ids, "" when there are none or one is missing.
func (m *vapiMessage) toolCallIDs() (string, error) {
	calls, err := m.toolCalls()
	if err != nil {
		return "", err
	}
	ids := make([]string, len(calls))
	for i, c := range calls {
		if c.id == "" {
			return "", nil
		}
		ids[i] = c.id
	}
	slices.Sort(ids)
	return strings.Join(ids, ","), nil
}

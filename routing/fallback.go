package routing

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"reflect"
	"strings"

	"cel.dev/cel-go/common/types/ref"
	"go.yaml.in/yaml/v3"
	"google.golang.org/protobuf/types/known/structpb"
)

// fallback is the answer that goes out when none was computed in time: a value of YAML, in whose texts ${…} stands for the
// value of a CEL expression over event, headers and payload.
type fallback struct{ node any } // map[string]any, []any, a scalar, or phrase

// phrase is a text with expressions in it.
type phrase struct {
	parts []part
	isXML bool // values are escaped
}

// part is a piece of a phrase: literal text, or an expression.
type part struct {
	text string
	expr *condition
}

// fallback reads a value.
func (p *parser) fallback(n *yaml.Node) *fallback {
	before := len(p.problems)
	node := p.fallbackNode(n)
	if len(p.problems) > before {
		return nil
	}
	return &fallback{node}
}

func (p *parser) fallbackNode(n *yaml.Node) any {
	switch {
	case n.Kind == yaml.MappingNode:
		object := map[string]any{}
		for i := 0; i+1 < len(n.Content); i += 2 {
			object[n.Content[i].Value] = p.fallbackNode(n.Content[i+1])
		}
		return object
	case n.Kind == yaml.SequenceNode:
		list := []any{}
		for _, item := range n.Content {
			list = append(list, p.fallbackNode(item))
		}
		return list
	case n.Kind == yaml.ScalarNode && n.Tag == "!!str":
		return p.phrase(n)
	case n.Kind == yaml.ScalarNode:
		var value any
		if err := n.Decode(&value); err != nil {
			p.report(n.Line, "text, a number, true or false", "%s in fallback cannot be read", shown(n))
		}
		return value
	}
	p.report(n.Line, "the value itself", "fallback holds an alias")
	return nil
}

// phrase cuts a text at its expressions and compiles those.
func (p *parser) phrase(n *yaml.Node) any {
	rest := n.Value
	out := phrase{isXML: strings.HasPrefix(strings.TrimSpace(rest), "<")}
	for {
		text, after, found := strings.Cut(rest, "${")
		if text != "" {
			out.parts = append(out.parts, part{text: text})
		}
		if !found {
			break
		}
		end := expressionEnd(after)
		if end < 0 {
			p.report(n.Line, "${payload.message.call.id}, with its closing brace", "an expression in fallback does not end")
			return nil
		}
		expr := p.expression(&yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: after[:end], Line: n.Line, Column: n.Column}, "fallback", nil)
		if expr == broken {
			return nil
		}
		out.parts = append(out.parts, part{expr: expr})
		rest = after[end+1:]
	}
	if len(out.parts) == 0 || len(out.parts) == 1 && out.parts[0].expr == nil {
		return n.Value
	}
	return out
}

// expressionEnd returns where the brace stands that ends an expression, -1 for nowhere. Braces in its texts and maps are
// its own.
func expressionEnd(s string) int {
	depth := 0
	var quote byte
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case quote != 0 && c == '\\':
			i++
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '"' || c == '\'':
			quote = c
		case c == '{':
			depth++
		case c == '}' && depth == 0:
			return i
		case c == '}':
			depth--
		}
	}
	return -1
}

// make returns the fallback for an event, as JSON. The error says which kind of thing went wrong, with nothing of the event.
func (f *fallback) make(s *subject) (json.RawMessage, error) {
	value, err := fill(f.node, s)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	err = encoder.Encode(value)
	return bytes.TrimSpace(out.Bytes()), err
}

func fill(node any, s *subject) (any, error) {
	switch node := node.(type) {
	case map[string]any:
		object := make(map[string]any, len(node))
		for name, inner := range node {
			value, err := fill(inner, s)
			if err != nil {
				return nil, err
			}
			object[name] = value
		}
		return object, nil
	case []any:
		list := make([]any, len(node))
		for i, inner := range node {
			value, err := fill(inner, s)
			if err != nil {
				return nil, err
			}
			list[i] = value
		}
		return list, nil
	case phrase:
		return node.fill(s)
	}
	return node, nil
}

// fill returns the text, or the value of an expression that stands alone as what it is.
func (p phrase) fill(s *subject) (any, error) {
	var text strings.Builder
	for _, piece := range p.parts {
		if piece.expr == nil {
			text.WriteString(piece.text)
			continue
		}
		value, err := piece.expr.value(s)
		if err != nil {
			return nil, err
		}
		if len(p.parts) == 1 {
			return value, nil
		}
		said, ok := value.(string)
		if !ok {
			encoded, err := json.Marshal(value)
			if err != nil {
				return nil, err
			}
			said = string(encoded)
		}
		if !p.isXML {
			text.WriteString(said)
		} else if err := xml.EscapeText(&text, []byte(said)); err != nil {
			return nil, err
		}
	}
	return text.String(), nil
}

// value evaluates the expression to a value of JSON.
func (c *condition) value(s *subject) (any, error) {
	result, err := c.evaluate(s)
	if err != nil {
		return nil, c.harmless(err)
	}
	return plain(result)
}

var jsonValue = reflect.TypeFor[*structpb.Value]()

func plain(v ref.Val) (any, error) {
	native, err := v.ConvertToNative(jsonValue)
	if err != nil {
		return nil, fmt.Errorf("a value of type %s is no JSON", typeName(v))
	}
	return native.(*structpb.Value).AsInterface(), nil
}

package config

import (
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
)

var variableName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// LoadDotEnv reads a .env file: lines of NAME=value, perhaps after "export". A value may stand between single quotes, as
// it is, or between double quotes, where \n, \t, \", \$ and \\ are read as in a shell; without quotes it ends before
// " #". A $ means nothing. The last line of a name counts. The error joins a *Problem for each line that cannot be read,
// which names the line and never shows it.
func LoadDotEnv(r io.Reader) (map[string]string, error) {
	text, err := io.ReadAll(r)
	if err != nil {
		return nil, err
	}
	values := map[string]string{}
	var problems []error
	n := 0
	for line := range strings.Lines(strings.TrimPrefix(string(text), "\uFEFF")) {
		n++
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		name, value, err := dotEnvLine(line)
		if err != nil {
			where := fmt.Sprintf(".env:%d", n)
			problems = append(problems, &Problem{Where: where, What: err.Error(), Write: "NAME=value, or NAME='value'"})
			continue
		}
		values[name] = value
	}
	return values, errors.Join(problems...)
}

func dotEnvLine(line string) (name, value string, err error) {
	if rest, ok := strings.CutPrefix(line, "export "); ok {
		line = rest
	}
	name, value, ok := strings.Cut(line, "=")
	if name = strings.TrimSpace(name); !ok || !variableName.MatchString(name) {
		return "", "", errors.New("the line does not begin with NAME=")
	}
	if value = strings.TrimSpace(value); value == "" || value[0] != '\'' && value[0] != '"' {
		return name, bare(value), nil
	}
	value, err = quoted(value)
	return name, value, err
}

// bare cuts a comment off a value without quotes.
func bare(value string) string {
	if strings.HasPrefix(value, "#") {
		return ""
	}
	for i := 1; i < len(value); i++ {
		if value[i] == '#' && (value[i-1] == ' ' || value[i-1] == '\t') {
			return strings.TrimSpace(value[:i])
		}
	}
	return value
}

// quoted reads a value that begins with a quote.
func quoted(value string) (string, error) {
	quote := value[0]
	var b strings.Builder
	for i := 1; i < len(value); i++ {
		c := value[i]
		switch {
		case c == quote:
			if rest := strings.TrimSpace(value[i+1:]); rest != "" && rest[0] != '#' {
				return "", errors.New("something follows the closing quote")
			}
			return b.String(), nil
		case c == '\\' && quote == '"' && i+1 < len(value):
			i++
			b.WriteString(unescaped(value[i]))
		default:
			b.WriteByte(c)
		}
	}
	return "", errors.New("the quote is not closed on this line")
}

func unescaped(c byte) string {
	switch c {
	case 'n':
		return "\n"
	case 't':
		return "\t"
	case '"', '\\', '$':
		return string(c)
	}
	return `\` + string(c)
}

// Over returns getenv with values for what it leaves empty: a .env file is never over the environment.
func Over(getenv func(string) string, values map[string]string) func(string) string {
	return func(name string) string {
		if s := getenv(name); s != "" {
			return s
		}
		return values[name]
	}
}

package config

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
)

// Webhooks are what the environment holds for those who send webhooks, by the name of the variable.
type Webhooks struct {
	// Secrets are the current ones. Where what is set cannot be read, the variable is there with none.
	Secrets map[string][]string
	Options map[string]string
}

// ReadWebhooks reads the variables of secrets and of options. The secrets of a variable may also stand in the file that
// the variable with _FILE behind it names, one a line or comma-separated; both at once are a mistake. A file that does not
// exist is one too. The error joins a *Problem for each thing that is wrong.
func (c *Config) ReadWebhooks(getenv func(string) string, readFile func(string) ([]byte, error), secrets, options []string) error {
	v := &variables{getenv: getenv}
	c.Webhooks = Webhooks{Secrets: map[string][]string{}, Options: map[string]string{}}
	for _, name := range secrets {
		problems := len(v.problems)
		if list := v.secretsOf(name, readFile); len(list) > 0 || len(v.problems) > problems {
			c.Webhooks.Secrets[name] = list
		}
	}
	for _, name := range options {
		if value := strings.TrimSpace(getenv(name)); value != "" {
			c.Webhooks.Options[name] = value
		}
	}
	return errors.Join(v.problems...)
}

// SecretFileSuffix behind the name of a secret's variable makes the variable that names a file of secrets.
const SecretFileSuffix = "_FILE"

func (v *variables) secretsOf(name string, readFile func(string) ([]byte, error)) []string {
	path := v.getenv(name + SecretFileSuffix)
	switch {
	case path == "":
		return v.secrets(name)
	case v.getenv(name) != "":
		v.report(name+SecretFileSuffix, "is set, and so is "+name, "one of the two")
		return nil
	}
	text, err := readFile(path)
	if err != nil {
		v.problems = append(v.problems, Unread(name+SecretFileSuffix, err, "the path of a file that holds the secret"))
		return nil
	}
	plain, err := plainText(text)
	if err != nil {
		v.problems = append(v.problems, Unread(name+SecretFileSuffix, err, "the path of a file that holds the secret"))
		return nil
	}
	return v.secretsInFile(name+SecretFileSuffix, plain)
}

// SecretText returns what the variable of that name holds, else what stands in the file that the variable with _FILE behind
// it names, without line ends and with a comma between its lines; empty where neither is set. The error is a *Problem: both
// are set, or the file cannot be read or is empty.
func SecretText(name string, getenv func(string) string, readFile func(string) ([]byte, error)) (string, error) {
	text, variable := getenv(name), name+SecretFileSuffix
	path := getenv(variable)
	switch {
	case path == "":
		return text, nil
	case text != "":
		return "", &Problem{variable, "is set, and so is " + name, "one of the two"}
	}
	content, err := readFile(path)
	if err != nil {
		return "", Unread(variable, err, "the path of a file that holds the secret")
	}
	plain, err := plainText(content)
	if err != nil {
		return "", Unread(variable, err, "the path of a file that holds the secret")
	}
	var lines []string
	for line := range strings.Lines(plain) {
		if line = strings.TrimSpace(line); line != "" {
			lines = append(lines, line)
		}
	}
	if lines == nil {
		return "", &Problem{variable, "names a file that holds no secret", "the path of a file that holds the secret"}
	}
	return strings.Join(lines, ","), nil
}

// Unread is what is wrong with a variable that should name a file, by the error of reading it. The name of the file is left
// out: who takes the variable for that of the secret has put the secret there.
func Unread(variable string, err error, write string) *Problem {
	why := err.Error()
	if at := (*fs.PathError)(nil); errors.As(err, &at) {
		why = at.Err.Error()
	}
	return &Problem{variable, "names a file that cannot be read: " + why, write}
}

// secretsInFile splits the text of a file. Empty lines are passed over; an empty element between commas is a mistake.
func (v *variables) secretsInFile(name, text string) []string {
	const write = "one secret a line, or up to 5 with commas between them while they are rotated"
	var items []string
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		for item := range strings.SplitSeq(line, ",") {
			items = append(items, strings.TrimSpace(item))
		}
	}
	switch {
	case len(items) == 0:
		v.report(name, "names a file that holds no secret", write)
	case slices.Contains(items, ""):
		v.report(name, "names a file with an empty element", write)
	case len(items) > MaxSecrets:
		v.report(name, fmt.Sprintf("names a file with %d secrets", len(items)), write)
	case slices.ContainsFunc(items, func(s string) bool { return strings.ContainsFunc(s, unfit) }):
		v.report(name, "names a file with white space or a control character inside a secret", write)
	default:
		return items
	}
	return nil
}

package config

import (
	"bytes"
	"errors"
	"strings"
	"unicode/utf8"
)

// FileVariables are the variables that may also name a file of their value, with SecretFileSuffix behind the name. The
// secrets of sources and of what is forwarded are not among them: theirs are read where those are, line by line.
var FileVariables = []string{
	"DATABASE_URL", "HOOKFLOW_API_TOKEN", "HOOKFLOW_POSTGRES_PASSWORD", "SENTRY_DSN", "STRIPE_API_KEY", "TEMPORAL_API_KEY",
}

// FromFiles returns getenv with the values of FileVariables that stand in files. The file is read at each call, so that one
// that was rotated counts. A file that cannot be read gives no value; Load reports it.
func FromFiles(getenv func(string) string, readFile func(string) ([]byte, error)) func(string) string {
	return func(name string) string {
		value := getenv(name)
		if value != "" || !mayBeFile(name) || getenv(name+SecretFileSuffix) == "" {
			return value
		}
		value, _ = valueInFile(getenv(name+SecretFileSuffix), readFile)
		return value
	}
}

func mayBeFile(name string) bool {
	for _, v := range FileVariables {
		if v == name {
			return true
		}
	}
	return false
}

// valueInFile returns the text of a file without white space around it. Lines are joined with commas: a list may stand one
// element a line.
func valueInFile(path string, readFile func(string) ([]byte, error)) (string, error) {
	content, err := readFile(path)
	if err != nil {
		return "", err
	}
	text, err := plainText(content)
	if err != nil {
		return "", err
	}
	var lines []string
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line != "" {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, ","), nil
}

// plainText is the content of a file without the byte order mark that some editors put in front: as part of a secret it
// would refuse every request.
func plainText(content []byte) (string, error) {
	switch {
	case bytes.HasPrefix(content, []byte("\xFF\xFE")), bytes.HasPrefix(content, []byte("\xFE\xFF")):
		return "", errors.New("it is UTF-16: save it as UTF-8")
	case !utf8.Valid(content):
		return "", errors.New("it is not UTF-8")
	}
	return strings.TrimPrefix(string(content), "\uFEFF"), nil
}

// files reports the files of FileVariables that cannot be read, and those beside a value.
func (v *variables) files(readFile func(string) ([]byte, error)) {
	for _, name := range FileVariables {
		path := v.getenv(name + SecretFileSuffix)
		if path == "" {
			continue
		}
		value, err := valueInFile(path, readFile)
		switch given := v.getenv(name); {
		case given != "" && given != value:
			v.report(name+SecretFileSuffix, "is set, and so is "+name, "one of the two")
		case err != nil:
			v.problems = append(v.problems, Unread(name+SecretFileSuffix, err, "the path of a file that holds the value"))
		case value == "":
			v.report(name+SecretFileSuffix, "names an empty file", "the path of a file that holds the value")
		}
	}
}

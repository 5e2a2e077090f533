package config

import (
	"fmt"
	"io/fs"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestReadWebhooks(t *testing.T) {
	t.Parallel()
	files := map[string]string{
		"/one": "whsec_1\n", "/lines": "whsec_new\r\n\nwhsec_old\n", "/commas": "a, b,c", "/empty": "\n \n", "/hole": "a,,b",
		"/many": "1\n2\n3\n4\n5\n6", "/space": "a b",
	}
	read := func(path string) ([]byte, error) {
		text, ok := files[path]
		if !ok {
			return nil, &fs.PathError{Op: "open", Path: path, Err: fs.ErrNotExist}
		}
		return []byte(text), nil
	}
	for name, c := range map[string]struct {
		env     map[string]string
		secrets []string
		want    string
	}{
		"not set":           {env: nil},
		"in the variable":   {env: map[string]string{"S": "a, b"}, secrets: []string{"a", "b"}},
		"in a file":         {env: map[string]string{"S_FILE": "/one"}, secrets: []string{"whsec_1"}},
		"one a line":        {env: map[string]string{"S_FILE": "/lines"}, secrets: []string{"whsec_new", "whsec_old"}},
		"with commas":       {env: map[string]string{"S_FILE": "/commas"}, secrets: []string{"a", "b", "c"}},
		"both":              {env: map[string]string{"S_FILE": "/one", "S": "c4nary"}, want: "S_FILE: is set, and so is S; write: one of the two"},
		"no such file":      {env: map[string]string{"S_FILE": "/nowhere"}, want: "S_FILE: names a file that cannot be read: file does not exist"},
		"no name of a file": {env: map[string]string{"S_FILE": "whsec_c4nary"}, want: "S_FILE: names a file that cannot be read: file does not exist"},
		"an empty file":     {env: map[string]string{"S_FILE": "/empty"}, want: "S_FILE: names a file that holds no secret; write: one secret a line"},
		"an empty element":  {env: map[string]string{"S_FILE": "/hole"}, want: "S_FILE: names a file with an empty element"},
		"too many":          {env: map[string]string{"S_FILE": "/many"}, want: "S_FILE: names a file with 6 secrets"},
		"white space":       {env: map[string]string{"S_FILE": "/space"}, want: "S_FILE: names a file with white space"},
		"an empty variable": {env: map[string]string{"S": "a,,b"}, want: "S: has an empty element; write: one secret, or up to 5"},
		"six":               {env: map[string]string{"S": "a,b,c,d,e,f"}, want: "S: has 6 elements; write: one secret, or up to 5"},
		"a blank":           {env: map[string]string{"S": "a b"}, want: "S: holds white space"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var config Config
			err := config.ReadWebhooks(environment(c.env), read, []string{"S", "T"}, []string{"O"})
			if c.want != "" {
				require.ErrorContains(t, err, c.want)
				require.NotContains(t, err.Error(), "c4nary")
				return
			}
			require.NoError(t, err)
			require.Equal(t, c.secrets, config.Webhooks.Secrets["S"])
			require.Equal(t, c.secrets, nonEmpty(config.Secrets()), "they are kept out of logs")
			require.NotContains(t, fmt.Sprintf("%v %+v %#v", config, config, config), "whsec")
		})
	}
}

func nonEmpty(s []string) []string {
	if len(s) == 0 {
		return nil
	}
	return s
}

func TestReadWebhooks_options(t *testing.T) {
	t.Parallel()
	var c Config
	require.NoError(t, c.ReadWebhooks(environment(map[string]string{"O": " x ", "P": ""}), noFile, nil, []string{"O", "P"}))
	require.Equal(t, map[string]string{"O": "x"}, c.Webhooks.Options)
}

func TestSecretText(t *testing.T) {
	t.Parallel()
	files := map[string]string{"/one": "Bearer a b\r\n", "/lines": "\nwhsec_new\n\n whsec_old \n", "/empty": " \n"}
	read := func(path string) ([]byte, error) {
		text, ok := files[path]
		if !ok {
			return nil, &fs.PathError{Op: "open", Path: path, Err: fs.ErrNotExist}
		}
		return []byte(text), nil
	}
	for name, c := range map[string]struct {
		env        map[string]string
		text, want string
	}{
		"not set":         {nil, "", ""},
		"in the variable": {map[string]string{"S": "a, b"}, "a, b", ""},
		"in a file":       {map[string]string{"S_FILE": "/one"}, "Bearer a b", ""},
		"one a line":      {map[string]string{"S_FILE": "/lines"}, "whsec_new,whsec_old", ""},
		"both":            {map[string]string{"S_FILE": "/one", "S": "c4nary"}, "", "S_FILE: is set, and so is S; write: one of the two"},
		"no such file":    {map[string]string{"S_FILE": "/nowhere"}, "", "S_FILE: names a file that cannot be read: file does not exist"},
		"no file's name":  {map[string]string{"S_FILE": "whsec_c4nary"}, "", "S_FILE: names a file that cannot be read: file does not exist"},
		"an empty file":   {map[string]string{"S_FILE": "/empty"}, "", "S_FILE: names a file that holds no secret"},
	} {
		text, err := SecretText("S", environment(c.env), read)
		require.Equal(t, c.text, text, name)
		if c.want == "" {
			require.NoError(t, err, name)
			continue
		}
		require.ErrorContains(t, err, c.want, name)
		require.NotContains(t, err.Error(), "c4nary")
	}
}

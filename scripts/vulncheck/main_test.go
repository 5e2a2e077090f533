package main

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestRun(t *testing.T) {
	t.Parallel()
	up := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	t.Cleanup(up.Close)
	broken := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(broken.Close)
	down := httptest.NewServer(nil)
	down.Close()
	found := errors.New("exit status 3")
	for name, tt := range map[string]struct {
		database string
		check    error
		want     int
		says     string
	}{
		"nothing found":    {up.URL, nil, 0, ""},
		"a finding":        {up.URL, found, 1, "exit status 3"},
		"a folder":         {"file:///db", found, 1, "exit status 3"},
		"out of reach":     {down.URL, found, 0, "were not looked up"},
		"not the database": {broken.URL, found, 0, "404"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var out strings.Builder
			require.Equal(t, tt.want, run(t.Context(), tt.database, &out, func(context.Context) error { return tt.check }))
			require.Contains(t, out.String(), tt.says)
		})
	}
}

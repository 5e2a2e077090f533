package devstack

import (
	"archive/tar"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/user"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"hookflow/internal/progress"

	"github.com/stretchr/testify/require"
)

const goodCLI = "echo 'temporal version 1.5.1 (Server 1.29.1, UI 2.42.1)'"

var errNotThere = errors.New("not there")

// source is one where nothing is found; each test puts in what it needs.
func source(t *testing.T) cliSource {
	return cliSource{
		onPath:   func() (string, error) { return "", errNotThere },
		cache:    filepath.Join(t.TempDir(), "cache"),
		download: func(context.Context, string) error { return errNotThere },
		build:    func(context.Context, string) error { return errNotThere },
	}
}

func TestCLIOnPath(t *testing.T) {
	t.Parallel()
	for says, want := range map[string]bool{
		"temporal version 1.5.1 (Server 1.29.1, UI 2.42.1)":     true,
		"temporal version 1.10.0 (Server 1.31.0, UI 2.50.0)":    true,
		"temporal version 2.0.0":                                true,
		"temporal version 0.0.0-DEV (Server 1.29.1, UI 2.42.1)": true,
		"temporal version 1.4.1 (Server 1.28.0, UI 2.39.0)":     false,
		"temporal version 0.0.0-DEV (Server 1.28.1, UI 2.39.0)": false,
		"tctl 1.18": false,
	} {
		t.Run(says, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "temporal")
			program(t, path, "echo '"+says+"'")
			s := source(t)
			s.onPath = func() (string, error) { return path, nil }
			got, err := s.find(t.Context())
			if want {
				require.NoError(t, err)
				require.Equal(t, path, got)
			} else {
				require.ErrorIs(t, err, errNotThere, "it goes on to the next source")
			}
		})
	}
}

func TestCLIIsDownloaded(t *testing.T) {
	t.Parallel()
	var server *httptest.Server
	server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/cli/"+cliVersion {
			_ = json.NewEncoder(w).Encode(map[string]string{
				"archiveUrl": server.URL + "/a/temporal.tar.gz", "fileToExtract": "temporal",
			})
			return
		}
		zipped := gzip.NewWriter(w)
		archive := tar.NewWriter(zipped)
		for name, body := range map[string]string{"LICENSE": "free", "temporal": "#!/bin/sh\n" + goodCLI + "\n"} {
			_ = archive.WriteHeader(&tar.Header{Name: name, Mode: 0o755, Size: int64(len(body))})
			_, _ = archive.Write([]byte(body))
		}
		_, _ = archive.Close(), zipped.Close()
	}))
	t.Cleanup(server.Close)
	archive, err := http.Get(server.URL + "/a/temporal.tar.gz")
	require.NoError(t, err)
	defer archive.Body.Close()
	hash := sha256.New()
	_, err = io.Copy(hash, archive.Body)
	require.NoError(t, err)
	sum := hex.EncodeToString(hash.Sum(nil))
	s := source(t)
	s.download = func(ctx context.Context, to string) error { return downloadCLI(ctx, server.URL+"/cli/", sum, to) }
	path, err := s.find(t.Context())
	require.NoError(t, err)
	_, ok := cliUsable(t.Context(), path)
	require.True(t, ok)

	to := filepath.Join(t.TempDir(), "temporal")
	require.ErrorContains(t, downloadCLI(t.Context(), server.URL+"/cli/", strings.Repeat("0", 64), to), "SHA-256")
	require.NoFileExists(t, to, "a program of another checksum is not kept")
	require.ErrorContains(t, downloadCLI(t.Context(), server.URL+"/cli/", "", to), "no checksum")
}

// A program that somebody else could have put into the cache is not run.
func TestCLIInACacheOfOthers(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(s cliSource, program string) error{
		"a folder that others may write": func(s cliSource, _ string) error { return os.Chmod(s.cache, 0o777) },
		"its parent":                     func(s cliSource, _ string) error { return os.Chmod(filepath.Dir(s.cache), 0o777) },
		"a file that the group may write": func(_ cliSource, program string) error {
			return os.Chmod(program, 0o775)
		},
		"a link": func(_ cliSource, program string) error {
			return errors.Join(os.Rename(program, program+"-elsewhere"), os.Symlink(program+"-elsewhere", program))
		},
		"another user's file": func(_ cliSource, program string) error {
			if os.Geteuid() != 0 {
				return os.Chmod(program, 0o777)
			}
			return os.Chown(program, 65534, 65534)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := source(t)
			s.build = func(_ context.Context, to string) error {
				program(t, to, goodCLI)
				return nil
			}
			path, err := s.find(t.Context())
			require.NoError(t, err)
			again, err := s.find(t.Context())
			require.NoError(t, err)
			require.Equal(t, path, again, "our own is run")
			require.NoError(t, spoil(s, path))
			_, err = s.find(t.Context())
			require.ErrorContains(t, err, "is not run")
			require.ErrorContains(t, err, "XDG_CACHE_HOME")
		})
	}
}

func TestCacheFolder(t *testing.T) {
	t.Parallel()
	noCache := func() (string, error) { return "", errNotThere }
	withHome := func() (*user.User, error) { return &user.User{HomeDir: "/home/ann"}, nil }
	got, err := cacheFolder(func() (string, error) { return "/cache", nil }, withHome)
	require.NoError(t, err)
	require.Equal(t, "/cache", got)
	got, err = cacheFolder(noCache, withHome)
	require.NoError(t, err)
	require.Equal(t, "/home/ann/.cache", got)
	_, err = cacheFolder(noCache, func() (*user.User, error) { return nil, errNotThere })
	require.ErrorContains(t, err, "set HOME")
}

func TestCLIDownloadThatCannotBeUsed(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]string{
		"not JSON": "<html>", "a zip": `{"archiveUrl":"http://x/a.zip","fileToExtract":"temporal"}`,
		"another scheme": `{"archiveUrl":"file:///etc/a.tar.gz","fileToExtract":"passwd"}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				_, _ = w.Write([]byte(answer))
			}))
			t.Cleanup(server.Close)
			to := filepath.Join(t.TempDir(), "temporal")
			require.ErrorContains(t, downloadCLI(t.Context(), server.URL+"/cli/", "any", to), "download service")
			require.NoFileExists(t, to)
		})
	}
}

// What is built gets its name when it is whole, so an interrupted or broken build is built again.
func TestCLIBuildThatFailsLeavesNothing(t *testing.T) {
	t.Parallel()
	s := source(t)
	var said []string
	s.report = func(r progress.Report) { said = append(said, r.Text) }
	s.build = func(_ context.Context, to string) error {
		return errors.Join(os.WriteFile(to, []byte("half"), 0o755), errNotThere)
	}
	_, err := s.find(t.Context())
	require.ErrorIs(t, err, errNotThere)
	s.build = func(_ context.Context, to string) error { return os.WriteFile(to, []byte("half"), 0o755) }
	_, err = s.find(t.Context())
	require.ErrorContains(t, err, "does not run")
	require.NoFileExists(t, filepath.Join(s.cache, "temporal"))
	require.Contains(t, strings.Join(said, "\n"), "5 minutes")

	s.build = func(_ context.Context, to string) error {
		program(t, to, goodCLI)
		return nil
	}
	path, err := s.find(t.Context())
	require.NoError(t, err)
	left, err := os.ReadDir(filepath.Dir(path))
	require.NoError(t, err)
	require.Len(t, left, 2, "the program and the lock")
}

func TestCLIIsBuiltOnce(t *testing.T) {
	t.Parallel()
	s := source(t)
	var builds atomic.Int32
	s.build = func(_ context.Context, to string) error {
		builds.Add(1)
		program(t, to, goodCLI)
		return nil
	}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			_, err := s.find(t.Context())
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	require.EqualValues(t, 1, builds.Load())
}

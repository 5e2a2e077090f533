package devstack

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"
)

// cliInfoURL is Temporal's own download service, the one the SDK's test server uses.
const cliInfoURL = "https://temporal.download/cli/"

// Time limits of a download: an offline machine must get to the build soon, a slow line may take its time once the first
// answer is there.
const (
	infoWithin     = 5 * time.Second
	downloadWithin = 5 * time.Minute
)

// downloadCLI fetches the CLI of cliVersion into the file to.
func downloadCLI(ctx context.Context, base, to string) error {
	archive, member, err := cliArchive(ctx, base)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, downloadWithin)
	defer cancel()
	body, err := get(ctx, archive)
	if err != nil {
		return err
	}
	defer func() { _ = body.Close() }()
	return extract(body, member, to)
}

// cliArchive asks where the archive is, and which file in it is the program.
func cliArchive(ctx context.Context, base string) (archive, member string, err error) {
	ctx, cancel := context.WithTimeout(ctx, infoWithin)
	defer cancel()
	query := url.Values{"platform": {runtime.GOOS}, "arch": {runtime.GOARCH}}
	body, err := get(ctx, base+cliVersion+"?"+query.Encode())
	if err != nil {
		return "", "", err
	}
	defer func() { _ = body.Close() }()
	var info struct {
		ArchiveURL    string `json:"archiveUrl"`
		FileToExtract string `json:"fileToExtract"`
	}
	if err := json.NewDecoder(io.LimitReader(body, 64<<10)).Decode(&info); err != nil {
		return "", "", fmt.Errorf("read the download service's answer: %w", err)
	}
	u, err := url.Parse(info.ArchiveURL)
	if err != nil || !strings.HasPrefix(base, u.Scheme+"://") || !strings.HasSuffix(u.Path, ".tar.gz") {
		return "", "", fmt.Errorf("the download service names an archive that cannot be used: %q", info.ArchiveURL)
	}
	return info.ArchiveURL, info.FileToExtract, nil
}

// get returns the body of a 200 answer.
func get(ctx context.Context, address string) (io.ReadCloser, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		_ = resp.Body.Close()
		return nil, fmt.Errorf("%s answers %s", req.URL.Host, resp.Status)
	}
	return resp.Body, nil
}

// extract copies one member of a .tar.gz into an executable file.
func extract(from io.Reader, member, to string) error {
	unzipped, err := gzip.NewReader(from)
	if err != nil {
		return fmt.Errorf("unpack: %w", err)
	}
	for archive := tar.NewReader(unzipped); ; {
		h, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return fmt.Errorf("unpack: no %q in the archive", member)
		}
		if err != nil {
			return fmt.Errorf("unpack: %w", err)
		}
		if h.Name != member {
			continue
		}
		f, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o755)
		if err != nil {
			return fmt.Errorf("unpack: %w", err)
		}
		_, err = io.Copy(f, archive)
		if err := errors.Join(err, f.Close()); err != nil {
			return fmt.Errorf("unpack: %w", err)
		}
		return nil
	}
}

// buildCLI compiles the CLI from its module into the file to. The SQLite driver is pure Go, so no C compiler is needed.
func buildCLI(ctx context.Context, to string) error {
	cmd := exec.CommandContext(ctx, "go", "install", "-trimpath", cliModule)
	cmd.Dir = filepath.Dir(to)
	cmd.Env = slices.DeleteFunc(os.Environ(), func(kv string) bool {
		name, _, _ := strings.Cut(kv, "=")
		return slices.Contains([]string{"GOBIN", "GOFLAGS", "GOOS", "GOARCH", "GOWORK", "CGO_ENABLED"}, name)
	})
	cmd.Env = append(cmd.Env, "GOBIN="+filepath.Dir(to), "GOWORK=off", "CGO_ENABLED=0")
	// Ctrl-C reaches the compiler too; ours is the one that decides.
	cmd.WaitDelay = 5 * time.Second
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("go install %s: %w: %s", cliModule, err, lastLine(out))
	}
	return nil
}

func firstLineOf(b []byte) string {
	line, _, _ := bytes.Cut(b, []byte("\n"))
	return string(line)
}

func lastLine(b []byte) string {
	b = bytes.TrimSpace(b)
	return string(b[bytes.LastIndexByte(b, '\n')+1:])
}

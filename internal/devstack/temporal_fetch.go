package devstack

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"runtime"
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

// archiveSums are the SHA-256 sums of the archives of cliVersion, as its release lists them in checksums.txt
// (https://github.com/temporalio/cli/releases/tag/v1.5.1). For another platform the CLI is built, which Go's checksum
// database covers.
var archiveSums = map[string]string{
	"linux/amd64":  "ddc95e08b0b076efd4ea9733a3f488eb7d2be875f8834e616cd2a37358b4852d",
	"linux/arm64":  "bd1b0db9f18b051026de8bf6cc1505f2510f14bbb7a8b9a4a91fff46c77454f5",
	"darwin/amd64": "bbb73e2a31135abe50a1f1cdb35030c42961df618e8ce9c60ae89f201540c5d9",
	"darwin/arm64": "cca01b7ea35ad56e2a328d9ae596bf716bd22313ef63c7a761c88354457c2415",
}

// maxArchive bounds a download in bytes; the archive of 1.5.1 has some 100 MiB.
const maxArchive = 512 << 20

// downloadCLI fetches the CLI of cliVersion into the file to. An archive whose SHA-256 is not sum, in hex, leaves no file.
func downloadCLI(ctx context.Context, base, sum, to string) error {
	if sum == "" {
		return fmt.Errorf("no checksum is known for %s/%s", runtime.GOOS, runtime.GOARCH)
	}
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
	hash := sha256.New()
	whole := io.TeeReader(io.LimitReader(body, maxArchive), hash)
	err = extract(whole, member, to)
	if err == nil {
		_, err = io.Copy(io.Discard, whole) // the rest of the archive counts, too
	}
	if got := hex.EncodeToString(hash.Sum(nil)); err == nil && got != sum {
		err = fmt.Errorf("the archive has the SHA-256 sum %s instead of %s", got, sum)
	}
	if err != nil {
		return errors.Join(err, removeIfThere(to))
	}
	return nil
}

func removeIfThere(path string) error {
	if err := os.Remove(path); !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
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

func firstLineOf(b []byte) string {
	line, _, _ := bytes.Cut(b, []byte("\n"))
	return string(line)
}

func lastLine(b []byte) string {
	b = bytes.TrimSpace(b)
	return string(b[bytes.LastIndexByte(b, '\n')+1:])
}

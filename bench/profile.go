package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/pprof"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// profileVariable names the address on which a program that is profiled serves /debug/pprof.
const profileVariable = "HOOKFLOW_BENCH_PPROF"

// profilerSource is laid over cmd/hookflow while it is built for a profile: production code has no such listener.
const profilerSource = `package main

import (
	"net/http"
	_ "net/http/pprof"
	"os"
)

func init() {
	if addr := os.Getenv("` + profileVariable + `"); addr != "" {
		go func() { _ = http.ListenAndServe(addr, nil) }()
	}
}
`

// overlay returns the file that makes go build see one more source file.
func (b *bench) overlay(ctx context.Context) (string, error) {
	folder, err := exec.CommandContext(ctx, "go", "list", "-f", "{{.Dir}}", "hookflow/cmd/hookflow").Output()
	if err != nil {
		return "", fmt.Errorf("find cmd/hookflow: %w", err)
	}
	source, list := filepath.Join(b.dir, "profiler.go"), filepath.Join(b.dir, "overlay.json")
	text, err := json.Marshal(map[string]any{"Replace": map[string]string{
		filepath.Join(strings.TrimSpace(string(folder)), "bench_profiler.go"): source,
	}})
	if err != nil {
		return "", err
	}
	if err := os.WriteFile(source, []byte(profilerSource), 0o600); err != nil {
		return "", err
	}
	return list, os.WriteFile(list, text, 0o600)
}

// profiler serves /debug/pprof in a helper of our own.
func profiler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	return mux
}

// profileEnv returns the variable for a program that shall be profiled, and where it will answer.
func (b *bench) profileEnv() ([]string, string, error) {
	if b.profile == "" {
		return nil, "", nil
	}
	free, err := freePorts(1)
	if err != nil {
		return nil, "", err
	}
	address := fmt.Sprintf("127.0.0.1:%d", free[0])
	return []string{profileVariable + "=" + address}, address, nil
}

// takeProfile writes the CPU profile of the time window that begins after wait. It returns at once; the channel says how
// it ended.
func (b *bench) takeProfile(ctx context.Context, address, name string, wait, window time.Duration) <-chan error {
	done := make(chan error, 1)
	if address == "" {
		close(done)
		return done
	}
	go func() {
		time.Sleep(wait)
		done <- fetchProfile(ctx, address, filepath.Join(b.profile, name+".pprof"), window)
	}()
	return done
}

func fetchProfile(ctx context.Context, address, file string, window time.Duration) error {
	url := fmt.Sprintf("http://%s/debug/pprof/profile?seconds=%d", address, max(1, int(window.Seconds())))
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	f, err := os.Create(file)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = io.Copy(f, answer.Body)
	return err
}

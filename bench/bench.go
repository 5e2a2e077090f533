package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"hookflow/internal/devstack"
	"hookflow/internal/progress"
	"hookflow/migrations"

	"github.com/jackc/pgx/v5"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"google.golang.org/protobuf/types/known/durationpb"
)

// bench is one run: the servers, the programs and what was measured so far.
type bench struct {
	options
	stdout, stderr io.Writer
	self, hookflow string // the programs
	dir            string
	lock           *devstack.FolderLock
	postgres       *devstack.Postgres
	temporal       *devstack.Temporal
	ledger         *pgx.Conn
	running        []*process
	reached        []goal
	out            *os.File // of --markdown
}

// newBench builds hookflow and starts the durable servers, in a folder that goes with them.
func newBench(ctx context.Context, o options, stdout, stderr io.Writer) (_ *bench, err error) {
	b := &bench{options: o, stdout: stdout, stderr: stderr}
	defer func() {
		if err != nil {
			b.close()
		}
	}()
	if b.self, err = os.Executable(); err != nil {
		return b, err
	}
	if b.dir, err = os.MkdirTemp("", "hookflow-bench-"); err != nil {
		return b, err
	}
	if o.markdown != "" {
		if b.out, err = os.Create(o.markdown); err != nil {
			return b, err
		}
	}
	if err = b.build(ctx); err != nil {
		return b, err
	}
	if b.lock, err = devstack.Lock(ctx, b.dir, b.report()); err != nil {
		return b, err
	}
	// Not Fast: a commit is on the disk before its client hears of it.
	b.postgres, err = devstack.StartPostgres(ctx, devstack.PostgresOptions{Dir: b.dir, DieWithParent: true, MaxConnections: 200, Password: "hookflow", Progress: b.report()})
	if err != nil {
		return b, err
	}
	if _, err = migrations.Up(ctx, b.postgres.URL()); err != nil {
		return b, err
	}
	// The superuser, for CHECKPOINT and databases of the bench's own.
	if b.ledger, err = pgx.Connect(ctx, b.postgres.SuperuserURL("hookflow")); err != nil {
		return b, err
	}
	b.temporal, err = devstack.StartTemporal(ctx, devstack.TemporalOptions{Dir: b.dir, DieWithParent: true, Progress: b.report()})
	return b, err
}

// build makes the hookflow that is measured: as it ships, unless profiles are wanted.
func (b *bench) build(ctx context.Context) error {
	b.say("Building hookflow.")
	b.hookflow = filepath.Join(b.dir, "hookflow")
	args := []string{"build", "-buildvcs=false", "-o", b.hookflow}
	if b.profile != "" {
		overlay, err := b.overlay(ctx)
		if err != nil {
			return err
		}
		args = append(args, "-overlay", overlay)
	}
	out, err := exec.CommandContext(ctx, "go", append(args, "hookflow/cmd/hookflow")...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("build hookflow: %w: %s", err, out)
	}
	return os.Chmod(b.dir, 0o711)
}

func (b *bench) report() progress.Func { return progress.New(b.stderr, "", false, time.Now) }

func (b *bench) say(sentence string) { fmt.Fprintln(b.stderr, sentence) }

// print writes to standard output, and to the file of --markdown.
func (b *bench) print(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	_, _ = io.WriteString(b.stdout, text)
	if b.out != nil {
		_, _ = b.out.WriteString(text)
	}
}

// close stops everything and removes the folder.
func (b *bench) close() {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	b.stopPrograms()
	if b.ledger != nil {
		_ = b.ledger.Close(ctx)
	}
	if b.temporal != nil {
		b.temporal.Kill()
	}
	if b.postgres != nil {
		_ = b.postgres.Stop(ctx)
	}
	if b.lock != nil {
		_ = b.lock.Release()
		if err := devstack.Remove(ctx, b.dir); err != nil {
			b.say(err.Error())
		}
	}
	if b.dir != "" {
		_ = os.RemoveAll(b.dir)
	}
	if b.out != nil {
		_ = b.out.Close()
	}
}

// stopPrograms ends what was started since the last call.
func (b *bench) stopPrograms() {
	for _, p := range b.running {
		p.kill()
	}
	b.running = nil
}

// empty makes the ledger as new, with nothing left to be written that an earlier measurement caused.
func (b *bench) empty(ctx context.Context) error {
	b.stopPrograms()
	_, err := b.ledger.Exec(ctx, "TRUNCATE webhook_events, webhook_bodies, webhook_payloads, event_steps, stripe_checkout_sessions, twilio_calls")
	if err == nil {
		_, err = b.ledger.Exec(ctx, "CHECKPOINT")
	}
	return err
}

// namespace makes a fresh namespace: what an earlier measurement left there waits for a worker that never comes.
func namespace(ctx context.Context, address string) (string, error) {
	namespaces, err := client.NewNamespaceClient(client.Options{HostPort: address, Logger: quiet{}})
	if err != nil {
		return "", err
	}
	defer namespaces.Close()
	name := "bench-" + strings.ToLower(rand.Text()[:10])
	err = namespaces.Register(ctx, &workflowservice.RegisterNamespaceRequest{
		Namespace: name, WorkflowExecutionRetentionPeriod: durationpb.New(24 * time.Hour),
	})
	if err != nil {
		return "", err
	}
	c, err := client.NewLazyClient(client.Options{HostPort: address, Namespace: name, Logger: quiet{}})
	if err != nil {
		return "", err
	}
	defer c.Close()
	return name, until(ctx, time.Minute, "the namespace", func() (bool, error) {
		_, err := c.DescribeWorkflowExecution(ctx, "nothing", "")
		var none *serviceerror.NotFound
		var unknown *serviceerror.NamespaceNotFound
		return errors.As(err, &none) && !errors.As(err, &unknown), nil
	})
}

// until waits for a condition, and fails when it does not come true within the time.
func until(ctx context.Context, within time.Duration, what string, condition func() (bool, error)) error {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		if ok, err := condition(); ok || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s: %w", what, ctx.Err())
		case <-tick.C:
		}
	}
}

package testkit

import (
	"context"
	"crypto/rand"
	"errors"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"hookflow/internal/devstack"
	"hookflow/migrations"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	sdklog "go.temporal.io/sdk/log"
	"google.golang.org/protobuf/types/known/durationpb"
)

// TemporalVariable names the Temporal server that tests use, if it is set. Otherwise the first test of a package starts
// a dev server that ends with the process.
const TemporalVariable = "HOOKFLOW_TEST_TEMPORAL_ADDRESS"

var privateTemporal = sync.OnceValues(func() (string, error) {
	if given := os.Getenv(TemporalVariable); given != "" {
		return given, nil
	}
	server, err := devstack.StartTemporal(context.Background(), devstack.TemporalOptions{DieWithParent: true})
	if err != nil {
		return "", err
	}
	return server.Address(), nil
})

// TemporalAddress returns the address of the tests' Temporal server.
func TemporalAddress(t testing.TB) string {
	t.Helper()
	address, err := privateTemporal()
	require.NoError(t, err)
	return address
}

// Namespace registers a namespace with the search attribute for this test, and waits until it can be used.
func Namespace(t testing.TB) string {
	t.Helper()
	name := BareNamespace(t)
	c := Client(t, name)
	_, err := migrations.AddAttribute(t.Context(), c, name)
	require.NoError(t, err)
	return name
}

// BareNamespace registers a namespace without it.
func BareNamespace(t testing.TB) string {
	t.Helper()
	namespaces, err := client.NewNamespaceClient(client.Options{HostPort: TemporalAddress(t), Logger: Quiet()})
	require.NoError(t, err)
	defer namespaces.Close()
	name := "test-" + strings.ToLower(rand.Text()[:12])
	Eventually(t, func() bool { // a call has 10 s, which a busy machine may need more than once
		err := namespaces.Register(t.Context(), &workflowservice.RegisterNamespaceRequest{
			Namespace: name, WorkflowExecutionRetentionPeriod: durationpb.New(24 * time.Hour),
		})
		var there *serviceerror.NamespaceAlreadyExists
		return err == nil || errors.As(err, &there)
	}, "namespace %s cannot be registered", name)
	c := Client(t, name)
	Eventually(t, func() bool {
		_, err := c.CountWorkflow(t.Context(), &workflowservice.CountWorkflowExecutionsRequest{Query: "WorkflowType = 'none'"})
		return err == nil
	}, "namespace %s cannot be used", name)
	t.Cleanup(func() { deleteSchedules(c) })
	return name
}

// deleteSchedules keeps a server that many tests share from working for those that are over.
func deleteSchedules(c client.Client) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	list, err := c.ScheduleClient().List(ctx, client.ScheduleListOptions{})
	if err != nil {
		return // the server is gone, or too busy to be spared
	}
	for list.HasNext() {
		found, err := list.Next()
		if err != nil {
			return
		}
		_ = c.ScheduleClient().GetHandle(ctx, found.ID).Delete(ctx)
	}
}

// Client dials the tests' server, for a namespace.
func Client(t testing.TB, namespace string) client.Client {
	t.Helper()
	c, err := client.NewLazyClient(client.Options{HostPort: TemporalAddress(t), Namespace: namespace, Logger: Quiet()})
	require.NoError(t, err)
	t.Cleanup(c.Close)
	return c
}

// OwnTemporal starts a dev server for this test alone, and returns its address and a client of its namespace "default", which
// has the search attribute.
func OwnTemporal(t testing.TB) (address string, c client.Client) {
	t.Helper()
	server, err := devstack.StartTemporal(t.Context(), devstack.TemporalOptions{DieWithParent: true})
	require.NoError(t, err)
	t.Cleanup(server.Kill)
	c, err = client.Dial(client.Options{HostPort: server.Address(), Namespace: server.Namespace, Logger: Quiet()})
	require.NoError(t, err)
	t.Cleanup(c.Close)
	_, err = migrations.AddAttribute(t.Context(), c, server.Namespace)
	require.NoError(t, err)
	return server.Address(), c
}

// Quiet is a Temporal logger that says nothing.
func Quiet() sdklog.Logger { return quiet{} }

type quiet struct{}

func (quiet) Debug(string, ...any) {}
func (quiet) Info(string, ...any)  {}
func (quiet) Warn(string, ...any)  {}
func (quiet) Error(string, ...any) {}

package devstack

import (
	"context"
	"errors"
	"fmt"
	"time"

	commonpb "go.temporal.io/api/common/v1"
	namespacepb "go.temporal.io/api/namespace/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"
)

// probe asks a frontend whether a namespace is usable.
type probe struct {
	conn      *grpc.ClientConn
	frontend  workflowservice.WorkflowServiceClient
	namespace string
}

func newProbe(address, namespace string) (*probe, error) {
	// gRPC's own back-off grows from 1 s, longer than the server takes to start.
	conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithConnectParams(grpc.ConnectParams{
			Backoff:           backoff.Config{BaseDelay: 20 * time.Millisecond, Multiplier: 1, MaxDelay: 50 * time.Millisecond},
			MinConnectTimeout: time.Second,
		}))
	if err != nil {
		return nil, fmt.Errorf("reach Temporal: %w", err)
	}
	return &probe{conn: conn, frontend: workflowservice.NewWorkflowServiceClient(conn), namespace: namespace}, nil
}

func (p *probe) close() { _ = p.conn.Close() }

// ready returns nil once the frontend is healthy, the namespace keeps closed runs for 30 days, and a question about a run
// reaches the shard that would hold it: the answer "no such run" takes all three services.
func (p *probe) ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	health, err := grpc_health_v1.NewHealthClient(p.conn).Check(ctx, &grpc_health_v1.HealthCheckRequest{
		Service: "temporal.api.workflowservice.v1.WorkflowService",
	})
	if err != nil {
		return err
	}
	if health.GetStatus() != grpc_health_v1.HealthCheckResponse_SERVING {
		return fmt.Errorf("frontend is %s", health.GetStatus())
	}
	if err := p.keep(ctx); err != nil {
		return err
	}
	_, err = p.frontend.DescribeWorkflowExecution(ctx, &workflowservice.DescribeWorkflowExecutionRequest{
		Namespace: p.namespace,
		Execution: &commonpb.WorkflowExecution{WorkflowId: "hookflow-is-it-up"},
	})
	var none *serviceerror.NotFound
	if errors.As(serviceerror.FromStatus(status.Convert(err)), &none) {
		return nil
	}
	return err
}

// keep raises the namespace's retention to 30 days unless it is longer already.
func (p *probe) keep(ctx context.Context) error {
	ns, err := p.frontend.DescribeNamespace(ctx, &workflowservice.DescribeNamespaceRequest{Namespace: p.namespace})
	if err != nil || ns.GetConfig().GetWorkflowExecutionRetentionTtl().AsDuration() >= retention {
		return err
	}
	_, err = p.frontend.UpdateNamespace(ctx, &workflowservice.UpdateNamespaceRequest{
		Namespace: p.namespace,
		Config:    &namespacepb.NamespaceConfig{WorkflowExecutionRetentionTtl: durationpb.New(retention)},
	})
	return err
}

package migrations

import (
	"context"
	"fmt"
	"time"

	"hookflow/event"

	enums "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/operatorservice/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
)

// HasAttribute reports whether the namespace has the search attribute of the event's type, as a Keyword.
func HasAttribute(ctx context.Context, c client.Client, namespace string) (bool, error) {
	list, err := c.OperatorService().ListSearchAttributes(ctx, &operatorservice.ListSearchAttributesRequest{Namespace: namespace})
	if err != nil {
		return false, err
	}
	kind, found := list.GetCustomAttributes()[event.TypeAttribute]
	if found && kind != enums.INDEXED_VALUE_TYPE_KEYWORD {
		return false, fmt.Errorf("%s is a %s there, not a Keyword", event.TypeAttribute, kind)
	}
	return found, nil
}

// AddAttribute creates the search attribute where the namespace lacks it, and returns when runs may carry it: servers hear
// of a new one after some seconds. It returns false when it was there. Who may not create it gets the server's error.
func AddAttribute(ctx context.Context, c client.Client, namespace string) (bool, error) {
	if found, err := HasAttribute(ctx, c, namespace); found || err != nil {
		return false, err
	}
	_, err := c.OperatorService().AddSearchAttributes(ctx, &operatorservice.AddSearchAttributesRequest{
		Namespace:        namespace,
		SearchAttributes: map[string]enums.IndexedValueType{event.TypeAttribute: enums.INDEXED_VALUE_TYPE_KEYWORD},
	})
	if err != nil {
		return false, err
	}
	for {
		_, err := c.CountWorkflow(ctx, &workflowservice.CountWorkflowExecutionsRequest{
			Namespace: namespace, Query: event.TypeAttribute + " = 'none'",
		})
		if err == nil {
			return true, nil
		}
		select {
		case <-ctx.Done():
			return true, fmt.Errorf("it was created and is not known yet: %w", err)
		case <-time.After(100 * time.Millisecond):
		}
	}
}

package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"hookflow/event"
	"hookflow/migrations"

	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"
)

// attributeTime bounds the creation of the search attribute: nothing depends on it, and a server may be away.
const attributeTime = 15 * time.Second

// addAttribute creates the search attribute of the runs where that is permitted, and returns a sentence about it; news
// says that it was not simply there. Runs start without it too.
func addAttribute(ctx context.Context, options client.Options) (sentence string, news bool) {
	ctx, cancel := context.WithTimeout(ctx, attributeTime)
	defer cancel()
	c, err := client.NewLazyClient(options)
	if err != nil {
		return fmt.Sprintf("The search attribute %s was not created: %v", event.TypeAttribute, err), true
	}
	defer c.Close()
	created, err := migrations.AddAttribute(ctx, c, options.Namespace)
	var denied *serviceerror.PermissionDenied
	var unknown *serviceerror.Unimplemented
	switch {
	case errors.As(err, &denied), errors.As(err, &unknown):
		return fmt.Sprintf("The search attribute %s may not be created from here; where you administer the namespace %s, add it as a Keyword.",
			event.TypeAttribute, options.Namespace), true
	case err != nil:
		return fmt.Sprintf("The search attribute %s was not created, which a second hookflow migrate up would do: %v", event.TypeAttribute, err), true
	case created:
		return fmt.Sprintf("Created the search attribute %s in the namespace %s.", event.TypeAttribute, options.Namespace), true
	}
	return fmt.Sprintf("The search attribute %s is there.", event.TypeAttribute), false
}

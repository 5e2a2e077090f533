// Command hookflow receives webhooks and handles each exactly once.
package main

import (
	"context"
	"os"
)

func main() {
	keepHeapFloor(os.Getenv)
	os.Exit(run(context.Background(), os.Args[1:], os.Getenv, os.Stdin, os.Stdout, os.Stderr))
}

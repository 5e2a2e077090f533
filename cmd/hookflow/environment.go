package main

import (
	"io"
	"time"
)

// environment is everything a command takes from the outside, so that tests can run commands side by side.
type environment struct {
	getenv         func(string) string
	stdin          io.Reader
	stdout, stderr io.Writer
	now            func() time.Time
}

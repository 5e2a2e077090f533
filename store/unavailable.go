package store

import (
	"errors"
	"io"
	"net"
	"strings"
)

// lostConnection recognises a connection that broke under a statement. pgx has no type for some of these.
func lostConnection(err error) bool {
	var network net.Error
	switch {
	case errors.As(err, &network), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, net.ErrClosed):
		return true
	}
	message := err.Error()
	return strings.Contains(message, "conn closed") || strings.Contains(message, "closed pool") ||
		strings.Contains(message, "conn busy")
}

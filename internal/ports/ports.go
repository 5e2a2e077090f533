// Package ports finds out which of the ports that servers are to listen on are free, and whose the others are. It imports the
// standard library only, so that ports are looked at before anything is downloaded or compiled. Linux and macOS.
package ports

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
)

// localhost is the address of the servers that hookflow starts.
const localhost = "127.0.0.1"

// TakenError says that a port a server was to listen on belongs to another process. PID is 0 and Command empty where
// the owner cannot be told (another user's process, and no right to look).
type TakenError struct {
	Server   string // what wanted the port
	Port     int
	PID      int
	Command  string
	User     string // whose the process is, where it cannot be told itself; may be empty
	Variable string // the environment variable that moves the port; may be empty
}

func (e *TakenError) Error() string {
	by := "another process (which one cannot be told without more rights)"
	switch {
	case e.PID > 0:
		by = fmt.Sprintf("process %d (%s)", e.PID, shortCommand(e.Command))
	case e.User != "":
		by = fmt.Sprintf("a process of user %s (which one cannot be told without more rights)", e.User)
	}
	msg := fmt.Sprintf("port %d, wanted for %s, is taken by %s", e.Port, e.Server, by)
	if e.Variable != "" {
		msg += fmt.Sprintf("; stop it, or set %s to another port", e.Variable)
	}
	return msg
}

// shortCommand is the beginning of a command line: Temporal's takes a page.
func shortCommand(command string) string {
	const most = 100
	if runes := []rune(command); len(runes) > most {
		return string(runes[:most]) + "…"
	}
	return command
}

// Check returns a *TakenError if 127.0.0.1:port is in use. Server and variable are only for the message. Port 0 is always
// free.
func Check(port int, server, variable string) error {
	addresses := []string{net.JoinHostPort(localhost, strconv.Itoa(port))}
	if runtime.GOOS == "darwin" {
		// There a bind to 127.0.0.1 succeeds beside a listener on every address, and takes its connections.
		addresses = append(addresses, ":"+strconv.Itoa(port))
	}
	for _, address := range addresses {
		if err := CheckAddress(address, server, variable); err != nil {
			return err
		}
	}
	return nil
}

// CheckAddress returns why nobody may listen on host:port now: a *TakenError if it is in use.
func CheckAddress(address, server, variable string) error {
	if _, port, err := net.SplitHostPort(address); err == nil && port == "0" {
		return nil
	}
	l, err := net.Listen("tcp", address)
	if err == nil {
		return l.Close()
	}
	return Explain(err, address, server, variable)
}

// Explain returns the error of a listen on an address with what to do about it: a *TakenError if it is in use.
func Explain(err error, address, server, variable string) error {
	_, digits, _ := net.SplitHostPort(address)
	port, _ := strconv.Atoi(digits)
	if !errors.Is(err, syscall.EADDRINUSE) {
		return fmt.Errorf("%s cannot listen on %s: %w; set %s to another address", server, address, errors.Unwrap(err), variable)
	}
	taken := &TakenError{Server: server, Port: port, Variable: variable}
	if taken.PID, taken.Command = listener(port); taken.PID == 0 {
		taken.User = listeningUser(port)
	}
	return taken
}

// Free returns n different ports that nobody listens on. All are held until the last is known.
func Free(n int) ([]int, error) {
	free := make([]int, 0, n)
	for range n {
		l, err := net.Listen("tcp", net.JoinHostPort(localhost, "0"))
		if err != nil {
			return nil, fmt.Errorf("find a free port: %w", err)
		}
		defer func() { _ = l.Close() }()
		free = append(free, l.Addr().(*net.TCPAddr).Port)
	}
	return free, nil
}

// listener returns the process that listens on the port, or 0.
func listener(port int) (int, string) {
	if runtime.GOOS == "linux" {
		return procListener(port)
	}
	return lsofListener(port)
}

// procListener reads the kernel's socket tables: column 1 is the local address and port in hex, column 3 the state
// (0A is LISTEN), column 9 the inode, which /proc/PID/fd/* links to as socket:[inode]. See proc(5).
func procListener(port int) (int, string) {
	inodes := map[string]bool{}
	for inode := range listening(port) {
		inodes["socket:["+inode+"]"] = true
	}
	fds, _ := filepath.Glob("/proc/[0-9]*/fd/*")
	for _, fd := range fds {
		if to, err := os.Readlink(fd); err != nil || !inodes[to] {
			continue
		}
		pid, err := strconv.Atoi(strings.Split(fd, "/")[2])
		if err == nil {
			line, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
			return pid, strings.TrimSpace(strings.ReplaceAll(string(line), "\x00", " "))
		}
	}
	return 0, ""
}

// listening returns the inodes of the sockets that listen on a port, with the user ids of their owners, which column 7 has.
func listening(port int) map[string]string {
	found, suffix := map[string]string{}, fmt.Sprintf(":%04X", port)
	for _, table := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		text, _ := os.ReadFile(table) // a kernel without IPv6 has no second one
		for line := range strings.Lines(string(text)) {
			col := strings.Fields(line)
			if len(col) > 9 && strings.HasSuffix(col[1], suffix) && col[3] == "0A" {
				found[col[9]] = col[7]
			}
		}
	}
	return found
}

// listeningUser returns whose a socket is that listens on the port, "" where that cannot be told.
func listeningUser(port int) string {
	for _, uid := range listening(port) {
		if u, err := user.LookupId(uid); err == nil {
			return u.Username
		}
		return uid
	}
	return ""
}

// lsofListener asks lsof, which macOS has in /usr/sbin. -Fpc prints lines of p<pid> and c<command>.
func lsofListener(port int) (int, string) {
	out, err := exec.Command("lsof", "-nP", "-iTCP:"+strconv.Itoa(port), "-sTCP:LISTEN", "-Fpc").Output()
	if err != nil {
		return 0, ""
	}
	pid, command := 0, ""
	for line := range strings.Lines(string(out)) {
		switch line = strings.TrimSpace(line); {
		case pid == 0 && strings.HasPrefix(line, "p"):
			pid, _ = strconv.Atoi(line[1:])
		case command == "" && strings.HasPrefix(line, "c"):
			command = line[1:]
		}
	}
	return pid, command
}

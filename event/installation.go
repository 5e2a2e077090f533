package event

import "strings"

// DefaultQueue is the task queue of an installation that has none of its own, and the beginning of its schedules' ids.
const DefaultQueue = "hookflow"

// Installation is the hookflow that an event belongs to, where several share a Temporal namespace. The zero value is that of
// runs which older versions began, and of a process that has not read its ledger yet.
type Installation struct {
	Ledger string `json:"ledger,omitempty"` // a uuid, made with the ledger's tables
	Queue  string `json:"queue,omitempty"`  // HOOKFLOW_TASK_QUEUE; "" for the default one
}

// Foreign reports whether both installations say which ledger is theirs, and it is not the same.
func (i Installation) Foreign(other Installation) bool {
	return i.Ledger != "" && other.Ledger != "" && i.Ledger != other.Ledger
}

// OnQueue is the installation on a task queue, the default one included.
func OnQueue(queue string) Installation {
	if queue == DefaultQueue {
		queue = ""
	}
	return Installation{Queue: queue}
}

// prefix begins the workflow IDs of an installation with a queue of its own. No source's name has a slash.
func (i Installation) prefix() string {
	if i.Queue == "" {
		return ""
	}
	return i.Queue + "/"
}

// KeyOf returns the key that a workflow ID of this installation was made from, where the event's id was not hashed for it; "" for
// one of another installation.
func (i Installation) KeyOf(workflowID string) string {
	key, ours := strings.CutPrefix(workflowID, i.prefix())
	if !ours || isPrefixed(key) {
		return ""
	}
	return key
}

// WithoutQueue returns a workflow ID without the queue that it begins with, where it does.
func WithoutQueue(workflowID string) string {
	if isPrefixed(workflowID) {
		return workflowID[strings.IndexByte(workflowID, '/')+1:]
	}
	return workflowID
}

// isPrefixed reports whether a workflow ID begins with a queue: a slash stands before the colon that ends the source's name.
func isPrefixed(workflowID string) bool {
	slash, colon := strings.IndexByte(workflowID, '/'), strings.IndexByte(workflowID, ':')
	return slash >= 0 && slash < colon
}

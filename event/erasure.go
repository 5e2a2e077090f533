package event

// Erasure is what was erased of an event.
type Erasure struct {
	ID         string `json:"id"`
	Key        string `json:"key"`
	WorkflowID string `json:"-"`
	// RunIDs are the runs that the ledger knows of.
	RunIDs []string `json:"-"`
	// Content says whether the ledger still held the body.
	Content bool `json:"content"`
	// Histories is how many runs were deleted from Temporal.
	Histories int `json:"histories"`
}

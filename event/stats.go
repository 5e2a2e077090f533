package event

import "time"

// Counting is a question after counts. Match narrows it; of it Since and Until must be set, and what orders and pages a
// listing is not looked at.
type Counting struct {
	Match  Filter
	By     []string      // any of Groups
	Bucket time.Duration // width of a bucket, a whole number of minutes; 0: one bucket from Since to Until
}

// Groups are the fields that events can be counted by.
var Groups = []string{"provider", "type", "status"}

// MaxBuckets bounds the lines of an answer.
const MaxBuckets = 50_000

// Bucket is how many events of a kind were received in a span of time. The fields that were not counted by are absent.
type Bucket struct {
	Start    time.Time `json:"start"`
	Provider *string   `json:"provider,omitempty"`
	Type     *string   `json:"type,omitempty"`
	Status   *Status   `json:"status,omitempty"`
	Count    int       `json:"count"`
}

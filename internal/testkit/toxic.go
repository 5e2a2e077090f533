package testkit

import (
	"math/rand/v2"
	"sync/atomic"

	"github.com/Shopify/toxiproxy/v2/toxics"
)

// cutResponses is a toxic that toxiproxy lacks: its own drop all of a connection or none. A piece that is dropped takes
// the connection with it, since neither HTTP/2 nor Postgres's protocol survives a hole.
type cutResponses struct {
	Probability float64 `json:"probability"` // of each piece, 0 to 1
	Seed        uint64  `json:"seed"`
}

// pipes numbers the connections, so that each gets its own sequence out of one seed.
var pipes atomic.Uint64

// Pipe passes pieces on until it drops one.
func (c *cutResponses) Pipe(stub *toxics.ToxicStub) {
	random := rand.New(rand.NewPCG(c.Seed, pipes.Add(1)))
	for {
		select {
		case <-stub.Interrupt:
			return
		case piece := <-stub.Input:
			if piece == nil || random.Float64() < c.Probability {
				stub.Close()
				return
			}
			stub.Output <- piece
		}
	}
}

func init() { toxics.Register("cut_responses", &cutResponses{}) }

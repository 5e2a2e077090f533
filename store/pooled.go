package store

import (
	"context"
	"sync"

	"hookflow/internal/pooler"

	"github.com/jackc/pgx/v5"
)

// pooled remembers whether a pooler is between us and Postgres, for all pools of a store.
type pooled struct {
	mu           sync.Mutex
	known, there bool
}

// prepare is called before each connection. Behind a pooler a statement that was prepared on one session is asked for on
// another, and refused; statements are then described once, and sent whole each time (pgx's cache_describe): as many round
// trips, some more work for Postgres. Where Postgres cannot be asked, the connection itself says why.
func (p *pooled) prepare(ctx context.Context, cfg *pgx.ConnConfig) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.known {
		there, err := pooler.Between(ctx, cfg)
		if err != nil {
			return nil
		}
		p.known, p.there = true, there
	}
	if p.there {
		cfg.DefaultQueryExecMode = pgx.QueryExecModeCacheDescribe
	}
	return nil
}

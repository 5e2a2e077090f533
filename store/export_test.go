package store

import (
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
)

// Held returns, for each table that is said to hold content or none, all of its columns.
func Held() map[string][]string {
	tables := map[string][]string{}
	for _, h := range holdings {
		tables[h.table] = append(append([]string{}, h.content...), h.kept...)
	}
	return tables
}

// PoolSizes are the most connections of the three pools, and how long one waits to connect.
func PoolSizes(s *Store) (most []int32, connect time.Duration) {
	for _, pool := range []*pgxpool.Pool{s.door, s.runs, s.questions} {
		most = append(most, pool.Config().MaxConns)
	}
	return most, s.door.Config().ConnConfig.ConnectTimeout
}

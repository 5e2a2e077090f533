package store_test

import (
	"testing"
	"time"

	"hookflow/store"

	"github.com/stretchr/testify/require"
)

// What an operator writes into DATABASE_URL holds; the pools share what a process may have.
func TestOpen_settingsOfPools(t *testing.T) {
	t.Parallel()
	for query, c := range map[string]struct {
		most    []int32
		connect time.Duration
	}{
		"":                    {[]int32{4, 12, 4}, 2 * time.Second},
		"?pool_max_conns=10":  {[]int32{2, 6, 2}, 2 * time.Second},
		"?pool_max_conns=100": {[]int32{20, 60, 20}, 2 * time.Second},
		"?pool_max_conns=1":   {[]int32{1, 1, 1}, 2 * time.Second},
		"?connect_timeout=7":  {[]int32{4, 12, 4}, 7 * time.Second},
	} {
		s, err := store.Open(t.Context(), "postgres://nobody@127.0.0.1:1/x"+query, store.Options{})
		require.NoError(t, err, query)
		most, connect := store.PoolSizes(s)
		require.Equal(t, c.most, most, query)
		require.Equal(t, c.connect, connect, query)
		s.Close()
	}
	_, err := store.Open(t.Context(), "postgres://nobody@127.0.0.1:1/x?pool_max_conns=many", store.Options{})
	require.ErrorContains(t, err, "pool_max_conns")
}

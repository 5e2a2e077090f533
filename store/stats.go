package store

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"hookflow/event"

	"github.com/jackc/pgx/v5"
)

// groupColumns are the expressions behind event.Groups.
var groupColumns = map[string]string{"provider": "e.provider", "type": "e.event_type", "status": "e.status::text"}

// Count counts events by the time they were received at, in buckets that begin at whole multiples of their width since
// 1970 (UTC), and by the fields of c; a bucket without an event is left out. It returns event.ErrTooBroad when Postgres
// could not count within two seconds, event.ErrTooMany for more than event.MaxBuckets lines.
func (s *Store) Count(ctx context.Context, c event.Counting) ([]event.Bucket, error) {
	sql, args := countSQL(c)
	batch := &pgx.Batch{}
	queueListSettings(batch)
	var found []event.Bucket
	batch.Queue(sql, args...).Query(func(rows pgx.Rows) (err error) {
		found, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (event.Bucket, error) {
			var b event.Bucket
			err := row.Scan(bucketFields(&b, c.By)...)
			b.Start = b.Start.UTC()
			return b, err
		})
		return err
	})
	if err := s.questions.SendBatch(ctx, batch).Close(); err != nil {
		return nil, tooBroad(err)
	}
	if len(found) > event.MaxBuckets {
		return nil, event.ErrTooMany
	}
	return found, nil
}

// countSQL asks for one line more than the limit, to know whether it was reached.
func countSQL(c event.Counting) (string, []any) {
	f := c.Match
	w := narrowed(f)
	if f.Type != "" {
		w.and("e.event_type LIKE %s", likePattern(f.Type))
	}
	where := w.sql()
	var start string
	if c.Bucket == 0 {
		start = w.value(f.Since) + "::timestamptz"
	} else {
		start = fmt.Sprintf("date_bin(make_interval(secs => %s), e.received_at, 'epoch'::timestamptz)", w.value(c.Bucket.Seconds()))
	}
	columns, numbers := []string{start}, []string{"1"}
	for _, group := range event.Groups {
		if slices.Contains(c.By, group) {
			columns = append(columns, groupColumns[group])
			numbers = append(numbers, fmt.Sprint(len(columns)))
		}
	}
	by := strings.Join(numbers, ", ")
	return fmt.Sprintf("SELECT %s, count(*) FROM webhook_events e WHERE %s GROUP BY %s ORDER BY %s LIMIT %d",
		strings.Join(columns, ", "), where, by, by, event.MaxBuckets+1), w.args
}

func bucketFields(b *event.Bucket, by []string) []any {
	fields := []any{&b.Start}
	for i, target := range []any{&b.Provider, &b.Type, &b.Status} {
		if slices.Contains(by, event.Groups[i]) {
			fields = append(fields, target)
		}
	}
	return append(fields, &b.Count)
}

package store

// Held returns, for each table that is said to hold content or none, all of its columns.
func Held() map[string][]string {
	tables := map[string][]string{}
	for _, h := range holdings {
		tables[h.table] = append(append([]string{}, h.content...), h.kept...)
	}
	return tables
}

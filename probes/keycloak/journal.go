package keycloak

import (
	"bytes"
	"encoding/json"
	"strings"
)

// journalLines is how much of the journal is read: a failed start writes some
// hundred lines, most of them stack traces.
const journalLines = "200"

// An entry is what matters of one line of `journalctl -o json`.
type entry struct {
	Message    text   `json:"MESSAGE"`
	Invocation string `json:"_SYSTEMD_INVOCATION_ID"`
	PID        string `json:"_PID"`
	Transport  string `json:"_TRANSPORT"`
}

// text is a field that journalctl gives as a string, as a list of bytes when
// it is no UTF-8, or as null when it is too long.
type text string

func (t *text) UnmarshalJSON(data []byte) error {
	var s string
	if json.Unmarshal(data, &s) == nil {
		*t = text(s)
		return nil
	}
	var numbers []int
	if json.Unmarshal(data, &numbers) != nil {
		*t = ""
		return nil
	}
	b := make([]byte, len(numbers))
	for i, n := range numbers {
		b[i] = byte(n)
	}
	*t = text(strings.ToValidUTF8(string(b), "?"))
	return nil
}

// lastRun returns the lines that the newest run of a service wrote itself, in
// their order; those of the manager about it are left out. What is no entry is
// passed over.
func lastRun(journal []byte) []string {
	var entries []entry
	for line := range bytes.Lines(journal) {
		var e entry
		if json.Unmarshal(line, &e) == nil && (e.Transport == "stdout" || e.Transport == "syslog") {
			entries = append(entries, e)
		}
	}
	if len(entries) == 0 {
		return nil
	}
	newest := entries[len(entries)-1]
	var lines []string
	for _, e := range entries {
		if newest.Invocation != "" && e.Invocation == newest.Invocation || newest.Invocation == "" && e.PID == newest.PID {
			lines = append(lines, strings.Split(strings.TrimRight(string(e.Message), "\n"), "\n")...)
		}
	}
	return lines
}

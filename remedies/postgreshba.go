package remedies

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"watchdog/probes/host"
)

// PostgresHBA writes pg_hba.conf whole, and in pg_ident.conf the map by which
// root is postgres over the socket: so the superuser needs no password.
type PostgresHBA struct{}

// Spec implements [Remedy].
func (r PostgresHBA) Spec() Spec {
	return Spec{
		ID: "postgres.hba", Summary: "write pg_hba.conf: peer for postgres, SCRAM for the rest, loopback only",
		Risk: Harmless, Timeout: time.Minute,
	}
}

const identMap = "watchdog"

const hbaText = `# By watchdog. The first match wins; "postgres" comes over the socket by peer, or it would be locked out.
# TYPE  DATABASE  USER      ADDRESS        METHOD
local   all       postgres                 peer map=` + identMap + `
local   all       all                      scram-sha-256
host    all       all       127.0.0.1/32   scram-sha-256
host    all       all       ::1/128        scram-sha-256
`

// identUsers may be postgres; with a map nobody else is, not even postgres.
var identUsers = []string{"postgres", "root"}

// Plan implements [Remedy].
func (r PostgresHBA) Plan(ctx context.Context, h *host.Host) (Plan, error) {
	p := Plan{Remedy: r.Spec().ID}
	dir, err := h.FS.Node(h.Facts.Layout.PostgresConf)
	if err != nil {
		return Plan{}, err
	}
	if dir == nil {
		p.Waits = []string{"package postgresql"}
		return p, nil
	}
	var names []string
	for _, f := range []struct {
		name string
		text func(old []byte) []byte
	}{{"pg_hba.conf", func([]byte) []byte { return []byte(hbaText) }}, {"pg_ident.conf", identText}} {
		name := h.Facts.Layout.PostgresConf + "/" + f.name
		old, err := h.FS.Node(name)
		if err != nil {
			return Plan{}, err
		}
		names = append(names, name)
		var data []byte
		if old != nil && old.Mode.IsRegular() {
			data = old.Data
		}
		edits, err := Converge(h, name, pgNode(old, f.text(data)))
		if err != nil {
			return Plan{}, err
		}
		p.Edits = append(p.Edits, edits...)
	}
	u, err := h.Init.Unit(ctx, h.Facts.Layout.Unit("postgresql"))
	if err != nil || u.State != host.Running {
		return p, err // its service's remedy starts it, with these files
	}
	late, err := unread(ctx, h, names)
	if len(p.Edits) > 0 || late {
		p.Effects = []Effect{Do{Verb: Reload, Unit: u.Name, Ready: func(ctx context.Context, h *host.Host) error {
			late, err := unread(ctx, h, names)
			if late {
				return errors.New("postgresql has not read " + strings.Join(names, " and ") + " yet")
			}
			return err
		}}}
	}
	return p, err
}

// pgNode is a file that only the server's user and its group may read. A
// tighter mode stays.
func pgNode(old *host.Node, data []byte) *host.Node {
	n := File(data, "postgres", "postgres", 0o640)
	if old != nil && old.Mode.IsRegular() && old.Mode.Perm()&^n.Mode == 0 && old.Mode.Perm()&0o600 == 0o600 {
		n.Mode = old.Mode.Perm()
	}
	return n
}

// identText is pg_ident.conf with our map's lines, and no others of our map:
// each of those would make somebody a superuser.
func identText(old []byte) []byte {
	want := map[string]bool{}
	for _, user := range identUsers {
		want[user] = true
	}
	var b bytes.Buffer
	for l := range strings.Lines(string(old)) {
		body, _, _ := strings.Cut(l, "#")
		w := strings.Fields(body)
		if len(w) == 0 || strings.Trim(w[0], `"`) != identMap {
			b.WriteString(l)
			continue
		}
		if len(w) == 3 && w[0] == identMap && w[2] == "postgres" && want[w[1]] {
			want[w[1]] = false
			b.WriteString(l)
		}
	}
	out := endLine(b.Bytes())
	for _, user := range identUsers {
		if want[user] {
			out = fmt.Appendf(out, "%s %s postgres\n", identMap, user)
		}
	}
	return out
}

// unread reports whether one of the files was written since the running server
// read them: then the rules in force may be others, which nothing else tells. A
// server that does not say has nothing held against it. A connection says when
// it read them itself, so this one is not the one that is held.
func unread(ctx context.Context, h *host.Host, names []string) (bool, error) {
	rows, err := h.DB.Query(ctx, "template1", `SELECT extract(epoch FROM pg_conf_load_time())`)
	if err != nil || len(rows) != 1 || len(rows[0]) != 1 {
		return false, nil
	}
	seconds, err := strconv.ParseFloat(rows[0][0], 64)
	if err != nil {
		return false, fmt.Errorf("read pg_conf_load_time: %w", err)
	}
	read := time.UnixMicro(int64(seconds * 1e6))
	for _, name := range names {
		n, err := h.FS.Node(name)
		if err != nil {
			return false, err
		}
		// A time to come would be newer than any reload.
		if n != nil && n.ModTime.After(read) && !n.ModTime.After(h.Now()) {
			return true, nil
		}
	}
	return false, nil
}

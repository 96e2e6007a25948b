package remedies

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"watchdog/probes/format/pgconf"
	"watchdog/probes/host"
)

// PostgresConf keeps PostgreSQL on both loopbacks and its passwords as SCRAM
// verifiers, wherever the settings that count are.
type PostgresConf struct{}

// Spec implements [Remedy].
func (r PostgresConf) Spec() Spec {
	return Spec{
		ID: "postgresql.conf", Summary: "set listen_addresses and password_encryption in postgresql.conf",
		Risk: Outage, Timeout: serviceTime, Services: []string{"postgresql"},
	}
}

// A pgSetting is one that the site needs.
type pgSetting struct {
	name, want string
	restart    bool // a reload is not enough
}

var pgSettings = []pgSetting{
	{"listen_addresses", "127.0.0.1,::1", true},
	{"password_encryption", "scram-sha-256", false},
}

// same reports whether value means what is wanted; a list may be in any order.
func (s pgSetting) same(value string) bool {
	words := func(list string) []string {
		var out []string
		for w := range strings.SplitSeq(list, ",") {
			out = append(out, strings.ToLower(strings.TrimSpace(w)))
		}
		slices.Sort(out)
		return slices.Compact(out)
	}
	return slices.Equal(words(s.want), words(value))
}

// Plan implements [Remedy].
func (r PostgresConf) Plan(ctx context.Context, h *host.Host) (Plan, error) {
	p := Plan{Remedy: r.Spec().ID}
	c, err := readPgConf(h)
	if err != nil {
		return Plan{}, err
	}
	if c == nil {
		p.Waits = []string{"package postgresql"}
		return p, nil
	}
	restart := false
	for _, s := range pgSettings {
		if c.converge(s) {
			restart = restart || s.restart
		}
	}
	p.Edits = c.edits()
	u, err := h.Init.Unit(ctx, h.Facts.Layout.Unit("postgresql"))
	if err != nil || u.State != host.Running {
		return p, err // its service's remedy starts it, with these settings
	}
	do := Do{Verb: Reload, Unit: u.Name}
	follow := len(p.Edits) > 0
	// Before the first pg_hba.conf of ours nobody here may ask it.
	rows, err := h.DB.Query(ctx, "postgres", `SELECT name, setting FROM pg_settings WHERE name IN ('listen_addresses', 'password_encryption')`)
	if err == nil {
		restart = false
		for _, s := range pgSettings {
			if !slices.ContainsFunc(rows, func(row []string) bool { return len(row) == 2 && row[0] == s.name && s.same(row[1]) }) {
				follow, restart = true, restart || s.restart
			}
		}
		do.Ready = PostgresReady
		p.Gates = []Gate{pgGate{h}}
	}
	if restart {
		do.Verb = Restart
	}
	if follow {
		p.Effects = []Effect{do}
	}
	return p, nil
}

// A pgFiles is postgresql.conf with what it includes and postgresql.auto.conf,
// which is read last.
type pgFiles struct {
	texts []text // the main file first
	files []pgconf.File
	// order has the assignments as the server reads them; the last of a name
	// wins.
	order []placed
}

type placed struct {
	file int // index in texts
	pgconf.Assignment
}

// readPgConf returns nil when there is no cluster yet.
func readPgConf(h *host.Host) (*pgFiles, error) {
	c := &pgFiles{}
	if err := c.read(h, h.Facts.Layout.PostgresConf+"/postgresql.conf", 0); err != nil {
		return nil, err
	}
	if len(c.texts) == 0 {
		return nil, nil
	}
	return c, c.read(h, h.Facts.Layout.PostgresData+"/postgresql.auto.conf", 0)
}

// maxIncludes is CONF_FILE_MAX_DEPTH of the server.
const maxIncludes = 10

// read reads one file, and in their places those that it includes. A missing
// one says nothing; the server's own complaint about it is the gate's to tell.
func (c *pgFiles) read(h *host.Host, name string, depth int) error {
	if depth > maxIncludes {
		return fmt.Errorf("read %s: included more than %d deep", name, maxIncludes)
	}
	t, err := readText(h, name)
	if err != nil || t.old == nil {
		return err
	}
	at := len(c.texts)
	f := pgconf.Parse(t.data)
	c.texts, c.files = append(c.texts, t), append(c.files, f)
	for _, a := range f.Assignments() {
		more, err := included(h, name, a)
		if err != nil {
			return err
		}
		for _, m := range more {
			if err := c.read(h, m, depth+1); err != nil {
				return err
			}
		}
		c.order = append(c.order, placed{at, a})
	}
	return nil
}

// included lists the files that an assignment in the file name includes.
func included(h *host.Host, name string, a pgconf.Assignment) ([]string, error) {
	file := a.Value
	if !path.IsAbs(file) {
		file = path.Join(path.Dir(name), file)
	}
	switch a.Name {
	case "include", "include_if_exists":
		return []string{file}, nil
	case "include_dir":
	default:
		return nil, nil
	}
	entries, err := h.FS.ReadDir(file)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	var files []string
	for _, e := range slices.Sorted(slices.Values(entries)) {
		if strings.HasSuffix(e, ".conf") && !strings.HasPrefix(e, ".") {
			files = append(files, file+"/"+e)
		}
	}
	return files, nil
}

// converge sets s in the main file, takes it out where another file says
// otherwise, and reports whether anything had to be done.
func (c *pgFiles) converge(s pgSetting) bool {
	last := -1
	for i, a := range c.order {
		if a.Name == s.name {
			last = i
		}
	}
	if last >= 0 && s.same(c.order[last].Value) {
		return false
	}
	for _, a := range c.order {
		if a.Name == s.name && a.file > 0 && !s.same(a.Value) {
			c.files[a.file] = c.files[a.file].Unset(s.name)
		}
	}
	c.files[0] = c.files[0].Set(s.name, s.want)
	return true
}

func (c *pgFiles) edits() []Edit {
	var edits []Edit
	for i, t := range c.texts {
		t.data = c.files[i].Bytes()
		edits = append(edits, t.edits()...)
	}
	return edits
}

// A pgGate asks the running server what it makes of the files on disk. What
// only a restart changes is no error there.
type pgGate struct{ h *host.Host }

func (g pgGate) String() string { return "check the configuration with pg_file_settings" }

// Pass implements [Gate].
func (g pgGate) Pass(ctx context.Context, _ Hands) error {
	return pgErrors(ctx, g.h, `SELECT f.sourcefile || ':' || f.sourceline, f.error FROM pg_file_settings f LEFT JOIN pg_settings s USING (name)
WHERE f.error IS NOT NULL AND s.context IS DISTINCT FROM 'postmaster' ORDER BY seqno LIMIT 1`)
}

// pgErrors is the first row of (place, error) of a query, as an error.
func pgErrors(ctx context.Context, h *host.Host, query string) error {
	rows, err := h.DB.Query(ctx, "postgres", query)
	if err != nil || len(rows) == 0 {
		return err
	}
	return errors.New(strings.Join(rows[0], ": "))
}

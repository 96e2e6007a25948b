package nginx

import (
	"context"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strconv"
	"time"

	"watchdog/probes"
	"watchdog/probes/format/edgeconf"
	"watchdog/probes/format/nginxconf"
	"watchdog/probes/host"
)

// program is the name of NGINX's processes.
const program = "nginx"

// running judges whether the running NGINX has taken its configuration. A reload
// for which one port can't be had is refused as a whole, and nobody is told:
// nginx -t ignores taken ports, the reload's exit code is that of sending a
// signal, and the old workers go on. What gives it away is that NGINX does not
// listen where its configuration says.
func running(ctx context.Context, h *host.Host, config *nginxconf.Config) ([]probes.Finding, error) {
	u, err := h.Init.Unit(ctx, h.Facts.Layout.Unit("nginx"))
	if err != nil || u.State != host.Running {
		return nil, err
	}
	sockets, err := h.Net.Listeners(ctx)
	if err != nil {
		return nil, err
	}
	f := probes.Finding{Code: RunningStale, Summary: "NGINX runs with an older configuration than the one on disk"}
	var seen []string
	for _, l := range edgeconf.Listens(config) {
		at := l.Addr.String()
		if slices.Contains(seen, at) || slices.ContainsFunc(sockets, func(s host.Listener) bool { return serves(s, l) }) {
			continue
		}
		seen = append(seen, at)
		e := probes.Evidence{
			Source: l.Pos(), Want: "NGINX listens on " + at, Got: "nobody listens there",
			Command: "ss -Hltnp 'sport = :" + strconv.Itoa(int(l.Addr.Port())) + "'",
		}
		if i := slices.IndexFunc(sockets, func(s host.Listener) bool { return bars(s, l) }); i >= 0 {
			by := fmt.Sprintf("%s (pid %d)", sockets[i].Program, sockets[i].PID)
			e.Got = "taken by " + by
			f.Awaits = fmt.Sprintf("port %d is free: %s has it", l.Addr.Port(), by)
		}
		if len(f.Evidence) < maxEvidence {
			f.Evidence = append(f.Evidence, e)
		}
	}
	if len(f.Evidence) == 0 {
		return nil, nil
	}
	changed, err := changed(h, config)
	if err != nil {
		return nil, err
	}
	log, at := refused(h, config, u.PID)
	switch {
	case !at.IsZero() && !at.Before(changed.Truncate(time.Second)): // as exact as the log
		f.Evidence = append(f.Evidence, probes.Evidence{
			Source: log, Want: "every reload taken", Got: "refused at " + at.Format(time.TimeOnly) + ": still could not bind()", Command: "tail -n 20 " + log,
		})
	case f.Awaits == "":
		// Whoever changed it may not be done yet.
		f.Awaits = "somebody asks for a reload: nobody has since the change of " + changed.Format(time.DateTime)
	}
	return []probes.Finding{f}, nil
}

// serves reports whether a socket is NGINX's own for that listen directive, or may
// be: whose it is only root sees.
func serves(s host.Listener, l edgeconf.Listen) bool {
	if s.Addr.Port() != l.Addr.Port() || s.Program != program && s.Program != "" {
		return false
	}
	addr, want := s.Addr.Addr(), l.Addr.Addr()
	switch {
	case addr == want:
		return true
	case addr.Is6() && addr.IsUnspecified():
		return want.Is6() || !s.V6Only
	}
	return addr.IsUnspecified() && want.Is4()
}

// bars reports whether a socket of somebody else's keeps NGINX from listening.
func bars(s host.Listener, l edgeconf.Listen) bool {
	if s.Addr.Port() != l.Addr.Port() || s.Program == program || s.Program == "" {
		return false
	}
	addr, want := s.Addr.Addr(), l.Addr.Addr()
	if addr.Is4() != want.Is4() {
		return addr.Is6() && addr.IsUnspecified() && !s.V6Only
	}
	return addr == want || addr.IsUnspecified() || want.IsUnspecified()
}

// changed is when the newest file of the configuration was written.
func changed(h *host.Host, config *nginxconf.Config) (newest time.Time, err error) {
	for _, name := range config.Files {
		n, err := h.FS.Node(name)
		if err == nil && n != nil && n.Mode.Type() == fs.ModeSymlink { // of sites-enabled
			if to := string(n.Data); path.IsAbs(to) {
				name = to
			} else {
				name = path.Join(path.Dir(name), to)
			}
			n, err = h.FS.Node(name)
		}
		if err != nil {
			return time.Time{}, fmt.Errorf("look at %s: %w", name, err)
		}
		if n != nil && n.ModTime.After(newest) {
			newest = n.ModTime
		}
	}
	return newest, nil
}

// errorLog is where NGINX writes where its configuration says nothing else.
const errorLog = "/var/log/nginx/error.log"

var unbound = regexp.MustCompile(`(?m)^(\d{4}/\d\d/\d\d \d\d:\d\d:\d\d) \[emerg\] (\d+)#\d+: still could not bind\(\)$`)

// refused returns when the main process refused its last reload for want of a
// port, zero when its log tells of none, and where that is.
func refused(h *host.Host, config *nginxconf.Config, pid int) (log string, at time.Time) {
	log = errorLog
	if to := config.Find("error_log"); len(to) > 0 && len(to[0].Args) > 0 && path.IsAbs(to[0].Args[0]) {
		log = to[0].Args[0]
	}
	// One that can't be read tells of none.
	data, _ := h.FS.ReadFile(log)
	for _, m := range slices.Backward(unbound.FindAllSubmatch(data, -1)) {
		if string(m[2]) != strconv.Itoa(pid) {
			continue
		}
		if at, err := time.ParseInLocation("2006/01/02 15:04:05", string(m[1]), time.Local); err == nil {
			return log, at
		}
	}
	return log, time.Time{}
}

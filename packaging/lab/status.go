package lab

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Status is a lab as it is now.
type Status struct {
	Schema  int          `json:"schema"`
	Name    string       `json:"name"`
	State   string       `json:"state"` // up, down, or broken: parts without the background process
	Started *time.Time   `json:"started,omitempty"`
	Age     string       `json:"age,omitempty"`
	Memory  bool         `json:"memory"` // the hosts' changes are in memory
	Hosts   []HostStatus `json:"hosts"`
	Server  Part         `json:"server"` // name server and package proxy
	ACME    Part         `json:"acme"`
	DNS     string       `json:"dns"` // mode of the name server
	Cache   string       `json:"cache"`
}

// HostStatus is one host of a lab.
type HostStatus struct {
	Name      string `json:"name"`
	State     string `json:"state"` // systemd's word, or off
	Address   string `json:"address"`
	Processes int    `json:"processes"`
	PID       int    `json:"pid,omitempty"` // the machine's number for its PID 1
	Age       string `json:"age,omitempty"`
}

// Part is one of the lab's own services.
type Part struct {
	Address string `json:"address"`
	Running bool   `json:"running"`
}

// Status looks at the lab; it needs no lock and changes nothing.
func (l *Lab) Status(ctx context.Context) (Status, error) {
	s := Status{Schema: 1, Name: l.name, State: "down", Cache: l.cache,
		Server: Part{Address: "[" + nameServer + "]:53, " + proxyURL, Running: l.alive()}, ACME: Part{Address: acmeURL}}
	if s.Server.Running {
		s.State = "up"
	} else if left, err := l.Leftovers(); err != nil {
		return s, err
	} else if len(left) > 0 {
		s.State = "broken"
	}
	var f facts
	if data, err := os.ReadFile(l.state("lab.json")); err == nil && json.Unmarshal(data, &f) == nil {
		s.Started, s.Age, s.Memory, s.Cache = &f.Started, age(f.Started), f.Memory, f.Cache
	}
	if z, err := readZone(l.state("dns.json")); err == nil {
		s.DNS = z.Mode
	}
	if _, err := os.Stat(l.state("acme", "issued-root.pem")); err == nil {
		s.ACME.Running = s.Server.Running
	}
	if s.State == "down" {
		s.Hosts = []HostStatus{}
		return s, nil
	}
	s.Hosts = make([]HostStatus, len(bootable()))
	var wg sync.WaitGroup
	for i, n := range bootable() {
		wg.Go(func() { s.Hosts[i] = l.hostStatus(ctx, n) })
	}
	wg.Wait()
	return s, nil
}

func (l *Lab) hostStatus(ctx context.Context, n node) HostStatus {
	h := HostStatus{Name: n.name, Address: n.address.String(), State: "off"}
	pid, err := l.hostPID(n.name)
	if err != nil {
		return h
	}
	h.PID = pid
	h.State = l.hostState(ctx, n.name)
	if st, err := os.Stat(l.host(n.name, "nspawn.pid")); err == nil {
		h.Age = age(st.ModTime())
	}
	// Its own view of /proc has just its own processes.
	entries, _ := os.ReadDir(filepath.Join("/proc", strconv.Itoa(pid), "root/proc"))
	for _, e := range entries {
		if strings.Trim(e.Name(), "0123456789") == "" {
			h.Processes++
		}
	}
	return h
}

func age(since time.Time) string { return time.Since(since).Round(time.Second).String() }

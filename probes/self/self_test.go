package self

import (
	"context"
	"io/fs"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"watchdog/probes/host"
	"watchdog/probes/host/hosttest"
	"watchdog/probes/probetest"
)

// TestEvents is not the suite's: what it looks at is not on the machine, and
// without a daemon well is the answer.
func TestEvents(t *testing.T) {
	lost := map[string]string{"unit": "listen to systemd: the bus is gone", "file": "watch files: fs.inotify.max_user_watches is 0"}
	for name, c := range map[string]struct {
		opts []hosttest.Option
		want []string
	}{
		"no daemon":    {nil, nil},
		"all is heard": {[]hosttest.Option{hosttest.Vitals(host.Vitals{})}, nil},
		"two are lost": {[]hosttest.Option{hosttest.Vitals(host.Vitals{Lost: lost})}, []string{
			"self.events-lost file watch files: fs.inotify.max_user_watches is 0",
			"self.events-lost unit listen to systemd: the bus is gone",
		}},
	} {
		t.Run(name, func(t *testing.T) {
			h := hosttest.New(c.opts...)
			for range 3 { // a map has no order
				found, err := Events{}.Observe(t.Context(), h)
				if err != nil {
					t.Fatal(err)
				}
				var got []string
				for _, f := range found {
					got = append(got, string(f.Code)+" "+f.Subject+" "+f.Evidence[0].Got)
				}
				if d := cmp.Diff(c.want, got); d != "" {
					t.Errorf("found (-want +got):\n%s", d)
				}
			}
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			if found, err := (Events{}).Observe(ctx, h); err == nil || len(found) > 0 {
				t.Errorf("with a cancelled context: %v, %v", found, err)
			}
		})
	}
}

const dir = host.StateDir

func state(mode fs.FileMode, owner string) hosttest.Option {
	return hosttest.Node(dir, &host.Node{Mode: fs.ModeDir | mode, Owner: owner, Group: owner})
}

func TestState(t *testing.T) {
	mine := state(0o700, "root")
	usage := func(u host.Usage) hosttest.Option { return hosttest.Usage(dir, u) }
	probetest.Suite{
		Probe: State{Dir: dir},
		Cases: map[string]probetest.Case{
			"well":        {Host: []hosttest.Option{mine}},
			"read-only":   {Host: []hosttest.Option{mine, usage(host.Usage{Size: 1 << 30, Free: 1 << 29, RootFree: 1 << 29, ReadOnly: true})}, Want: []string{"self.state-unwritable " + dir}, Says: []string{"read-only", "findmnt -T " + dir}},
			"full":        {Host: []hosttest.Option{mine, usage(host.Usage{Size: 1 << 30})}, Want: []string{"self.state-unwritable " + dir}, Says: []string{"0 KiB free"}},
			"for root":    {Host: []hosttest.Option{mine, usage(host.Usage{Size: 1 << 30, RootFree: 50 << 20})}},
			"no inodes":   {Host: []hosttest.Option{mine, usage(host.Usage{Size: 1 << 30, RootFree: 1 << 29, Files: 100, Spare: 3})}, Want: []string{"self.state-unwritable " + dir}, Says: []string{"3 inodes left"}},
			"a file":      {Host: []hosttest.Option{hosttest.File(dir, "")}, Want: []string{"self.state-unwritable " + dir}, Says: []string{"no directory"}},
			"open":        {Host: []hosttest.Option{state(0o777, "root")}, Want: []string{"self.state-unwritable " + dir}, Says: []string{"0777"}},
			"given away":  {Host: []hosttest.Option{state(0o700, "keycloak")}, Want: []string{"self.state-unwritable " + dir}, Says: []string{"keycloak, not root"}},
			"well, runs":  {Host: []hosttest.Option{mine, hosttest.Vitals(host.Vitals{})}},
			"ledger lost": {Host: []hosttest.Option{mine, hosttest.Vitals(host.Vitals{Ledger: "set aside as ledger.corrupt-1"})}, Want: []string{"self.state-unwritable " + dir + "/ledger"}, Says: []string{"ledger.corrupt-1"}},
			"both": {Host: []hosttest.Option{mine, usage(host.Usage{Size: 1 << 30}), hosttest.Vitals(host.Vitals{Ledger: "no space left on device"})},
				Want: []string{"self.state-unwritable " + dir}},
		},
	}.Run(t)
}

func TestJournal(t *testing.T) {
	const (
		file   = dir + "/journal/nginx.conf.json"
		writer = `{"writer":{"pid":77,"start":4711,"at":"2026-11-23T11:50:00Z"},"records":[]}`
	)
	stat := func(pid, state, start string) hosttest.Option {
		return hosttest.File("/proc/"+pid+"/stat", pid+" (a) b) "+state+" 1 1 1 0 -1 4194304 1 0 0 0 1 1 0 0 20 0 8 0 "+start+" 1000 100\n")
	}
	// up says when the host came up: the first process began 2 s after the kernel.
	up := func(at time.Time) hosttest.Option {
		return func(m *hosttest.Machine) {
			hosttest.File("/proc/stat", "cpu 1 2 3\nbtime "+strconv.FormatInt(at.Unix()-2, 10)+"\n")(m)
			stat("1", "S", "200")(m)
		}
	}
	long := up(hosttest.Noon.Add(-time.Hour))
	by := func(text string) hosttest.Option { return hosttest.File(file, text) }
	left := []string{"self.left-undone nginx.conf"}
	probetest.Suite{
		Probe:      Journal{Dir: dir + "/journal"},
		BareIsWell: "nothing was ever begun there",
		Cases: map[string]probetest.Case{
			"nothing at work":   {Host: []hosttest.Option{hosttest.Dir(dir + "/journal")}},
			"at work":           {Host: []hosttest.Option{by(writer), long, stat("77", "S", "4711")}},
			"its writer died":   {Host: []hosttest.Option{by(writer), long}, Want: left, Says: []string{"process 77"}},
			"is not buried":     {Host: []hosttest.Option{by(writer), long, stat("77", "Z", "4711")}, Want: left},
			"number used again": {Host: []hosttest.Option{by(writer), long, stat("77", "S", "4712")}, Want: left},
			"before a boot":     {Host: []hosttest.Option{by(writer), up(hosttest.Noon.Add(-time.Minute)), stat("77", "S", "4711")}, Want: left},
			"nobody at work":    {Host: []hosttest.Option{by(`{"writer":{},"records":[{"verb":"restart","unit":"nginx.service"}]}`)}, Want: left},
			"an earlier form":   {Host: []hosttest.Option{by(`[{"verb":"restart","unit":"nginx.service"}]`)}, Want: left, Says: []string{"not known"}},
			"torn":              {Host: []hosttest.Option{by(`{"wri`)}, Want: left},
			"set aside":         {Host: []hosttest.Option{hosttest.File(file+".corrupt", "{"), hosttest.File(dir+"/journal/.nginx.conf.json123", "")}},
		},
	}.Run(t)
}

package remedytest_test

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"watchdog/probes/host"
	"watchdog/probes/host/hosttest"
	"watchdog/remedies"
	"watchdog/remedies/remedytest"
)

// A good remedy has everything that a plan can be made of: a step, files and
// directories that come, change and go, a kernel parameter, a gate, a service
// that is new, one that runs and one that doesn't, and rules in the kernel.
type good struct{}

func (good) Spec() remedies.Spec {
	return remedies.Spec{ID: "test.good", Summary: "do some of everything", Timeout: time.Minute}
}

const (
	conf   = "/etc/nginx/nginx.conf"
	accept = "/proc/sys/net/ipv6/conf/eth0/accept_ra"
	unit   = "/etc/systemd/system/own.service"
	rules  = "/etc/edge/rules.nft"
)

func (good) Plan(ctx context.Context, h *host.Host) (remedies.Plan, error) {
	var p remedies.Plan
	step := remedies.Packages{Names: []string{"nginx-light"}}
	done, err := step.Done(ctx, h)
	if err != nil {
		return p, err
	}
	if !done {
		p.Steps = append(p.Steps, step)
	}
	secret, err := h.Secret("keycloak-db")
	if err != nil {
		return p, err
	}
	for _, w := range []struct {
		path string
		want *host.Node
	}{
		{"/etc/edge", remedies.Directory("root", "root", 0o750)},
		{rules, remedies.File([]byte("table inet edge\n"), "root", "root", 0o644)},
		{conf, remedies.File([]byte("listen [::]:443;\n# "+secret.Reveal()+"\n"), "www-data", "adm", 0o640)},
		{accept, remedies.File([]byte("0\n"), "root", "root", 0o644)},
		{"/etc/nginx/default", nil},
		{"/etc/nginx/current", remedies.Link("../nginx-1.22")},
		{unit, remedies.File([]byte("[Service]\nExecStart=/bin/true\n"), "root", "root", 0o644)},
	} {
		edits, err := remedies.Converge(h, w.path, w.want, secret)
		if err != nil {
			return p, err
		}
		p.Edits = append(p.Edits, edits...)
	}
	if len(p.Edits) == 0 {
		return p, nil
	}
	p.Gates = []remedies.Gate{remedies.Call{Command: remedies.Command{Name: "nginx-test"}, What: "ask nginx -t"}}
	p.Effects = []remedies.Effect{
		remedies.Do{Verb: remedies.Reread},
		remedies.Do{Verb: remedies.Enable, Unit: "own.service"},
		remedies.Do{Verb: remedies.Start, Unit: "own.service"},
		remedies.Do{Verb: remedies.Reload, Unit: "nginx.service"},
		remedies.Do{Verb: remedies.Restart, Unit: "idle.service"},
		loadRules{},
	}
	return p, nil
}

// loadRules loads the file, or takes the rules out when it is gone.
type loadRules struct{}

func (loadRules) String() string                                { return "load the rules" }
func (loadRules) Settled(_ context.Context, _ *host.Host) error { return nil }
func (loadRules) Do(ctx context.Context, w remedies.Hands) error {
	_, err := w.Run(ctx, remedies.Command{Name: "nft-load", Args: []string{rules}})
	return err
}

func machine() *remedytest.Machine {
	m := remedytest.New(
		hosttest.Node(conf, remedies.File([]byte("listen 443;\n"), "www-data", "adm", 0o604)),
		hosttest.File(accept, "1\n"),
		hosttest.Link("/etc/nginx/default", "available/default"),
		hosttest.Link("/etc/nginx/current", "../nginx-1.18"),
		hosttest.Unit("nginx.service", host.Running),
		hosttest.Unit("other.service", host.Running),
		hosttest.Service(host.Unit{Name: "idle.service", State: host.Stopped}),
		hosttest.Node(host.SecretDir+"/keycloak-db", remedies.File([]byte("s3cret-of-the-database"), "root", "root", 0o600)),
	)
	m.Handle("nft-load", func(remedies.Command) ([]byte, error) {
		n := m.Get(rules)
		if n == nil {
			n = &host.Node{}
		}
		m.SetValue("nft", string(n.Data))
		return nil, nil
	})
	return m
}

func TestSuitePassesAGoodRemedy(t *testing.T) {
	m := machine()
	before := m.State()
	remedytest.Suite(t, good{}, m)
	if len(m.Calls()) != 0 || !m.Get(conf).Equal(before.Nodes[conf]) {
		t.Error("the machine is not as it was given")
	}
}

// A bad remedy is the good one with its plan spoiled.
type bad struct {
	good
	spoil func(p *remedies.Plan, h *host.Host)
}

func (b bad) Plan(ctx context.Context, h *host.Host) (remedies.Plan, error) {
	p, err := b.good.Plan(ctx, h)
	if err == nil && b.spoil != nil {
		b.spoil(&p, h)
	}
	return p, err
}

// An edit is a Write that compares nothing (blind), swallows errors (deaf),
// swallows those of its undo (silent), or can't be undone (one way).
type edit struct {
	remedies.Write
	kind string
}

func (e edit) Do(ctx context.Context, w remedies.Hands) error {
	switch e.kind {
	case "blind":
		now := w.(*remedytest.Machine).Get(e.Path)
		return w.Write(ctx, e.Path, now, e.New)
	case "deaf":
		_ = e.Write.Do(ctx, w)
		return nil
	}
	return e.Write.Do(ctx, w)
}

func (e edit) Undo(ctx context.Context, w remedies.Hands) error {
	switch e.kind {
	case "one way":
		return nil
	case "silent":
		_ = e.Write.Undo(ctx, w)
		return nil
	}
	return e.Write.Undo(ctx, w)
}

// once is an effect that can't be repeated.
type once struct{ did bool }

func (*once) String() string                                { return "reload, but once" }
func (*once) Settled(_ context.Context, _ *host.Host) error { return nil }
func (e *once) Do(ctx context.Context, w remedies.Hands) error {
	if e.did {
		return nil
	}
	e.did = true
	return w.Service(ctx, "nginx.service", remedies.Reload)
}

// half is a step of two things that looks only for the first.
type half struct{}

func (half) String() string { return "make a user and a group" }
func (half) Done(ctx context.Context, h *host.Host) (bool, error) {
	return remedies.CreateUser{Name: "first"}.Done(ctx, h)
}
func (half) Do(ctx context.Context, w remedies.Hands, _ *host.Host) error {
	_, err := w.Run(ctx, remedies.Command{Name: "user-add", Args: []string{"first", "/first"}})
	if err == nil {
		_, err = w.Run(ctx, remedies.Command{Name: "group-add", Args: []string{"second"}})
	}
	return err
}

func each(kind string) func(*remedies.Plan, *host.Host) {
	return func(p *remedies.Plan, _ *host.Host) {
		for i, e := range p.Edits {
			if e.(remedies.Write).Path == conf {
				p.Edits[i] = edit{e.(remedies.Write), kind}
			}
		}
	}
}

func TestSuiteFindsBadRemedies(t *testing.T) {
	n := 0
	tests := map[string]struct {
		r    remedies.Remedy
		want string
	}{
		"nothing to do": {bad{spoil: func(p *remedies.Plan, _ *host.Host) { *p = remedies.Plan{} }}, "it has nothing to do on this machine"},
		"never done": {bad{spoil: func(p *remedies.Plan, _ *host.Host) {
			p.Effects = append(p.Effects, remedies.Do{Verb: remedies.Reread})
		}}, "a plan follows that is not empty"},
		"plans by chance": {bad{spoil: func(p *remedies.Plan, _ *host.Host) {
			n++
			p.Effects = append(p.Effects, remedies.Call{What: fmt.Sprint("effect ", n)})
		}}, "a second plan differs"},
		"secret in the diff": {bad{spoil: func(p *remedies.Plan, h *host.Host) {
			for i, e := range p.Edits {
				w := e.(remedies.Write)
				w.Hide = nil
				p.Edits[i] = w
			}
		}}, "the plan holds a secret"},
		"secret in an argument": {bad{spoil: func(p *remedies.Plan, h *host.Host) {
			secret, _ := h.Secret("keycloak-db")
			if len(p.Edits) > 0 {
				p.Effects = append(p.Effects, remedies.Call{What: "x", Command: remedies.Command{Name: "group-add", Args: []string{secret.Reveal()}}})
			}
		}}, "a call holds a secret"},
		"command of its own": {bad{spoil: func(p *remedies.Plan, h *host.Host) {
			if len(p.Edits) > 0 {
				p.Effects = append(p.Effects, remedies.Call{What: "x", Command: remedies.Command{Name: "sh"}})
			}
		}}, "not on the list of commands"},
		"reverted": {bad{spoil: each("one way")}, "after the revert not as before"},
		"reloads once": {bad{spoil: func(p *remedies.Plan, _ *host.Host) {
			if len(p.Effects) > 0 {
				p.Effects = append([]remedies.Effect{&once{}}, p.Effects[5:]...)
			}
		}}, "service nginx.service runs with /etc/nginx/nginx.conf"},
		"takes half for the whole": {bad{spoil: func(p *remedies.Plan, h *host.Host) {
			if done, _ := (half{}).Done(context.Background(), h); !done {
				p.Steps = append(p.Steps, half{})
			}
		}}, "finished otherwise by another run"},
		"not undone": {bad{spoil: each("one way")}, "not as before"},
		"overwrites": {bad{spoil: each("blind")}, "want ErrStale"},
		"hides that it is not undone": {bad{spoil: func(p *remedies.Plan, _ *host.Host) {
			for i, e := range p.Edits {
				p.Edits[i] = edit{e.(remedies.Write), "silent"}
			}
			p.Effects = nil
		}}, "want also that it could not be put back"},
		"hides failures": {bad{spoil: each("deaf")}, "no error, but not all is done"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if got := failures(t, tt.r); !strings.Contains(got, tt.want) {
				t.Errorf("Suite said:\n%s\nwant: %s", got, tt.want)
			}
		})
	}
}

// failures runs Suite as a test of its own and returns what it said, "" when
// it passed.
func failures(t *testing.T, r remedies.Remedy) string {
	t.Helper()
	out, err := os.CreateTemp(t.TempDir(), "out")
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	stdout := os.Stdout
	os.Stdout = out
	ok := testing.RunTests(func(string, string) (bool, error) { return true, nil }, []testing.InternalTest{
		{Name: "Suite", F: func(t *testing.T) { remedytest.Suite(t, r, machine()) }},
	})
	os.Stdout = stdout
	if ok {
		return ""
	}
	said, err := os.ReadFile(out.Name())
	if err != nil {
		t.Fatal(err)
	}
	return string(said)
}

package lab

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/google/go-cmp/cmp"
)

func TestSite(t *testing.T) {
	var site struct {
		Domain string
		Hosts  map[string]struct {
			Address string
			Roles   []string
		}
		ACME struct{ Server string }
	}
	if err := yaml.UnmarshalWithOptions(Site(), &site, yaml.Strict()); err != nil {
		t.Fatalf("%v\n%s", err, Site())
	}
	if site.Domain != Domain || site.ACME.Server != acmeURL || len(site.Hosts) != 2 {
		t.Errorf("site: %+v", site)
	}
	for name, role := range map[string]string{"idp": "keycloak", "homer": "ollama"} {
		h := site.Hosts[name]
		if _, err := netip.ParseAddr(h.Address); err != nil || !slices.Equal(h.Roles, []string{role}) {
			t.Errorf("%s: %+v, %v", name, h, err)
		}
	}
}

func TestOptions(t *testing.T) {
	for _, name := range []string{"a-b", "A", "1x", "../x", strings.Repeat("a", 21)} {
		var r *Refusal
		if _, err := describe(Options{Name: name}); !errors.As(err, &r) {
			t.Errorf("name %q: %v", name, err)
		}
	}
	if _, err := describe(Options{Cache: "/a:b"}); err == nil {
		t.Error("a cache directory that overlayfs cannot be told of")
	}
	t.Setenv(cacheVariable, "/from/environment")
	l, err := describe(Options{})
	if err != nil || l.name != DefaultName || l.cache != "/from/environment" {
		t.Errorf("defaults: %+v, %v", l, err)
	}
	if l, _ := describe(Options{Cache: "/told"}); l.cache != "/told" {
		t.Errorf("cache: %s", l.cache)
	}
	if got := l.typed("lab up"); got != "sudo watchdog lab up" {
		t.Errorf("advice: %s", got)
	}
}

func TestMayRun(t *testing.T) {
	site := filepath.Join(t.TempDir(), "site.yaml")
	if err := mayRun(site); err != nil {
		t.Errorf("no site: %v", err)
	}
	os.WriteFile(site, nil, 0o644)
	var r *Refusal
	if err := mayRun(site); !errors.As(err, &r) || !strings.Contains(err.Error(), site) || r.ExitCode() != 2 {
		t.Errorf("a site: %v", err)
	}
}

func TestLockNamesItsHolder(t *testing.T) {
	l, _ := describe(Options{Cache: t.TempDir()})
	unlock, err := l.lock(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := l.lock(context.Background()); err == nil || !strings.Contains(err.Error(), fmt.Sprintf("process %d", os.Getpid())) {
		t.Errorf("second lock: %v", err)
	}
	other, _ := describe(Options{Cache: l.cache, Name: "second"})
	if again, err := other.lock(context.Background()); err != nil {
		t.Errorf("another lab: %v", err)
	} else {
		again()
	}
	unlock()
	if again, err := l.lock(context.Background()); err != nil {
		t.Errorf("after unlock: %v", err)
	} else {
		again()
	}
}

const mountinfo = `22 1 254:0 / / rw,relatime - ext4 /dev/vda rw,discard
30 22 0:26 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755
31 30 0:27 / /sys/fs/cgroup/systemd rw,relatime - cgroup cgroup rw,name=systemd
32 30 0:28 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory
33 30 0:29 / /sys/fs/cgroup/unified rw,relatime shared:4 - cgroup2 cgroup2 rw
40 22 0:40 / /var/lib/watchdog-lab/lab rw,relatime - tmpfs lab rw,size=1k
41 40 0:41 / /var/lib/watchdog-lab/lab/hosts/idp/root rw - overlay lab rw,lowerdir=/var/cache/watchdog-lab/rootfs/bare,upperdir=/x
42 22 0:42 / /var/lib/watchdog-lab/lab2 rw,relatime - tmpfs lab rw
43 22 0:43 / /mnt/with\040blank\134 rw - tmpfs lab rw
torn line
`

func TestParseMounts(t *testing.T) {
	list := parseMounts(mountinfo)
	if len(list) != 9 || list[8].point != `/mnt/with blank\` {
		t.Fatalf("mounts: %+v", list)
	}
	want := []string{"/sys/fs/cgroup/systemd", "/sys/fs/cgroup/unified"}
	if d := cmp.Diff(want, controlGroupRoots(list)); d != "" {
		t.Error(d)
	}
	for path, want := range map[string]bool{
		"/var/lib/watchdog-lab/lab": true, "/var/lib/watchdog-lab/lab/hosts/idp/root": true,
		"/var/lib/watchdog-lab/lab2": false, "/var/lib/watchdog-lab": false,
	} {
		if below(path, "/var/lib/watchdog-lab/lab") != want {
			t.Errorf("below %s: %t", path, !want)
		}
	}
}

func TestTraces(t *testing.T) {
	l, _ := describe(Options{})
	tr := l.traces()
	tr.namespaces = map[string]bool{"net:[42]": true}
	for _, c := range []struct {
		what, environ, cgroup, netns string
		want                         bool
	}{
		{"marker", "A=1\x00WATCHDOG_LAB=lab\x00", "", "", true},
		{"marker of another lab", "WATCHDOG_LAB=lab2\x00", "", "", false},
		{"the cache's variable", "WATCHDOG_LAB_CACHE=lab\x00", "", "", false},
		{"namespace", "", "", "net:[42]", true},
		{"another namespace", "", "", "net:[43]", false},
		{"control group", "", "9:name=systemd:/watchdog-lab.lab/idp/payload/system.slice\n0::/\n", "", true},
		{"control group of another lab", "", "0::/watchdog-lab.lab2/idp\n", "", false},
		{"nothing", "", "", "", false},
	} {
		if tr.match(c.environ, c.cgroup, c.netns) != c.want {
			t.Errorf("%s: %t", c.what, !c.want)
		}
	}
}

func TestParseProc(t *testing.T) {
	name, state, parent := parseStat("123 (a (b) c) S 45 1 1 0")
	if name != "a (b) c" || state != "S" || parent != 45 {
		t.Errorf("stat: %q %q %d", name, state, parent)
	}
	if _, state, _ := parseStat(""); state != "" {
		t.Error("empty stat")
	}
	if !isInit("Name:\tsystemd\nNSpid:\t500\t1\n") || isInit("NSpid:\t1\n") || isInit("NSpid:\t500\t12\n") || isInit("") {
		t.Error("PID 1 of a host")
	}
	if got := parseMemAvailable("MemTotal: 9 kB\nMemAvailable:   2048 kB\n"); got != 2<<20 {
		t.Errorf("MemAvailable: %d", got)
	}
	if list := ancestors(os.Getpid()); list[0] != os.Getpid() || list[1] != os.Getppid() {
		t.Errorf("ancestors: %v", list)
	}
}

func TestSummary(t *testing.T) {
	got := summary([]string{"process 1 (nginx)", "process 2 (nginx)", "process 3 (systemd)", "mount /x", "namespace lab-idp"})
	if want := "\n    processes: nginx ×2, systemd\n    mount /x\n    namespace lab-idp"; got != want {
		t.Errorf("%q", got)
	}
}

func TestCutRules(t *testing.T) {
	n, _ := findNode("idp")
	if all := cutRules(n, 0); strings.Contains(all, "dport") || strings.Count(all, " drop\n") != 6 {
		t.Errorf("all: %s", all)
	}
	if one := cutRules(n, 443); strings.Count(one, "th dport 443 drop\n") != 6 {
		t.Errorf("one port: %s", one)
	}
	var r *Refusal
	if _, err := findNode("nobody"); !errors.As(err, &r) {
		t.Errorf("unknown host: %v", err)
	}
}

func TestPutFile(t *testing.T) {
	root := t.TempDir()
	for i, want := range []bool{true, false} {
		changed, err := putIfOther(root, "/etc/x/y", []byte("text"), 0o640)
		if err != nil || changed != want {
			t.Errorf("put %d: %t, %v", i, changed, err)
		}
	}
	st, err := os.Stat(filepath.Join(root, "etc/x/y"))
	if err != nil || st.Mode() != 0o640 {
		t.Errorf("%v, %v", st, err)
	}
	if left, _ := filepath.Glob(filepath.Join(root, "etc/x/*.lab-new")); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}

func TestBareVersion(t *testing.T) {
	before := bareVersion()
	if before != bareVersion() {
		t.Fatal("not the same twice")
	}
	old := barePackages
	defer func() { barePackages = old }()
	barePackages = append(slices.Clone(old), "nano")
	if bareVersion() == before {
		t.Error("another recipe has the same version")
	}
}

func TestTail(t *testing.T) {
	var x tail
	for i := range 2000 {
		fmt.Fprintf(&x, "line %d\n", i)
	}
	if x.last() != "line 1999" || len(x.buf) > tailSize || !bytes.Contains([]byte(x.quote()), []byte("line 1992\n")) {
		t.Errorf("%q", x.quote())
	}
}

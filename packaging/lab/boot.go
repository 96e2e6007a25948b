package lab

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"
)

// plenty of memory: where more is available, the hosts' changes are kept in it.
const plenty = 8 << 30

// facts is what a lab writes down about itself.
type facts struct {
	Started time.Time `json:"started"`
	Cache   string    `json:"cache"`
	Memory  bool      `json:"memory"`
}

// makeState makes the directory that dies with the lab, and in it a copy of the
// root file system for each host.
func (l *Lab) makeState() error {
	if err := os.MkdirAll(l.state(), 0o700); err != nil {
		return fmt.Errorf("make state directory: %w", err)
	}
	memory := !l.disk && memAvailable() > plenty
	if memory {
		size := "size=" + strconv.FormatInt(memAvailable()/2, 10) + ",mode=700"
		if err := unix.Mount("lab", l.state(), "tmpfs", 0, size); err != nil {
			return fmt.Errorf("mount tmpfs on %s: %w", l.state(), err)
		}
	} else if !l.disk {
		if err := os.WriteFile(l.state("nosync"), nil, 0o644); err != nil {
			return err
		}
	}
	data, err := json.Marshal(facts{Started: time.Now(), Cache: l.cache, Memory: memory})
	if err != nil {
		return err
	}
	if err := errors.Join(os.WriteFile(l.state("lab.json"), data, 0o644), writeZone(l.state("dns.json"), initialZone())); err != nil {
		return fmt.Errorf("make state directory: %w", err)
	}
	for _, n := range bootable() {
		if err := l.copyRoot(n); err != nil {
			return fmt.Errorf("prepare %s: %w", n.name, err)
		}
	}
	return nil
}

// copyRoot lays a host's own changes over the cached root file system.
func (l *Lab) copyRoot(n node) error {
	for _, d := range []string{"up", "work", "root"} {
		if err := os.MkdirAll(l.host(n.name, d), 0o755); err != nil {
			return err
		}
	}
	lower := l.cached("rootfs", bareVersion())
	if n.role == "keycloak" {
		lower = l.keycloakLayer() + ":" + lower
	}
	options := fmt.Sprintf("lowerdir=%s,upperdir=%s,workdir=%s", lower, l.host(n.name, "up"), l.host(n.name, "work"))
	if err := unix.Mount("lab", l.Root(n.name), "overlay", 0, options); err != nil {
		return fmt.Errorf("mount overlay: %w", err)
	}
	root := l.Root(n.name)
	return errors.Join(
		putFile(root, "etc/hostname", []byte(n.name+"\n"), 0o644),
		putFile(root, "etc/hosts", []byte("127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n"), 0o644),
		putFile(root, "etc/resolv.conf", []byte(resolvConf), 0o644),
	)
}

// startServer starts the background process and waits until it serves.
func (l *Lab) startServer(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	logFile, err := os.OpenFile(l.state("serve.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("start the lab's server: %w", err)
	}
	defer logFile.Close()
	program, err := l.program()
	if err != nil {
		return err
	}
	c := exec.Command(program, "lab", "serve", "--name", l.name, "--cache", l.cache)
	c.Dir, c.Env = "/", l.environ()
	c.Stdout, c.Stderr = logFile, logFile
	c.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := c.Start(); err != nil {
		return fmt.Errorf("start the lab's server: %w", err)
	}
	ended := make(chan error, 1)
	go func() { ended <- c.Wait() }()
	if err := os.WriteFile(l.state("serve.pid"), []byte(strconv.Itoa(c.Process.Pid)), 0o644); err != nil {
		return err
	}
	err = until(ctx, 20*time.Millisecond, func() (bool, error) {
		select {
		case err := <-ended:
			return false, fmt.Errorf("it ended: %v%s", err, l.logTail("serve.log"))
		default:
		}
		_, err := os.Stat(l.state("serve.ready"))
		return err == nil, nil
	})
	if err != nil {
		return fmt.Errorf("start the lab's server: %w; its log is %s", err, l.state("serve.log"))
	}
	return nil
}

// program is the watchdog binary that hosts get and that serves the lab.
func (l *Lab) program() (string, error) {
	if l.binary != "" {
		return l.binary, nil
	}
	name, err := os.Executable()
	if err != nil {
		return "", fmt.Errorf("find this program: %w", err)
	}
	return name, nil
}

func (l *Lab) logTail(elem ...string) string {
	f, err := os.Open(l.state(elem...))
	if err != nil {
		return ""
	}
	defer f.Close()
	var t tail
	_, _ = io.Copy(&t, f)
	return t.quote()
}

// awaitHosts waits until every host has booted.
func (l *Lab) awaitHosts(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	g, ctx := errgroup.WithContext(ctx)
	for _, n := range bootable() {
		g.Go(func() error {
			began := time.Now()
			state := ""
			err := until(ctx, 50*time.Millisecond, func() (bool, error) {
				state = l.hostState(ctx, n.name)
				return state == "running" || state == "degraded", nil
			})
			if err != nil {
				return fmt.Errorf("boot %s: %w, state %q%s", n.name, err, state, l.logTail("hosts", n.name, "console.log"))
			}
			l.say.line("%s: %s, %s, after %.1f s", n.name, state, n.address, time.Since(began).Seconds())
			return nil
		})
	}
	return g.Wait()
}

// hostState is what systemd in a host says of itself, or "off".
func (l *Lab) hostState(ctx context.Context, host string) string {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	var out bytes.Buffer
	if _, err := l.Exec(ctx, host, []string{"systemctl", "is-system-running"}, nil, &out, io.Discard); err != nil {
		if ctx.Err() != nil {
			return "hung"
		}
		return "off"
	}
	state := strings.TrimSpace(out.String())
	if state == "" {
		return "starting"
	}
	return state
}

// memAvailable is what the kernel says could be had without swapping.
func memAvailable() int64 {
	data, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return 0
	}
	return parseMemAvailable(string(data))
}

func parseMemAvailable(meminfo string) int64 {
	for line := range strings.Lines(meminfo) {
		if rest, ok := strings.CutPrefix(line, "MemAvailable:"); ok {
			kb, _ := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(rest), "kB")), 10, 64)
			return kb << 10
		}
	}
	return 0
}

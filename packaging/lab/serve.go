package lab

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/miekg/dns"
)

// rebootCode is how systemd-nspawn ends when the host reboots itself.
const rebootCode = 133

// server is the lab's one process in the background: name server, package proxy,
// and parent of the ACME server and of the hosts.
type server struct {
	*Lab
	log  *log.Logger
	wg   sync.WaitGroup
	ends chan struct{} // closed when the lab ends: nothing is started any more

	mu       sync.Mutex
	children map[string]*exec.Cmd
}

// Serve runs the background process of a lab until ctx ends or SIGTERM comes. It
// is started by Up; SIGHUP lets it start again what has ended.
func Serve(ctx context.Context, o Options) error {
	l, err := describe(o)
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	hup := make(chan os.Signal, 1)
	signal.Notify(hup, syscall.SIGHUP)
	s := &server{Lab: l, log: log.New(os.Stderr, "", log.LstdFlags), ends: make(chan struct{}), children: map[string]*exec.Cmd{}}
	if err := s.listen(); err != nil {
		return err
	}
	s.startAll()
	if err := s.fetchIssuingRoot(ctx); err != nil {
		s.stopAll()
		return err
	}
	if err := os.WriteFile(s.state("serve.ready"), nil, 0o644); err != nil {
		s.stopAll()
		return err
	}
	for {
		select {
		case <-ctx.Done():
			s.stopAll()
			return nil
		case <-hup:
			if s.startAll() {
				if err := s.fetchIssuingRoot(ctx); err != nil {
					s.log.Print(err)
				}
			}
		}
	}
}

// listen opens the sockets in the router's namespace; what is dialled later is
// dialled from this process's own.
func (s *server) listen() error {
	allowed, err := allowedHosts(aptDir)
	if err != nil {
		return err
	}
	var udp net.PacketConn
	var tcp, web net.Listener
	err = within(s.namespace(router), func() (err error) {
		if udp, err = net.ListenPacket("udp6", net.JoinHostPort(nameServer, "53")); err != nil {
			return err
		}
		if tcp, err = net.Listen("tcp6", net.JoinHostPort(nameServer, "53")); err != nil {
			return err
		}
		web, err = net.Listen("tcp6", net.JoinHostPort(serviceHub, "3142"))
		return err
	})
	if err != nil {
		return fmt.Errorf("listen in %s: %w", s.namespace(router), err)
	}
	zone := &zoneFile{path: s.state("dns.json")}
	proxy := &http.Server{Handler: newPackageProxy(allowed, s.cached("proxy"), machineAptProxy(), s.log), ReadHeaderTimeout: 10 * time.Second, ErrorLog: s.log}
	for what, run := range map[string]func() error{
		"name server (udp)": (&dns.Server{PacketConn: udp, Handler: zone}).ActivateAndServe,
		"name server (tcp)": (&dns.Server{Listener: tcp, Handler: zone}).ActivateAndServe,
		"package proxy":     func() error { return proxy.Serve(web) },
	} {
		go func() { s.log.Printf("%s: %v", what, run()) }()
	}
	return nil
}

// startAll starts what is not running, and tells whether the ACME server was.
func (s *server) startAll() (acme bool) {
	acme = s.start(child{
		name:  "pebble",
		begin: func() (*exec.Cmd, error) { return s.startPebble(s.log.Writer()) },
		ended: func() { _ = os.Remove(s.state("acme", "issued-root.pem")) },
	})
	for _, n := range bootable() {
		s.start(child{
			name:    n.name,
			reboots: true,
			begin:   func() (*exec.Cmd, error) { return s.startHost(n) },
			ended: func() {
				// Without its nspawn a host would live on and keep its ports.
				_ = os.Remove(s.host(n.name, "nspawn.pid"))
				killGroup(s.controlGroups(n.name))
			},
		})
	}
	return acme
}

// child is a process that the server starts and watches.
type child struct {
	name    string
	reboots bool // begins again at once when it ends with rebootCode
	begin   func() (*exec.Cmd, error)
	ended   func() // puts away what stood for it
}

// start keeps a child unless it is there, and tells whether it had to be started.
func (s *server) start(ch child) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.children[ch.name] != nil || s.ending() {
		return false
	}
	c, err := ch.begin()
	if err != nil {
		s.log.Print(err)
		return false
	}
	s.children[ch.name] = c
	s.wg.Go(func() {
		err := c.Wait()
		s.log.Printf("%s ended: %v", ch.name, err)
		ch.ended()
		s.mu.Lock()
		delete(s.children, ch.name)
		s.mu.Unlock()
		if ch.reboots && c.ProcessState.ExitCode() == rebootCode {
			s.start(ch)
		}
	})
	return true
}

func (s *server) ending() bool {
	select {
	case <-s.ends:
		return true
	default:
		return false
	}
}

// stopAll ends the children in order where that is quick: hosts power off, and
// after three seconds are thrown away as their files are going to be.
func (s *server) stopAll() {
	s.mu.Lock()
	close(s.ends)
	for name, c := range s.children {
		if err := c.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
			s.log.Printf("stop %s: %v", name, err)
		}
	}
	s.mu.Unlock()
	done := make(chan struct{})
	go func() { s.wg.Wait(); close(done) }()
	select {
	case <-done:
	case <-time.After(3 * time.Second):
		s.mu.Lock()
		for name, c := range s.children {
			killGroup(s.controlGroups(name))
			_ = c.Process.Kill()
		}
		s.mu.Unlock()
		<-done
	}
}

// intoGroups moves itself into control groups and becomes the program that follows.
const intoGroups = `n=$1; shift
while [ "$n" -gt 0 ]; do echo $$ >"$1/cgroup.procs" || exit 125; shift; n=$((n-1)); done
exec "$@"`

// startHost boots a host. Its control groups are its own: two systemds that share
// them would count each other's processes as their services'.
func (s *server) startHost(n node) (*exec.Cmd, error) {
	groups := s.controlGroups(n.name)
	args := []string{"-c", intoGroups, "sh", strconv.Itoa(len(groups))}
	for _, g := range groups {
		if err := os.MkdirAll(g, 0o755); err != nil {
			return nil, fmt.Errorf("make control group: %w", err)
		}
		args = append(args, g)
	}
	args = append(args, "systemd-nspawn", "--quiet", "--boot", "--register=no", "--keep-unit",
		"--machine="+s.namespace(n.name), "--hostname="+n.name, "--directory="+s.host(n.name, "root"),
		"--network-namespace-path="+netnsDir+"/"+s.namespace(n.name), "--resolv-conf=off", "--timezone=off",
		"--link-journal=no", "--capability=CAP_NET_ADMIN,CAP_NET_RAW", "--console=pipe")
	if _, err := os.Stat(s.state("nosync")); err == nil {
		args = append(args, "--suppress-sync=yes")
	}
	console, err := os.OpenFile(s.host(n.name, "console.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("boot %s: %w", n.name, err)
	}
	defer console.Close()
	c := exec.Command("sh", args...)
	c.Stdout, c.Stderr = console, console
	c.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	// net.* must be writable for the guide's sysctl step; the lock would leave a file.
	c.Env = append(s.environ(), "SYSTEMD_NSPAWN_API_VFS_WRITABLE=network", "SYSTEMD_NSPAWN_LOCK=0")
	if err := c.Start(); err != nil {
		return nil, fmt.Errorf("boot %s: %w", n.name, err)
	}
	return c, os.WriteFile(s.host(n.name, "nspawn.pid"), []byte(strconv.Itoa(c.Process.Pid)), 0o644)
}

// alive tells whether the lab's background process is running.
func (l *Lab) alive() bool {
	pid, err := l.serverPID()
	return err == nil && l.marked(pid)
}

func (l *Lab) serverPID() (int, error) {
	data, err := os.ReadFile(l.state("serve.pid"))
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(string(data))
}

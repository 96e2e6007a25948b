package nginx

import (
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"watchdog/probes/format/nginxconf"
	"watchdog/probes/host"
	"watchdog/probes/host/hosttest"
)

const statusFile = "/etc/nginx/conf.d/status.conf"

// stale is an NGINX that runs and listens on port 443 alone.
func stale(more ...hosttest.Option) []hosttest.Option {
	return append([]hosttest.Option{
		hosttest.Service(host.Unit{Name: "nginx.service", State: host.Running, PID: 10}),
		hosttest.Listeners(listener("[::]:443", true, 10, "nginx")),
	}, more...)
}

func listener(address string, v6only bool, pid int, program string) host.Listener {
	return host.Listener{Addr: netip.MustParseAddrPort(address), V6Only: v6only, PID: pid, Program: program}
}

// refusal is a line of NGINX's log, that long before noon.
func refusal(pid string, ago time.Duration) string {
	at := hosttest.Noon.Add(-ago).Local().Format("2006/01/02 15:04:05")
	return at + " [emerg] " + pid + "#" + pid + ": bind() to [::]:8081 failed (98: Address already in use)\n" +
		at + " [emerg] " + pid + "#" + pid + ": still could not bind()\n"
}

func TestRunning(t *testing.T) {
	const log = "/var/log/nginx/error.log"
	nginx := listener("[::]:443", true, 10, "nginx")
	squatter := listener("[::]:8081", false, 77, "python3")
	with := func(l ...host.Listener) hosttest.Option { return hosttest.Listeners(append(l, nginx)...) }
	said := func(text string) hosttest.Option { return hosttest.File(log, text) }
	written := func(ago time.Duration) hosttest.Option {
		return hosttest.Node(statusFile, &host.Node{Mode: 0o644, Owner: "root", Group: "root", ModTime: hosttest.Noon.Add(-ago)})
	}
	const person = "somebody asks for a reload: nobody has since the change of "
	for name, tt := range map[string]struct {
		listen string
		host   []hosttest.Option
		says   string // in its evidence; empty: well
		awaits string
	}{
		"well":                     {"[::]:8081", []hosttest.Option{with(listener("[::]:8081", true, 10, "nginx"))}, "", ""},
		"by a wildcard":            {"[2001:db8::1]:8081", []hosttest.Option{with(listener("[::]:8081", true, 10, "nginx"))}, "", ""},
		"for both families":        {"8081", []hosttest.Option{with(listener("[::]:8081", false, 10, "nginx"))}, "", ""},
		"of one family only":       {"8081", []hosttest.Option{with(listener("[::]:8081", true, 10, "nginx"))}, "nobody listens there", person},
		"somebody's, whose is hid": {"[::]:8081", []hosttest.Option{with(listener("[::]:8081", true, 0, ""))}, "", ""},
		"a path and a name":        {"unix:/run/x.sock; listen localhost:8081", nil, "", ""},
		"refused, still taken":     {"[::]:8081", []hosttest.Option{with(squatter), written(time.Hour), said(refusal("10", time.Minute))}, "taken by python3 (pid 77)", "port 8081 is free: python3 (pid 77) has it"},
		"taken on both":            {"8081", []hosttest.Option{with(squatter)}, "taken by python3 (pid 77)", "port 8081 is free: python3 (pid 77) has it"},
		"taken on another address": {"[2001:db8::1]:8081", []hosttest.Option{with(listener("[2001:db8::2]:8081", true, 77, "python3"))}, "nobody listens there", person},
		"refused, free now":        {"[::]:8081", []hosttest.Option{written(time.Hour), said("x\n" + refusal("10", time.Minute))}, "refused at ", ""},
		"refused in that second":   {"[::]:8081", []hosttest.Option{written(59500 * time.Millisecond), said(refusal("10", time.Minute))}, "refused at ", ""},
		"refused, changed since":   {"[::]:8081", []hosttest.Option{written(time.Second), said(refusal("10", time.Minute))}, "nobody listens there", person},
		"another process was":      {"[::]:8081", []hosttest.Option{written(time.Hour), said(refusal("9", time.Minute))}, "nobody listens there", person},
		"nobody reloaded":          {"[::]:8081", []hosttest.Option{written(time.Hour), said(strings.ReplaceAll(refusal("10", time.Minute), "emerg", "notice"))}, "nobody listens there", person},
		"no log":                   {"[::]:8081", []hosttest.Option{written(time.Hour)}, "nobody listens there", person},
		"a datagram's port":        {"8081 udp", nil, "", ""},
		"NGINX does not run":       {"[::]:8081", []hosttest.Option{hosttest.Unit("nginx.service", host.Failed)}, "", ""},
		"written through a link, then refused": {"[::]:8081", []hosttest.Option{
			hosttest.Link(statusFile, "../sites/status"), hosttest.Node("/etc/nginx/sites/status", &host.Node{Mode: 0o644, ModTime: hosttest.Noon.Add(-time.Second)}),
			said(refusal("10", time.Minute)),
		}, "nobody listens there", person},
	} {
		t.Run(name, func(t *testing.T) {
			config, err := nginxconf.Parse([]byte("# configuration file /etc/nginx/nginx.conf:\nhttp { include conf.d/*.conf; }\n# configuration file " + statusFile + ":\nserver { listen " + tt.listen + "; }\n"))
			if err != nil {
				t.Fatal(err)
			}
			found, err := running(t.Context(), hosttest.New(stale(tt.host...)...), config)
			if err != nil {
				t.Fatal(err)
			}
			if tt.says == "" {
				if len(found) > 0 {
					t.Errorf("found %+v", found)
				}
				return
			}
			if len(found) != 1 {
				t.Fatalf("found %+v", found)
			}
			var got strings.Builder
			for _, e := range found[0].Evidence {
				got.WriteString(e.Got + "; ")
			}
			if !strings.Contains(got.String(), tt.says) || !strings.HasPrefix(found[0].Awaits, tt.awaits) || (found[0].Awaits == "") != (tt.awaits == "") {
				t.Errorf("got %q, awaits %q", got.String(), found[0].Awaits)
			}
		})
	}
}

func TestRunningReadsTheLogThatIsSet(t *testing.T) {
	config, err := nginxconf.Parse([]byte("# configuration file /etc/nginx/nginx.conf:\nerror_log /srv/log/nginx warn;\nhttp { server { listen [::]:8081; } }\n"))
	if err != nil {
		t.Fatal(err)
	}
	found, err := running(t.Context(), hosttest.New(stale(hosttest.File("/srv/log/nginx", refusal("10", time.Minute)))...), config)
	if err != nil || len(found) != 1 || found[0].Awaits != "" {
		t.Errorf("found %+v, %v", found, err)
	}
	if _, err := running(t.Context(), hosttest.New(stale(hosttest.Unreadable("/etc/nginx", errors.New("torn")))...), config); err == nil {
		t.Error("a file that can't be looked at is no error")
	}
}

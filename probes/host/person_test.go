package host

import (
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// A desk is a made-up /proc, and the files that somebody may be at work on.
type desk struct {
	t               *testing.T
	proc, etc, home string
}

func newDesk(t *testing.T) *desk {
	t.Helper()
	root, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	d := &desk{t, root + "/proc", root + "/etc", root + "/home"}
	for _, dir := range []string{d.proc + "/sys", d.etc + "/nginx", d.home} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	d.write(d.etc+"/nginx/nginx.conf", "worker_processes 1;\n")
	return d
}

func (d *desk) write(name, data string) {
	d.t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		d.t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(data), 0o644); err != nil {
		d.t.Fatal(err)
	}
}

func (d *desk) link(target, name string) {
	d.t.Helper()
	if err := os.Symlink(target, name); err != nil {
		d.t.Fatal(err)
	}
}

// run adds a process. Its name holds what could be taken for the end of it.
func (d *desk) run(pid int, terminal bool, cwd string, argv ...string) {
	d.t.Helper()
	tty := 0
	if terminal {
		tty = 34816 // pts/0
	}
	dir := filepath.Join(d.proc, strconv.Itoa(pid))
	d.write(dir+"/stat", fmt.Sprintf("%d (a ) 0 0 b) S 1 %d %d %d %d 4194560 0 0", pid, pid, pid, tty, pid))
	d.write(dir+"/cmdline", strings.Join(argv, "\x00")+"\x00")
	d.link(cwd, dir+"/cwd")
}

// swap writes the swap file of vim or nano.
func (d *desk) swap(name, program string, pid int) {
	d.t.Helper()
	head := make([]byte, 1024)
	copy(head, "b0"+program)
	binary.LittleEndian.PutUint32(head[24:], uint32(pid))
	d.write(name, string(head))
}

func TestPersonAtWork(t *testing.T) {
	const pid = 70_000 // more than two bytes
	conf := func(d *desk) string { return d.etc + "/nginx/nginx.conf" }
	swap := func(d *desk, ext string) string { return d.etc + "/nginx/.nginx.conf." + ext }
	tests := []struct {
		name string
		make func(d *desk)
		want string // what is worked on: a unit, or "file"
	}{
		{"nobody", func(*desk) {}, ""},
		{"vi", func(d *desk) { d.run(pid, true, d.home, "vi", conf(d)) }, "file"},
		{"an editor by its path, with flags", func(d *desk) { d.run(pid, true, d.home, "/usr/bin/vim.basic", "+12", "-R", "--", conf(d)) }, "file"},
		{"the second of two files", func(d *desk) { d.run(pid, true, d.home, "nano", "/etc/motd", conf(d)) }, "file"},
		{"a relative path", func(d *desk) { d.run(pid, true, d.etc, "nano", "nginx/nginx.conf") }, "file"},
		{"a path with dots", func(d *desk) { d.run(pid, true, d.etc+"/nginx", "nano", "./../nginx/nginx.conf") }, "file"},
		{"the same name elsewhere", func(d *desk) { d.run(pid, true, d.home, "nano", "nginx.conf") }, ""},
		{"by a link to the file", func(d *desk) {
			d.link(conf(d), d.home+"/my.conf")
			d.run(pid, true, d.home, "nano", "my.conf")
		}, "file"},
		{"by a link to its directory", func(d *desk) {
			d.link(d.etc, d.home+"/etc")
			d.run(pid, true, d.home, "nano", "etc/nginx/nginx.conf")
		}, "file"},
		{"an editor without a terminal", func(d *desk) { d.run(pid, false, d.home, "ed", conf(d)) }, ""},
		{"another program that is given it", func(d *desk) { d.run(pid, true, d.home, "less", conf(d)) }, ""},
		{"an editor of another file", func(d *desk) { d.run(pid, true, d.home, "vi", "/etc/hosts") }, ""},
		{"sudoedit", func(d *desk) { d.run(pid, true, d.home, "sudoedit", conf(d)) }, "file"},
		{"sudo -e", func(d *desk) { d.run(pid, true, d.home, "sudo", "-e", conf(d)) }, "file"},
		{"sudo of something else", func(d *desk) { d.run(pid, true, d.home, "sudo", "cat", conf(d)) }, ""},
		{"a process that is gone", func(d *desk) { d.write(d.proc+"/123/other", "") }, ""},
		{"a kernel's thread", func(d *desk) {
			d.write(d.proc+"/2/stat", "2 (kthreadd) S 0 0 0 34816 -1")
			d.write(d.proc+"/2/cmdline", "")
		}, ""},

		{"systemctl edit", func(d *desk) { d.run(pid, true, d.home, "systemctl", "edit", "nginx") }, "nginx"},
		{"systemctl edit, by its whole name", func(d *desk) { d.run(pid, true, d.home, "systemctl", "edit", "nginx.service") }, "nginx.service"},
		{"systemctl edit with flags", func(d *desk) { d.run(pid, true, d.home, "/usr/bin/systemctl", "--no-pager", "edit", "--full", "nginx") }, "nginx"},
		{"systemctl restart of several", func(d *desk) { d.run(pid, true, d.home, "systemctl", "restart", "ssh", "nginx") }, "nginx"},
		{"systemctl of a pattern", func(d *desk) { d.run(pid, true, d.home, "systemctl", "stop", "ngin*") }, "ngin*"},
		{"systemctl of another unit", func(d *desk) { d.run(pid, true, d.home, "systemctl", "edit", "ssh") }, ""},
		{"systemctl status", func(d *desk) { d.run(pid, true, d.home, "systemctl", "status", "nginx") }, ""},
		{"systemctl alone", func(d *desk) { d.run(pid, true, d.home, "systemctl") }, ""},
		{"a timer's systemctl", func(d *desk) { d.run(pid, false, d.home, "systemctl", "reload", "nginx") }, ""},

		{"vim's swap file", func(d *desk) {
			d.run(pid, true, d.home, "vim")
			d.swap(swap(d, "swp"), "VIM 9.0", pid)
		}, "file"},
		{"the second swap file, the first of a crash", func(d *desk) {
			d.run(pid, true, d.home, "vim")
			d.swap(swap(d, "swp"), "VIM 9.0", 12)
			d.swap(swap(d, "swo"), "VIM 9.0", pid)
		}, "file"},
		{"nano's lock", func(d *desk) {
			d.run(pid, true, d.home, "nano")
			d.swap(swap(d, "swp"), "nano 7.2", pid)
		}, "file"},
		{"a swap file of a crash", func(d *desk) { d.swap(swap(d, "swp"), "VIM 9.0", pid) }, ""},
		{"a swap file of a process that is another by now", func(d *desk) {
			d.run(pid, false, d.home, "/usr/sbin/nginx")
			d.swap(swap(d, "swp"), "VIM 9.0", pid)
		}, ""},
		{"a swap file beside the file that a link means", func(d *desk) {
			if err := os.Rename(conf(d), d.home+"/real"); err != nil {
				d.t.Fatal(err)
			}
			d.link(d.home+"/real", conf(d))
			d.run(pid, true, d.home, "vim")
			d.swap(d.home+"/.real.swp", "VIM 9.0", pid)
		}, "file"},
		{"no swap file, by its name", func(d *desk) {
			d.run(pid, true, d.home, "vim")
			d.write(swap(d, "swp"), "b0")
			d.write(swap(d, "swo"), strings.Repeat("x", 28))
		}, ""},
		{"Emacs's lock", func(d *desk) {
			d.run(pid, true, d.home, "emacs")
			d.link(fmt.Sprintf("root@idp.example.org.%d:1767355200", pid), d.etc+"/nginx/.#nginx.conf")
		}, "file"},
		{"Emacs's lock of a crash", func(d *desk) {
			d.link(fmt.Sprintf("root@idp.example.org.%d:1767355200", pid), d.etc+"/nginx/.#nginx.conf")
		}, ""},
		{"a link that names no process", func(d *desk) { d.link("nobody", d.etc+"/nginx/.#nginx.conf") }, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := newDesk(t)
			d.run(1, false, "/", "/sbin/init")
			tt.make(d)
			got := personAtWork(d.proc, []string{"/nowhere/else", conf(d)}, []string{"nginx.service"})
			want := tt.want
			if want == "file" {
				want = conf(d)
			}
			if want != "" {
				want = "a person is at work on " + want + " ("
			}
			if want == "" && got != "" || !strings.HasPrefix(got, want) {
				t.Errorf("got %q, want %q", got, want)
			}
			if got != "" && !strings.HasSuffix(got, fmt.Sprintf(", process %d)", pid)) {
				t.Errorf("%q does not name the process", got)
			}
		})
	}
}

// A file that is not there yet is worked on by its name.
func TestAPersonMayBeWritingANewFile(t *testing.T) {
	d := newDesk(t)
	d.link(d.etc, d.home+"/etc")
	d.run(7, true, d.home+"/etc/nginx", "vi", "new.conf")
	if got := personAtWork(d.proc, []string{d.etc + "/nginx/new.conf"}, nil); !strings.Contains(got, "new.conf (vi, process 7)") {
		t.Errorf("got %q", got)
	}
}

func TestNothingToSeeIsNobody(t *testing.T) {
	if got := personAtWork(t.TempDir()+"/none", []string{"/etc/hosts"}, []string{"nginx.service"}); got != "" {
		t.Errorf("without /proc: %q", got)
	}
	// This test has no terminal of an editor's, whatever runs it.
	if got := PersonAtWork([]string{t.TempDir() + "/a"}, nil); got != "" {
		t.Errorf("of a file that nobody knows: %q", got)
	}
}

// This process is one of the real /proc.
func TestProcessesOfThisMachine(t *testing.T) {
	pids, err := processes("/proc")
	if err != nil || !slices.Contains(pids, os.Getpid()) || !slices.IsSorted(pids) {
		t.Errorf("%v, %v", pids, err)
	}
	if argv := commandLine(fmt.Sprintf("/proc/%d", os.Getpid())); !slices.Equal(argv, os.Args) {
		t.Errorf("this command line is read as %q", argv)
	}
}

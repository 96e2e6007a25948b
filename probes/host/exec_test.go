package host

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestRunRefuses(t *testing.T) {
	mark := t.TempDir() + "/mark"
	if _, err := (commands{}).Run(t.Context(), "touch", mark); err == nil || !strings.Contains(err.Error(), "not on the list") {
		t.Errorf("got %v, want a refusal", err)
	}
	if _, err := os.Stat(mark); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the command was run: %v", err)
	}
}

func TestRunRuns(t *testing.T) {
	t.Setenv("PLANTED", "1")
	out, err := (commands{}).Run(t.Context(), "getent", "ahosts", "::1")
	if err != nil || !strings.Contains(string(out), "STREAM") {
		t.Errorf("getent: %q, %v", out, err)
	}
	out, err = run(t.Context(), []string{"env"})
	if want := "PATH=/usr/sbin:/usr/bin:/sbin:/bin\nLANG=C.UTF-8\n"; err != nil || string(out) != want {
		t.Errorf("environment %q, %v; want %q", out, err, want)
	}
}

func TestRunTellsWhatWentWrong(t *testing.T) {
	tests := []struct {
		name, program  string
		status         int
		stdout, stderr string
		is             error
	}{
		{"exit status", "echo half; echo nginx: no >&2; exit 3", 3, "half\n", "nginx: no", nil},
		{"only the end of long complaints", "seq 100000 >&2; exit 1", 1, "", "100000", nil},
		{"too much output", "while echo xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx; do :; done", -1, "", "", nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			out, err := run(t.Context(), []string{"sh", "-c", tt.program})
			var e *CommandError
			if !errors.As(err, &e) {
				t.Fatalf("got %v, want a CommandError", err)
			}
			if e.Status != tt.status || !strings.HasSuffix(e.Stderr, tt.stderr) || len(e.Stderr) > maxStderr {
				t.Errorf("status %d, %d bytes of stderr; want %d, ending in %q", e.Status, len(e.Stderr), tt.status, tt.stderr)
			}
			if len(out) > maxOutput || !strings.HasPrefix(string(out), tt.stdout) {
				t.Errorf("%d bytes of output", len(out))
			}
			if tt.status == -1 && !strings.Contains(err.Error(), "more than 4 MiB") {
				t.Errorf("got %v", err)
			}
		})
	}
	_, err := run(t.Context(), []string{"no-such-program"})
	if !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "run no-such-program: no-such-program is not installed") {
		t.Errorf("missing program: %v", err)
	}
}

// A command that hangs is killed with its children, also when a child holds
// its output open.
func TestRunKillsTheGroup(t *testing.T) {
	pidFile := t.TempDir() + "/pid"
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	start := time.Now()
	_, err := run(ctx, []string{"sh", "-c", "sleep 60 & echo $! >" + pidFile + "; wait"})
	if took := time.Since(start); took > 2*time.Second {
		t.Errorf("took %s", took)
	}
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v, want the deadline", err)
	}
	data, err := os.ReadFile(pidFile)
	if err != nil {
		t.Fatal(err)
	}
	child, err := strconv.Atoi(strings.TrimSpace(string(data)))
	if err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(2 * time.Second); alive(child); {
		if time.Now().After(deadline) {
			t.Fatalf("process %d outlived its group", child)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// alive reports whether a process does more than wait for its parent's wait.
func alive(pid int) bool {
	if syscall.Kill(pid, 0) != nil {
		return false
	}
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	return err == nil && !strings.Contains(string(stat), ") Z ")
}

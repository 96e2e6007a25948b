package remedies

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"
	"time"

	"watchdog/probes/host"
)

// Packages is the step that installs packages by the distribution's names.
type Packages struct{ Names []string }

func (s Packages) String() string {
	if len(s.Names) == 1 {
		return "install package " + s.Names[0]
	}
	return "install packages " + strings.Join(s.Names, ", ")
}

// Done implements [Step]. A package counts when it is installed and configured.
func (s Packages) Done(_ context.Context, h *host.Host) (bool, error) {
	have, err := Installed(h)
	if err != nil {
		return false, err
	}
	for _, name := range s.Names {
		if !have[name] {
			return false, nil
		}
	}
	return true, nil
}

// Do implements [Step]. What an interrupted run left half done is finished
// first, or nothing could be installed. Lists that could not be brought up to
// date are told of only when the installation fails too: a broken third-party
// source should not keep out a package that another one has.
func (s Packages) Do(ctx context.Context, w Hands, _ *host.Host) error {
	if err := repair(ctx, w); err != nil {
		return err
	}
	_, stale := w.Run(ctx, Command{Name: "packages-update"})
	if errors.Is(stale, ErrBusy) {
		return stale
	}
	if _, err := w.Run(ctx, Command{Name: "packages-install", Args: s.Names}); err != nil {
		return errors.Join(err, stale)
	}
	return nil
}

// What a package manager that was killed had started (a package's script, a
// debconf) may outlive it for a while and hold its locks.
const (
	repairTries = 4
	repairPause = 5 * time.Second
)

// repair finishes what an interrupted run left half done. A package manager that
// is busy is said at once.
func repair(ctx context.Context, w Hands) (err error) {
	for try := range repairTries {
		if try > 0 {
			select {
			case <-ctx.Done():
				return errors.Join(err, ctx.Err())
			case <-time.After(repairPause):
			}
		}
		_, now := w.Run(ctx, Command{Name: "packages-repair"})
		if now == nil || errors.Is(now, ErrBusy) {
			return now
		}
		if ctx.Err() != nil { // what the end of the time cut short says nothing new
			return errors.Join(err, now)
		}
		err = now
	}
	return err
}

// dpkgStatus is dpkg's own record of packages.
const dpkgStatus = "/var/lib/dpkg/status"

// Installed returns the names of the packages that are installed and
// configured.
func Installed(h *host.Host) (map[string]bool, error) {
	if h.Facts.Packages != host.APT {
		return nil, fmt.Errorf("read the installed packages: no driver for package manager %q", h.Facts.Packages)
	}
	data, err := h.FS.ReadFile(dpkgStatus)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	have := map[string]bool{}
	name := ""
	lines := bufio.NewScanner(bytes.NewReader(data))
	lines.Buffer(nil, len(data)+1)
	for lines.Scan() {
		if p, ok := strings.CutPrefix(lines.Text(), "Package: "); ok {
			name = p
		}
		// want, error and status: "install ok installed", "hold ok installed"
		if st, ok := strings.CutPrefix(lines.Text(), "Status: "); ok && strings.HasSuffix(st, " ok installed") {
			have[name] = true
		}
	}
	return have, nil
}

// GenerateSecret is the step that makes a secret of the program's own: 32
// random bytes in URL-safe base64 without padding, which is also what
// oauth2-proxy takes as a cookie secret. One that exists is never replaced.
type GenerateSecret struct{ Name string }

func (s GenerateSecret) String() string { return "generate secret " + s.Name }

// Done implements [Step].
func (s GenerateSecret) Done(_ context.Context, h *host.Host) (bool, error) {
	secret, err := h.Secret(s.Name)
	return err == nil && !secret.Missing(), err
}

// Do implements [Step].
func (s GenerateSecret) Do(ctx context.Context, w Hands, h *host.Host) error {
	for _, dir := range []string{path.Dir(host.SecretDir), host.SecretDir} {
		n, err := h.FS.Node(dir)
		if err != nil {
			return err
		}
		if n != nil {
			continue
		}
		if err := w.Write(ctx, dir, nil, Directory("root", "root", 0o700)); err != nil {
			return err
		}
	}
	random := make([]byte, 32)
	// It never fails: the program ends first.
	_, _ = rand.Read(random)
	text := base64.RawURLEncoding.EncodeToString(random)
	return w.Write(ctx, host.SecretDir+"/"+s.Name, nil, File([]byte(text), "root", "root", 0o600))
}

// Unpack is the step that unpacks a pinned archive into a directory that does
// not exist yet. The directory appears whole or not at all, so that its being
// there is the proof.
type Unpack struct {
	Archive Archive
	Dir     string
}

func (s Unpack) String() string { return fmt.Sprintf("unpack %s into %s", s.Archive.Name, s.Dir) }

// Done implements [Step].
func (s Unpack) Done(_ context.Context, h *host.Host) (bool, error) {
	n, err := h.FS.Node(s.Dir)
	if err != nil || n == nil {
		return false, err
	}
	if !n.Mode.IsDir() {
		return false, fmt.Errorf("%s is not a directory", s.Dir)
	}
	return true, nil
}

// Do implements [Step].
func (s Unpack) Do(ctx context.Context, w Hands, _ *host.Host) error {
	return w.Unpack(ctx, s.Archive, s.Dir)
}

// CreateUser is the step that makes a system user and its group, for a service
// to run as. Nobody can log in as it, and its home is not created.
type CreateUser struct{ Name, Home string }

func (s CreateUser) String() string { return "create system user " + s.Name }

// Done implements [Step].
func (s CreateUser) Done(_ context.Context, h *host.Host) (bool, error) {
	for _, file := range []string{"/etc/passwd", "/etc/group"} {
		data, err := h.FS.ReadFile(file)
		if err != nil {
			return false, err
		}
		if !bytes.Contains(append([]byte("\n"), data...), []byte("\n"+s.Name+":")) {
			return false, nil
		}
	}
	return true, nil
}

// Do implements [Step].
func (s CreateUser) Do(ctx context.Context, w Hands, _ *host.Host) error {
	_, err := w.Run(ctx, Command{Name: "user-add", Args: []string{s.Name, s.Home}})
	return err
}

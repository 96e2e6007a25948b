package lab

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sync/errgroup"
)

const trustDir = "usr/local/share/ca-certificates"

// equip puts into the hosts what a user would have brought there: the site file,
// the program, and trust in the lab's two CAs. Done again, it only replaces what
// differs, so that a newly built program gets in by a second `lab up`.
func (l *Lab) equip(ctx context.Context) error {
	name, err := l.program()
	if err != nil {
		return err
	}
	program, err := os.ReadFile(name)
	if err != nil {
		return fmt.Errorf("read the program for the hosts: %w", err)
	}
	ca, err := os.ReadFile(l.state("acme", "lab-ca.pem"))
	if err != nil {
		return fmt.Errorf("read the lab's CA: %w", err)
	}
	issuer, err := os.ReadFile(l.state("acme", "issued-root.pem"))
	if err != nil {
		return fmt.Errorf("read the ACME server's issuing root: %w", err)
	}
	g, ctx := errgroup.WithContext(ctx)
	for _, n := range bootable() {
		g.Go(func() error {
			root := l.Root(n.name)
			if _, err := putIfOther(root, "usr/bin/watchdog", program, 0o755); err != nil {
				return err
			}
			if _, err := putIfOther(root, siteFile, Site(), 0o644); err != nil {
				return err
			}
			a, err := putIfOther(root, filepath.Join(trustDir, "lab-ca.crt"), ca, 0o644)
			if err != nil {
				return err
			}
			b, err := putIfOther(root, filepath.Join(trustDir, "lab-acme-issuer.crt"), issuer, 0o644)
			if err != nil || !a && !b {
				return err
			}
			return l.must(ctx, n.name, "update-ca-certificates")
		})
	}
	return g.Wait()
}

// must runs a command in a host that has no reason not to work.
func (l *Lab) must(ctx context.Context, host string, argv ...string) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	var out tail
	code, err := l.Exec(ctx, host, argv, nil, &out, &out)
	if err == nil && code != 0 {
		err = fmt.Errorf("run %s in %s: exit code %d%s", argv[0], host, code, out.quote())
	}
	return err
}

func putIfOther(root, name string, data []byte, mode os.FileMode) (changed bool, err error) {
	if same(filepath.Join(root, name), data) {
		return false, nil
	}
	return true, putFile(root, name, data, mode)
}

func same(path string, data []byte) bool {
	st, err := os.Stat(path)
	if err != nil || st.Size() != int64(len(data)) {
		return false
	}
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return false
	}
	want := sha256.Sum256(data)
	return bytes.Equal(h.Sum(nil), want[:])
}

package host

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

func TestSizeAndHash(t *testing.T) {
	dir := t.TempDir()
	file, link, pipe := filepath.Join(dir, "dump"), filepath.Join(dir, "link"), filepath.Join(dir, "pipe")
	data := make([]byte, maxFile+1) // more than is ever read whole
	if err := errors.Join(os.WriteFile(file, data, 0o600), os.Symlink("dump", link), syscall.Mkfifo(pipe, 0o600)); err != nil {
		t.Fatal(err)
	}
	f := newFiles()
	sum := sha256.Sum256(data)
	for _, name := range []string{file, link} {
		if n, err := f.Size(name); n != maxFile+1 || err != nil {
			t.Errorf("%s has %d bytes, %v", name, n, err)
		}
		if got, err := f.SHA256(t.Context(), name); got != hex.EncodeToString(sum[:]) || err != nil {
			t.Errorf("%s has hash %s, %v", name, got, err)
		}
	}
	for _, name := range []string{dir, pipe} {
		if _, err := f.Size(name); err == nil {
			t.Errorf("%s has a size", name)
		}
		if _, err := f.SHA256(t.Context(), name); err == nil {
			t.Errorf("%s has a hash", name)
		}
	}
	if _, err := f.Size(filepath.Join(dir, "none")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("of nothing: %v", err)
	}
	ended, end := context.WithCancel(t.Context())
	end()
	if _, err := f.SHA256(ended, file); !errors.Is(err, context.Canceled) {
		t.Errorf("after its time: %v", err)
	}
}

package hands

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path"
	"regexp"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"watchdog/remedies"
)

// artifacts is where archives are looked for before anything is downloaded.
const artifacts = "/var/cache/watchdog/artifacts"

// patArchive is what an archive may be called.
var patArchive = regexp.MustCompile(`\A[A-Za-z0-9][A-Za-z0-9._+-]*\z`)

// Unpack implements [remedies.Archives]. The file that is hashed is the one
// that is unpacked, by the same descriptor, and hashed again while it is: what
// is written into it meanwhile does not get through.
func (w *Hands) Unpack(ctx context.Context, a remedies.Archive, dir string) error {
	want, err := checkArchive(a)
	if err == nil {
		err = checkName(dir)
	}
	if err != nil {
		return fmt.Errorf("unpack %s: %w", a.Name, err)
	}
	if _, err := os.Lstat(w.path(dir)); !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("unpack %s: %s is there already", a.Name, dir)
	}
	f, err := w.artifact(ctx, a, want)
	if err != nil {
		return fmt.Errorf("unpack %s: %w", a.Name, err)
	}
	defer f.Close()
	if err := w.extractTo(ctx, f, want, dir); err != nil {
		return fmt.Errorf("unpack %s into %s: %w", a.Name, dir, err)
	}
	return nil
}

func checkArchive(a remedies.Archive) (sum []byte, err error) {
	if !patArchive.MatchString(a.Name) {
		return nil, errors.New("not a file name")
	}
	if u, err := url.Parse(a.URL); err != nil || u.Scheme != "https" || u.Host == "" {
		return nil, fmt.Errorf("its address %q is not one of https", a.URL)
	}
	sum, err = hex.DecodeString(a.SHA256)
	if err != nil || len(sum) != sha256.Size {
		return nil, fmt.Errorf("its SHA-256 %q is not one", a.SHA256)
	}
	return sum, nil
}

// artifact opens the archive, verified and at its beginning.
func (w *Hands) artifact(ctx context.Context, a remedies.Archive, want []byte) (*os.File, error) {
	name := path.Join(artifacts, a.Name)
	f, err := os.OpenFile(w.path(name), os.O_RDONLY|unix.O_NOFOLLOW, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return w.download(ctx, a, want)
	}
	if err != nil {
		return nil, err
	}
	sum := sha256.New()
	_, err = io.Copy(sum, reader{ctx, f})
	if err == nil {
		err = verify(sum, want)
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("%s: %w (remove it to have it downloaded)", name, err)
	}
	return f, rewind(f)
}

func rewind(f *os.File) error {
	_, err := f.Seek(0, io.SeekStart)
	return err
}

func verify(sum hash.Hash, want []byte) error {
	if got := sum.Sum(nil); string(got) != string(want) {
		return fmt.Errorf("its SHA-256 is %x, not the pinned %x", got, want)
	}
	return nil
}

// extractTo unpacks f beside dir and then gives it that name.
func (w *Hands) extractTo(ctx context.Context, f *os.File, want []byte, dir string) error {
	p, err := w.place(dir)
	if err != nil {
		return err
	}
	defer p.Close()
	root, err := os.OpenRoot(fmt.Sprintf("/proc/self/fd/%d", p.fd()))
	if err != nil {
		return err
	}
	defer root.Close()
	if err := sweepParts(root, p.base); err != nil {
		return err
	}
	part := p.base + ".part-" + strconv.Itoa(os.Getpid())
	defer root.RemoveAll(part)
	if err := root.Mkdir(part, 0o700); err != nil {
		return err
	}
	inner, err := root.OpenRoot(part)
	if err != nil {
		return err
	}
	defer inner.Close()
	sum := sha256.New()
	content := io.TeeReader(reader{ctx, f}, sum)
	if err := untar(content, inner); err != nil {
		return err
	}
	if _, err := io.Copy(io.Discard, content); err != nil {
		return err
	}
	if err := verify(sum, want); err != nil {
		return err
	}
	from, err := onlyDir(inner, part)
	if err != nil {
		return err
	}
	if err := unix.Syncfs(p.fd()); err != nil {
		return err
	}
	if err := unix.Renameat2(p.fd(), from, p.fd(), p.base, unix.RENAME_NOREPLACE); err != nil {
		return err
	}
	return p.dir.Sync()
}

// sweepParts removes what killed runs left.
func sweepParts(root *os.Root, base string) error {
	d, err := root.Open(".")
	if err != nil {
		return err
	}
	defer d.Close()
	names, err := d.Readdirnames(-1)
	if err != nil {
		return err
	}
	for _, name := range names {
		if strings.HasPrefix(name, base+".part-") {
			if err := root.RemoveAll(name); err != nil {
				return err
			}
		}
	}
	return nil
}

// onlyDir returns the name of what is to be renamed: the one directory that
// all was in, or else the whole part, readable by all then.
func onlyDir(inner *os.Root, part string) (string, error) {
	d, err := inner.Open(".")
	if err != nil {
		return "", err
	}
	defer d.Close()
	entries, err := d.ReadDir(-1)
	if err != nil {
		return "", err
	}
	if len(entries) == 1 && entries[0].IsDir() {
		return path.Join(part, entries[0].Name()), nil
	}
	return part, inner.Chmod(".", 0o755)
}

// A reader ends when its context does.
type reader struct {
	ctx context.Context
	r   io.Reader
}

func (r reader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.r.Read(p)
}

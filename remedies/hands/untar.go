package hands

import (
	"archive/tar"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"slices"
	"strings"
)

// Bounds of what an archive may become: bytes in all, and entries.
const (
	maxUnpacked = 8 << 30
	maxEntries  = 200_000
)

// untar unpacks a .tar.gz below root. What could reach out of it is refused:
// absolute names, "..", links that lead out, names that go over a link; and so
// are devices, set-user-id and set-group-id, and one name twice.
func untar(r io.Reader, root *os.Root) error {
	zipped, err := gzip.NewReader(r)
	if err != nil {
		return err
	}
	defer zipped.Close()
	archive := tar.NewReader(io.LimitReader(zipped, maxUnpacked))
	modes := map[string]fs.FileMode{} // of directories, set when all is in them
	for n := 0; ; n++ {
		entry, err := archive.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		if n == maxEntries {
			return fmt.Errorf("more than %d entries", maxEntries)
		}
		if entry.Typeflag == tar.TypeXGlobalHeader {
			continue
		}
		if err := unpackEntry(root, entry, archive, modes); err != nil {
			return fmt.Errorf("entry %q: %w", entry.Name, err)
		}
	}
	// The innermost first: one may not be entered any more after it.
	for _, name := range slices.Backward(slices.Sorted(maps.Keys(modes))) {
		if err := root.Chmod(name, modes[name]); err != nil {
			return err
		}
	}
	return nil
}

func unpackEntry(root *os.Root, entry *tar.Header, content io.Reader, modes map[string]fs.FileMode) error {
	name := path.Clean(entry.Name)
	mode := entry.FileInfo().Mode()
	switch {
	case !inside(entry.Name):
		return errors.New("its name leads out")
	case mode&(fs.ModeSetuid|fs.ModeSetgid) != 0:
		return errors.New("it is set-user-id or set-group-id")
	case name == ".":
		return nil
	}
	if err := parents(root, path.Dir(name), modes); err != nil {
		return err
	}
	switch entry.Typeflag {
	case tar.TypeDir:
		if _, made := modes[name]; !made {
			if err := root.Mkdir(name, 0o700); err != nil {
				return err
			}
		}
		modes[name] = mode.Perm()
		return nil
	case tar.TypeReg:
		return unpackFile(root, name, mode.Perm(), content)
	case tar.TypeSymlink:
		if !targetInside(name, entry.Linkname) {
			return fmt.Errorf("it is a link that may lead out, to %q", entry.Linkname)
		}
		return root.Symlink(entry.Linkname, name)
	case tar.TypeLink:
		target := path.Clean(entry.Linkname)
		if !inside(entry.Linkname) {
			return fmt.Errorf("it is a link that leads out, to %q", entry.Linkname)
		}
		if err := parents(root, path.Dir(target), modes); err != nil {
			return err
		}
		return root.Link(target, name)
	}
	return fmt.Errorf("it is neither file nor directory nor link (type %q)", entry.Typeflag)
}

// inside reports whether a name stays below where it begins.
func inside(name string) bool {
	return !path.IsAbs(name) && name != "" && !strings.ContainsRune(name, 0) &&
		!slices.Contains(strings.Split(name, "/"), "..")
}

// targetInside reports whether a link of that name can't lead out. Its way may
// go up only at the beginning: behind another link, up is not where it looks.
func targetInside(name, target string) bool {
	if path.IsAbs(target) || target == "" || strings.ContainsRune(target, 0) {
		return false
	}
	depth := strings.Count(name, "/")
	for _, part := range strings.Split(target, "/") {
		switch {
		case part == "" || part == ".":
		case part != "..":
			depth = -1 // no more up from here
		case depth <= 0:
			return false
		default:
			depth--
		}
	}
	return true
}

// parents makes the directories that lead to name, and refuses to go over
// anything else.
func parents(root *os.Root, dir string, modes map[string]fs.FileMode) error {
	if _, made := modes[dir]; made || dir == "." {
		return nil
	}
	if err := parents(root, path.Dir(dir), modes); err != nil {
		return err
	}
	if err := root.Mkdir(dir, 0o700); err != nil {
		return fmt.Errorf("%s is not a directory of the archive: %w", dir, err)
	}
	modes[dir] = 0o755
	return nil
}

func unpackFile(root *os.Root, name string, mode fs.FileMode, content io.Reader) error {
	f, err := root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err := io.Copy(f, content); err != nil {
		return err
	}
	if err := f.Chmod(mode); err != nil {
		return err
	}
	return f.Close()
}

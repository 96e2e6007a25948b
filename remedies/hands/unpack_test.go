package hands

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"watchdog/remedies"
)

// An item is one entry of an archive. Its type is told by what is set.
type item struct {
	name string
	mode int64
	data string
	link string // symbolic
	hard string
	kind byte // another type
}

func pack(t *testing.T, items ...item) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	w := tar.NewWriter(z)
	for _, i := range items {
		h := &tar.Header{Name: i.name, Mode: i.mode, Typeflag: tar.TypeReg, Size: int64(len(i.data)), Uid: 4711, Gid: 4711}
		switch {
		case i.kind != 0:
			h.Typeflag = i.kind
		case i.link != "":
			h.Typeflag, h.Linkname = tar.TypeSymlink, i.link
		case i.hard != "":
			h.Typeflag, h.Linkname = tar.TypeLink, i.hard
		case strings.HasSuffix(i.name, "/"):
			h.Typeflag = tar.TypeDir
		}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(i.data)); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(w.Close(), z.Close()); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func archive(data []byte) remedies.Archive {
	return remedies.Archive{Name: "kc-1.tar.gz", URL: "https://example.invalid/kc-1.tar.gz", SHA256: fmt.Sprintf("%x", sha256.Sum256(data))}
}

// stock puts data into the artifact directory.
func stock(t *testing.T, root string, data []byte) remedies.Archive {
	t.Helper()
	mkdirs(t, root+artifacts)
	if err := os.WriteFile(root+artifacts+"/kc-1.tar.gz", data, 0o644); err != nil {
		t.Fatal(err)
	}
	return archive(data)
}

// tree lists all that is below dir: "bin/ 0755", "bin/kc 0755 #!", "x -> y".
func tree(t *testing.T, dir string) string {
	t.Helper()
	var out []string
	err := fs.WalkDir(os.DirFS(dir), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || name == "." {
			return err
		}
		n := node(t, path.Join(dir, name))
		switch n.Mode.Type() {
		case fs.ModeDir:
			out = append(out, fmt.Sprintf("%s/ %04o", name, n.Mode.Perm()))
		case fs.ModeSymlink:
			out = append(out, fmt.Sprintf("%s -> %s", name, n.Data))
		default:
			out = append(out, fmt.Sprintf("%s %04o %s", name, n.Mode.Perm(), n.Data))
		}
		if o, g := me(t); n.Owner != o || n.Group != g {
			t.Errorf("%s belongs to %s:%s", name, n.Owner, n.Group)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(out, "\n")
}

var good = []item{
	{name: "kc-1/", mode: 0o755},
	{name: "kc-1/bin/kc.sh", mode: 0o755, data: "#!"},
	{name: "kc-1/lib/", mode: 0o500},
	{name: "kc-1/lib/a.jar", mode: 0o600, data: "jar"},
	{name: "./kc-1/lib/b.jar", hard: "kc-1/lib/a.jar"},
	{name: "kc-1/lib/up", mode: 0o777, link: "../bin/kc.sh"},
}

func TestUnpack(t *testing.T) {
	tests := map[string]struct {
		items []item
		want  string
	}{
		"one directory": {good, "bin/ 0755\nbin/kc.sh 0755 #!\nlib/ 0500\nlib/a.jar 0600 jar\nlib/b.jar 0600 jar\nlib/up -> ../bin/kc.sh"},
		"several":       {[]item{{name: "bin/x", mode: 0o755, data: "x"}, {name: "README", mode: 0o644, data: "r"}}, "README 0644 r\nbin/ 0755\nbin/x 0755 x"},
		"directory twice": {[]item{{name: "a/b", mode: 0o644, data: "b"}, {name: "a/", mode: 0o700}, {name: "c", mode: 0o644}},
			"a/ 0700\na/b 0644 b\nc 0644 "},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			w, root := rooted(t)
			a := stock(t, root, pack(t, tt.items...))
			mkdirs(t, root+"/opt/kc-1.part-77/half") // of a killed run
			if err := w.Unpack(t.Context(), a, "/opt/kc-1"); err != nil {
				t.Fatal(err)
			}
			if got := tree(t, root+"/opt/kc-1"); got != tt.want {
				t.Errorf("unpacked:\n%s\nwant:\n%s", got, tt.want)
			}
			if got := node(t, root+"/opt/kc-1"); got.Mode != fs.ModeDir|0o755 {
				t.Errorf("the directory has mode %v", got.Mode)
			}
			if got := names(t, root+"/opt"); len(got) != 1 {
				t.Errorf("left behind: %v", got)
			}
			if err := w.Unpack(t.Context(), a, "/opt/kc-1"); err == nil || !strings.Contains(err.Error(), "there already") {
				t.Errorf("again: %v; want that it is there already", err)
			}
		})
	}
}

// Each of these archives is whole and has the right hash.
func TestUnpackRefusesHostileEntries(t *testing.T) {
	tests := map[string][]item{
		"absolute name":       {{name: "/tmp/evil", data: "x"}},
		"name that leads out": {{name: "a/../../evil", data: "x"}},
		"dots in the middle":  {{name: "a/../evil", data: "x"}},
		"absolute link":       {{name: "a", link: "/etc/passwd"}},
		"link that leads out": {{name: "a/b", link: "../../evil"}},
		"link out by one":     {{name: "a", link: ".."}},
		"link up behind a link": {
			{name: "s", link: "."}, {name: "evil", link: "s/s/s/../../.."}},
		"link up after down": {{name: "a", link: "./b/../c"}},
		"link below a link": {
			{name: "deep/dir/", mode: 0o755}, {name: "s", link: "deep"}, {name: "s/x", link: "../y"}},
		"file over a link":           {{name: "s", link: "."}, {name: "s/evil", data: "x"}},
		"file in place of a link":    {{name: "s", link: "target"}, {name: "s", data: "x"}},
		"hard link that leads out":   {{name: "a", hard: "../../../../../../etc/passwd"}},
		"absolute hard link":         {{name: "a", hard: "/etc/passwd"}},
		"hard link over a link":      {{name: "s", link: "."}, {name: "f", data: "x"}, {name: "a", hard: "s/f"}},
		"hard link to nothing":       {{name: "a", hard: "b"}},
		"set-user-id":                {{name: "a", mode: 0o4755, data: "x"}},
		"set-group-id":               {{name: "a", mode: 0o2755, data: "x"}},
		"set-group-id directory":     {{name: "a/", mode: 0o2755}},
		"character device":           {{name: "a", kind: tar.TypeChar}},
		"block device":               {{name: "a", kind: tar.TypeBlock}},
		"pipe":                       {{name: "a", kind: tar.TypeFifo}},
		"file twice":                 {{name: "a", data: "x"}, {name: "a", data: "y"}},
		"file in place of directory": {{name: "a/", mode: 0o755}, {name: "a", data: "y"}},
		"directory in place of file": {{name: "a", data: "y"}, {name: "a/", mode: 0o755}},
	}
	for name, items := range tests {
		t.Run(name, func(t *testing.T) {
			w, root := rooted(t)
			before := tree(t, root)
			a := stock(t, root, pack(t, append(good[:3:3], items...)...))
			err := w.Unpack(t.Context(), a, "/opt/kc-1")
			if err == nil || !strings.Contains(err.Error(), "entry ") {
				t.Errorf("Unpack = %v; want the entry refused", err)
			}
			if err := os.RemoveAll(root + "/var/cache/watchdog"); err != nil {
				t.Fatal(err)
			}
			if got := tree(t, root); got != before {
				t.Errorf("left behind:\n%s", got)
			}
		})
	}
}

func TestUnpackRefusesOtherArchives(t *testing.T) {
	w, root := rooted(t)
	whole := pack(t, good...)
	other := stock(t, root, whole)
	other.SHA256 = strings.Repeat("0", 64)
	plain := other
	plain.URL = "http://example.invalid/kc-1.tar.gz"
	odd := other
	odd.Name = "../kc-1.tar.gz"
	short := other
	short.SHA256 = "abc"
	for want, a := range map[string]remedies.Archive{
		"its SHA-256 is " + archive(whole).SHA256 + ", not the pinned 0000": other,
		"is not one of https": plain, "not a file name": odd, `SHA-256 "abc" is not one`: short,
	} {
		if err := w.Unpack(t.Context(), a, "/opt/kc-1"); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Unpack = %v; want %s", err, want)
		}
	}
	evil := stock(t, root, pack(t, item{name: "/evil"}))
	evil.SHA256 = other.SHA256
	if err := w.Unpack(t.Context(), evil, "/opt/kc-1"); err == nil || !strings.Contains(err.Error(), "not the pinned") {
		t.Errorf("Unpack = %v; want that nothing in it is looked at before its hash", err)
	}
	cut := stock(t, root, whole[:len(whole)-20])
	if err := w.Unpack(t.Context(), cut, "/opt/kc-1"); err == nil {
		t.Error("half an archive was unpacked")
	}
	if got := names(t, root+"/opt"); len(got) != 0 {
		t.Errorf("left behind: %v", got)
	}
}

// What is written into an archive after it was verified does not get through.
func TestUnpackVerifiesWhatItUnpacks(t *testing.T) {
	w, root := rooted(t)
	a := stock(t, root, pack(t, good...))
	want, err := checkArchive(a)
	if err != nil {
		t.Fatal(err)
	}
	f, err := w.artifact(t.Context(), a, want)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	stock(t, root, pack(t, item{name: "evil", mode: 0o755}))
	if err := w.extractTo(t.Context(), f, want, "/opt/kc-1"); err == nil || !strings.Contains(err.Error(), "not the pinned") {
		t.Errorf("unpacked = %v; want another hash", err)
	}
	if got := names(t, root+"/opt"); len(got) != 0 {
		t.Errorf("left behind: %v", got)
	}
}

func TestUnpackCutOff(t *testing.T) {
	big := pack(t, item{name: "a", mode: 0o644, data: strings.Repeat("x", 1<<20)}, item{name: "b", mode: 0o644})
	t.Run("cancelled", func(t *testing.T) {
		w, root := rooted(t)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := w.Unpack(ctx, stock(t, root, big), "/opt/kc-1"); !errors.Is(err, context.Canceled) {
			t.Errorf("Unpack = %v; want context.Canceled", err)
		}
		if got := names(t, root+"/opt"); len(got) != 0 {
			t.Errorf("left behind: %v", got)
		}
	})
	t.Run("disk full", func(t *testing.T) {
		w, root := rooted(t)
		a := stock(t, root, big)
		tiny(t, root+"/opt")
		if err := w.Unpack(t.Context(), a, "/opt/kc-1"); !errors.Is(err, unix.ENOSPC) || !strings.Contains(err.Error(), "/opt/kc-1") {
			t.Errorf("Unpack = %v; want that there is no space", err)
		}
		if got := names(t, root+"/opt"); len(got) != 0 {
			t.Errorf("left behind: %v", got)
		}
	})
}

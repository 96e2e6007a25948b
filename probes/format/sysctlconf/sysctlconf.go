// Package sysctlconf reads and edits files of /etc/sysctl.d as sysctl.d(5) and
// systemd-sysctl understand them. Comments, order and foreign lines stay as
// they are: Parse(b).Bytes() is b.
//
//	f := sysctlconf.Parse(data)
//	f.Get("net.ipv6.conf.all.accept_ra")
//	f.Set("net.ipv6.conf.all.accept_ra", "0").Bytes()
//
// Keys may be written with dots or slashes in every call; [Path] says which
// file below /proc/sys one means.
package sysctlconf

import (
	"path"
	"slices"
	"strings"

	"watchdog/probes/format/linefile"
)

// A File is the content of one file. It is a value: Set returns another.
type File struct{ lines []line }

type line struct {
	text string // with its line ending
	// setting is nil for a comment, an empty line, or one that sets nothing.
	setting *Setting
	// start and end delimit the value in text.
	start, end int
}

func (l line) Text() string { return l.text }

// A Setting is one line "key = value".
type Setting struct {
	Line int // counted from 1
	// Key is in the form of a path below /proc/sys: net/ipv6/conf/all/accept_ra.
	// It may be a glob.
	Key   string
	Value string
	// Optional marks a key with "-" before it, whose failure is ignored. With
	// Excluded, there is no value: the key is kept from globs.
	Optional, Excluded bool
}

// Parse reads data. Lines that mean nothing are kept, so there is no content
// that is an error.
func Parse(data []byte) File { return File{linefile.Parse(data, parseLine)} }

func parseLine(text string) line {
	l := line{text: text}
	trimmed := strings.TrimSpace(text)
	if trimmed == "" || trimmed[0] == '#' || trimmed[0] == ';' {
		return l
	}
	key, value, set := strings.Cut(trimmed, "=")
	key = strings.TrimSpace(key)
	bare := strings.TrimPrefix(key, "-")
	optional := bare != key
	if bare == "" || !set && !optional {
		return l
	}
	l.setting = &Setting{Key: clean(bare), Value: strings.TrimSpace(value), Optional: optional, Excluded: !set}
	if set {
		l.start = strings.IndexByte(text, '=') + 1
		// Behind an empty value there is only the line's end, which stays.
		if l.setting.Value != "" {
			l.start += strings.Index(text[l.start:], l.setting.Value)
		}
		l.end = l.start + len(l.setting.Value)
	}
	return l
}

// clean turns a key into a path. Where the first separator is a slash, the key
// is one already; where it is a dot, dots and slashes change places, so that an
// interface eth0.200 is written eth0/200 (sysctl.d(5)).
func clean(key string) string {
	i := strings.IndexAny(key, "./")
	if i >= 0 && key[i] == '.' {
		key = strings.Map(func(r rune) rune {
			switch r {
			case '.':
				return '/'
			case '/':
				return '.'
			}
			return r
		}, key)
	}
	return strings.TrimPrefix(key, "/")
}

// Key writes a key of its parts: with dots, or with slashes where a part has a
// dot in it, as the interface eth0.200 has (sysctl.d(5)).
func Key(parts ...string) string {
	for _, p := range parts {
		if strings.Contains(p, ".") {
			return strings.Join(parts, "/")
		}
	}
	return strings.Join(parts, ".")
}

// Path is the file that holds the key's value at run time.
func Path(key string) string { return "/proc/sys/" + clean(key) }

// Bytes is the file's content.
func (f File) Bytes() []byte { return linefile.Bytes(f.lines) }

// Settings lists the lines that set something, in the file's order.
func (f File) Settings() []Setting {
	var out []Setting
	for i, l := range f.lines {
		if l.setting != nil {
			s := *l.setting
			s.Line = i + 1
			out = append(out, s)
		}
	}
	return out
}

// Get returns the setting of exactly that key: the last one, which wins.
func (f File) Get(key string) (Setting, bool) {
	key = clean(key)
	var found Setting
	ok := false
	for _, s := range f.Settings() {
		if s.Key == key && !s.Excluded {
			found, ok = s, true
		}
	}
	return found, ok
}

// Set returns the file with key set to value: in the last line that sets it, or
// else in a new line at the end. Values must be one line.
func (f File) Set(key, value string) File {
	path := clean(key)
	last := -1
	for i, l := range f.lines {
		if l.setting != nil && l.setting.Key == path && !l.setting.Excluded {
			last = i
		}
	}
	if last < 0 {
		return File{linefile.Insert(f.lines, len(f.lines), key+" = "+value+"\n", parseLine)}
	}
	out := File{slices.Clone(f.lines)}
	if l := out.lines[last]; l.setting.Value != value {
		out.lines[last] = parseLine(l.text[:l.start] + value + l.text[l.end:])
	}
	return out
}

// Lookup returns what files, in the order they are applied, make of key: the
// last line that names it, or else the last glob that covers it, and the index
// of its file. ok is false when nothing sets it.
func Lookup(files []File, key string) (s Setting, file int, ok bool) {
	key = clean(key)
	var glob Setting
	globFile, globbed, excluded := 0, false, false
	for i, f := range files {
		for _, c := range f.Settings() {
			switch {
			case c.Key == key && c.Excluded:
				excluded = true
			case c.Key == key:
				s, file, ok = c, i, true
			case !c.Excluded && covers(c.Key, key):
				glob, globFile, globbed = c, i, true
			}
		}
	}
	if !ok && globbed && !excluded {
		return glob, globFile, true
	}
	return s, file, ok
}

func covers(pattern, key string) bool {
	if !strings.ContainsAny(pattern, "*?[") {
		return false
	}
	ok, err := path.Match(pattern, key)
	return err == nil && ok
}

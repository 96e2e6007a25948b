// Package nginxconf reads what `nginx -T` prints: every file of a configuration
// whose syntax NGINX has already accepted.
//
//	c, err := nginxconf.Parse(dump)
//	for _, s := range c.Find("stream", "server") {
//		fmt.Println(s.Pos(), s.Values("listen"))
//	}
//
// Included files stand in the place of the include directive, each directive
// knowing the file and line that it came from. It is pure: bytes in, values
// out. It knows the grammar, not the meaning of any directive; the bodies of
// *_by_lua_block, which have a grammar of their own, are beyond it.
package nginxconf

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
)

// A Config is one whole configuration.
type Config struct {
	Main       string   // the file NGINX was started with
	Files      []string // all of them, in the order of the dump
	Directives []Directive
}

// A Directive is one statement, with what its block holds if it has one.
type Directive struct {
	Name string
	Args []string // unquoted
	// Block is what stands between the braces; nil for a simple directive,
	// empty but not nil for an empty block.
	Block []Directive
	File  string
	Line  int // of its name, from 1
}

// Pos is where the directive stands, "/etc/nginx/nginx.conf:12".
func (d Directive) Pos() string { return fmt.Sprintf("%s:%d", d.File, d.Line) }

// String is the directive on one line, without what its block holds.
func (d Directive) String() string {
	return strings.Join(append([]string{d.Name}, d.Args...), " ")
}

// Find returns the directives inside d that lie on the path of names.
func (d Directive) Find(names ...string) []Directive { return find(d.Block, names) }

// Values returns the arguments, joined by blanks, of each directive of that name
// directly inside d.
func (d Directive) Values(name string) []string {
	var out []string
	for _, f := range d.Find(name) {
		out = append(out, strings.Join(f.Args, " "))
	}
	return out
}

// Find returns the directives that lie on the path of names, from the top:
// Find("stream", "server") gives every server of every stream block.
func (c *Config) Find(names ...string) []Directive { return find(c.Directives, names) }

func find(in []Directive, names []string) []Directive {
	var out []Directive
	for _, d := range in {
		switch {
		case len(names) == 0 || d.Name != names[0]:
		case len(names) == 1:
			out = append(out, d)
		default:
			out = append(out, find(d.Block, names[1:])...)
		}
	}
	return out
}

// heading begins each file of a dump; NGINX ends it with a colon.
const heading = "# configuration file "

// Parse reads a dump. What stands before the first file's heading (warnings,
// when both outputs were caught) is skipped. Errors name file and line.
func Parse(dump []byte) (*Config, error) {
	texts := map[string]string{}
	c := &Config{}
	var name string
	var text strings.Builder
	flush := func() {
		if name != "" {
			texts[name] = text.String()
		}
		text.Reset()
	}
	for l := range strings.Lines(string(dump)) {
		if n, ok := strings.CutPrefix(strings.TrimRight(l, "\r\n"), heading); ok && strings.HasPrefix(n, "/") && strings.HasSuffix(n, ":") {
			flush()
			name = strings.TrimSuffix(n, ":")
			c.Files = append(c.Files, name)
			continue
		}
		text.WriteString(l)
	}
	flush()
	if len(c.Files) == 0 {
		return nil, errors.New("read the configuration of nginx: no file in it")
	}
	c.Main = c.Files[0]
	j := joiner{files: map[string][]Directive{}, dir: path.Dir(c.Main), open: []string{c.Main}}
	for f, text := range texts {
		ds, err := ParseFile(f, text)
		if err != nil {
			return nil, err
		}
		j.files[f] = ds
	}
	var err error
	c.Directives, err = j.join(j.files[c.Main], 0)
	return c, err
}

// A joiner puts included files in their places.
type joiner struct {
	files map[string][]Directive
	dir   string   // relative names begin here
	open  []string // the files being joined, outermost first
	count int      // of directives so far
}

// These bounds are for a hostile dump.
const (
	maxDepth      = 16
	maxDirectives = 1 << 16
)

func (j *joiner) join(in []Directive, depth int) ([]Directive, error) {
	out := in[:0:0]
	for _, d := range in {
		if j.count++; j.count > maxDirectives {
			return nil, fmt.Errorf("read %s: more than %d directives", d.Pos(), maxDirectives)
		}
		if depth > maxDepth {
			return nil, fmt.Errorf("read %s: nested more than %d deep", d.Pos(), maxDepth)
		}
		if d.Name == "include" && d.Block == nil && len(d.Args) == 1 {
			for _, name := range j.matches(d.Args[0]) {
				if slices.Contains(j.open, name) {
					return nil, fmt.Errorf("read %s: %s includes itself", d.Pos(), name)
				}
				j.open = append(j.open, name)
				more, err := j.join(j.files[name], depth+1)
				j.open = j.open[:len(j.open)-1]
				if err != nil {
					return nil, err
				}
				out = append(out, more...)
			}
			continue
		}
		if d.Block != nil {
			block, err := j.join(d.Block, depth+1)
			if err != nil {
				return nil, err
			}
			d.Block = block
			if d.Block == nil {
				d.Block = []Directive{}
			}
		}
		out = append(out, d)
	}
	return out, nil
}

// matches lists the files that an include means, in glob's order.
func (j *joiner) matches(pattern string) []string {
	if !path.IsAbs(pattern) {
		pattern = path.Join(j.dir, pattern)
	}
	var names []string
	for name := range j.files {
		if ok, err := path.Match(pattern, name); name == pattern || err == nil && ok {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

package main

import (
	"fmt"
	"reflect"
	"regexp"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/token"

	"watchdog/probes/host"
)

// siteDoc is a site file being read: its lines, where each value stands, and
// all that is wrong with it. The YAML library's own decoder stops at the first
// problem and loses the place of a value that a type refuses; this one does
// neither. Values go by paths: "hosts/idp/address", "gateways/0/name".
type siteDoc struct {
	name     string
	lines    []string
	places   map[string]sitePlace // of values; of the key where the value is a map or a list
	keys     map[string]sitePlace
	broken   map[string]bool // paths whose value could not be read at all
	told     map[string]bool // paths that have a problem; each has one at most
	problems []siteProblem
}

// sitePlace is a place in the file, counted from 1; zero is the whole file.
type sitePlace struct{ line, column int }

func newSiteDoc(name string, data []byte) *siteDoc {
	return &siteDoc{
		name: name, lines: strings.Split(strings.TrimSuffix(string(data), "\n"), "\n"),
		places: map[string]sitePlace{}, keys: map[string]sitePlace{}, broken: map[string]bool{}, told: map[string]bool{},
	}
}

// err is all that is wrong with the file, in its order.
func (d *siteDoc) err() error {
	if len(d.problems) == 0 {
		return nil
	}
	return usageError{siteError{file: d.name, lines: d.lines, problems: sortSiteProblems(d.problems)}}
}

// set reports whether the file gives a value at path.
func (d *siteDoc) set(path string) bool {
	_, ok := d.places[path]
	return ok
}

// clean reports whether nothing is wrong at path or below.
func (d *siteDoc) clean(path string) bool {
	for p := range d.told {
		if p == path || strings.HasPrefix(p, path+"/") {
			return false
		}
	}
	return true
}

// fail reports a problem at path, or where its nearest parent stands, unless
// the value there could not be read, or has a problem already.
func (d *siteDoc) fail(path, format string, args ...any) {
	for p := path; p != ""; p = siteParent(p) {
		if d.broken[p] {
			return
		}
	}
	if d.told[path] {
		return
	}
	d.told[path] = true
	for path != "" && !d.set(path) {
		path = siteParent(path)
	}
	d.failAt(d.places[path], format, args...)
}

// failKey reports a problem with the key at path rather than its value.
func (d *siteDoc) failKey(path, format string, args ...any) {
	d.told[path] = true
	d.failAt(d.keys[path], format, args...)
}

func (d *siteDoc) failAt(at sitePlace, format string, args ...any) {
	d.problems = append(d.problems, siteProblem{Line: at.line, Column: at.column, Message: fmt.Sprintf(format, args...)})
}

// breakAt reports a value that can't be read, so that nothing more is said of it.
func (d *siteDoc) breakAt(path, format string, args ...any) {
	d.fail(path, format, args...)
	d.broken[path] = true
}

// decode reads n into v and reports what does not fit.
func (d *siteDoc) decode(n ast.Node, v reflect.Value, path string) {
	if n == nil || n.Type() == ast.NullType {
		d.breakAt(path, "%s has no value; give it one, or leave it out for the default", siteLabel(path))
		return
	}
	if t, ok := v.Addr().Interface().(siteDecoder); ok {
		t.decodeSite(d, n, path)
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		d.decodeStruct(n, v, path)
	case reflect.Slice:
		d.decodeList(n, v, path)
	case reflect.Int:
		d.decodeInt(n, v, path)
	case reflect.Bool:
		if b, ok := n.(*ast.BoolNode); ok {
			v.SetBool(b.Value)
		} else {
			d.breakAt(path, "%s must be true or false, not %s", siteLabel(path), siteKind(n))
		}
	case reflect.String:
		d.decodeString(n, v, path)
	default:
		panic("site file: no way to read a " + v.Type().String())
	}
}

func (d *siteDoc) decodeString(n ast.Node, v reflect.Value, path string) {
	s, ok := n.(*ast.StringNode)
	label := siteLabel(path)
	switch {
	case !ok && siteScalar(n):
		d.breakAt(path, "%s must be text, not %s; put it in quotes", label, siteKind(n))
	case !ok:
		d.breakAt(path, "%s must be text, not %s", label, siteKind(n))
	case s.Value == "":
		d.breakAt(path, "%s has no value; give it one, or leave it out for the default", label)
	case strings.TrimSpace(s.Value) != s.Value:
		d.breakAt(path, "%s begins or ends with a space", label)
	case strings.ContainsFunc(s.Value, func(r rune) bool { return !sitePrintable(r) }):
		d.breakAt(path, "%s holds a line break or an invisible character", label)
	case len(s.Value) > 2048:
		d.breakAt(path, "%s is longer than 2048 bytes", label)
	default:
		v.SetString(s.Value)
	}
}

var siteInt = regexp.MustCompile(`^-?(0|[1-9][0-9]{0,8})$`)

func (d *siteDoc) decodeInt(n ast.Node, v reflect.Value, path string) {
	i, ok := n.(*ast.IntegerNode)
	switch {
	case !ok:
		d.breakAt(path, "%s must be a whole number, not %s", siteLabel(path), siteKind(n))
	case !siteInt.MatchString(i.Token.Value):
		d.breakAt(path, "%s must be a whole number in plain digits, not %s", siteLabel(path), siteQuote(i.Token.Value))
	default:
		x, _ := strconv.Atoi(i.Token.Value)
		v.SetInt(int64(x))
	}
}

func (d *siteDoc) decodeList(n ast.Node, v reflect.Value, path string) {
	s, ok := n.(*ast.SequenceNode)
	if !ok {
		hint := ""
		if siteScalar(n) {
			hint = fmt.Sprintf("; write [%s]", strings.Trim(siteQuote(n.GetToken().Value), `"`))
		}
		d.breakAt(path, "%s must be a list, not %s%s", siteLabel(path), siteKind(n), hint)
		return
	}
	v.Set(reflect.MakeSlice(v.Type(), len(s.Values), len(s.Values)))
	for i, item := range s.Values {
		p := siteJoin(path, strconv.Itoa(i))
		d.places[p] = sitePlaceOf(siteStart(item))
		d.decode(item, v.Index(i), p)
	}
}

func (d *siteDoc) decodeStruct(n ast.Node, v reflect.Value, path string) {
	entries, ok := d.entries(n, path)
	if !ok {
		return
	}
	fields, known := map[string]int{}, []string{}
	for i := range v.NumField() {
		key, _, _ := strings.Cut(v.Type().Field(i).Tag.Get("yaml"), ",")
		fields[key], known = i, append(known, key)
	}
	for _, e := range entries {
		if i, ok := fields[e.key]; ok {
			d.decode(e.value, v.Field(i), siteJoin(path, e.key))
			continue
		}
		d.unknownKey(e, path, known)
	}
}

func (d *siteDoc) unknownKey(e siteItem, path string, known []string) {
	delete(d.places, siteJoin(path, e.key))
	near := siteNearest(e.key, known)
	switch {
	case near == "" && isSiteSecret(e.key):
		d.failAt(e.at, "unknown key %s; a secret does not belong in the site file: watchdog makes its own and keeps them in %s",
			siteQuote(e.key), host.SecretDir)
	case near == "":
		d.failAt(e.at, "unknown key %s; known here: %s", siteQuote(e.key), strings.Join(known, ", "))
	default:
		d.failAt(e.at, "unknown key %s; did you mean %q?", siteQuote(e.key), near)
		// It was meant, so it is not missing.
		if p := siteJoin(path, near); !d.set(p) {
			d.told[p], d.broken[p] = true, true
		}
	}
}

// siteItem is one key of a map with its value.
type siteItem struct {
	key   string
	at    sitePlace
	value ast.Node
}

// entries lists a map's keys and notes where their values stand.
func (d *siteDoc) entries(n ast.Node, path string) ([]siteItem, bool) {
	var nodes []*ast.MappingValueNode
	switch m := n.(type) {
	case *ast.MappingNode:
		nodes = m.Values
	case *ast.MappingValueNode:
		nodes = []*ast.MappingValueNode{m}
	default:
		d.breakAt(path, "%s must be a map of keys and values, not %s", siteLabel(path), siteKind(n))
		return nil, false
	}
	items, first := []siteItem{}, map[string]sitePlace{}
	for _, m := range nodes {
		key := siteKey(m.Key)
		at := sitePlaceOf(m.Key.GetToken())
		if was, ok := first[key]; ok {
			d.failAt(at, "key %s stands here a second time; the first is in line %d", siteQuote(key), was.line)
			continue
		}
		first[key] = at
		p := siteJoin(path, key)
		d.places[p], d.keys[p] = at, at
		if m.Value != nil && siteScalar(m.Value) && m.Value.Type() != ast.NullType {
			d.places[p] = sitePlaceOf(m.Value.GetToken())
		}
		items = append(items, siteItem{key, at, m.Value})
	}
	return items, true
}

func siteKey(n ast.MapKeyNode) string {
	if s, ok := n.(*ast.StringNode); ok {
		return s.Value
	}
	return n.GetToken().Value
}

// siteStart is the first token of a value.
func siteStart(n ast.Node) *token.Token {
	switch m := n.(type) {
	case *ast.MappingNode:
		if !m.IsFlowStyle && len(m.Values) > 0 {
			return m.Values[0].Key.GetToken()
		}
	case *ast.MappingValueNode:
		return m.Key.GetToken()
	}
	return n.GetToken()
}

func sitePlaceOf(t *token.Token) sitePlace {
	if t == nil || t.Position == nil {
		return sitePlace{}
	}
	return sitePlace{t.Position.Line, max(1, t.Position.Column)}
}

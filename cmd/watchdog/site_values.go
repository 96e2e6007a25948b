package main

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
)

// siteDecoder is a value that reads itself from the site file and reports what
// is wrong with it to d.
type siteDecoder interface {
	decodeSite(d *siteDoc, n ast.Node, path string)
}

// siteDuration is a length of time in the site file: 30m, 10h, 21d, 1h30m.
type siteDuration time.Duration

const (
	siteDay         = 24 * time.Hour
	siteMaxDuration = 3650 * siteDay // what Keycloak keeps as seconds in 32 bits, with room
)

func (t *siteDuration) decodeSite(d *siteDoc, n ast.Node, path string) {
	var s string
	if d.decode(n, reflect.ValueOf(&s).Elem(), path); d.broken[path] {
		return
	}
	v, problem := parseSiteDuration(s)
	if problem != "" {
		d.breakAt(path, "%s %s %s", siteLeaf(path), siteQuote(s), problem)
		return
	}
	*t = siteDuration(v)
}

// parseSiteDuration reads Go's notation, and days before it. The second value
// says what is wrong, and is empty when nothing is.
func parseSiteDuration(s string) (time.Duration, string) {
	const (
		form = "is no length of time; write it as 30m, 10h or 21d"
		long = "is longer than ten years"
		none = "must be more than nothing"
	)
	days, rest, ok := strings.Cut(s, "d")
	if !ok {
		days, rest = "0", s
	}
	n, err := strconv.ParseInt(days, 10, 32)
	switch {
	case err != nil:
		return 0, form
	case n < 0:
		return 0, none
	case n > int64(siteMaxDuration/siteDay):
		return 0, long
	}
	total := time.Duration(n) * siteDay
	if rest != "" {
		v, err := time.ParseDuration(rest)
		switch {
		case err != nil, ok && strings.ContainsAny(rest[:1], "+-"):
			return 0, form
		case v > siteMaxDuration:
			return 0, long
		}
		total += v
	}
	switch {
	case total <= 0:
		return 0, none
	case total > siteMaxDuration:
		return 0, long
	case total%time.Second != 0:
		return 0, "must be whole seconds"
	}
	return total, ""
}

// String writes the duration as parseSiteDuration reads it, shortest form first.
func (t siteDuration) String() string {
	v := time.Duration(t)
	switch {
	case v >= 2*siteDay && v%siteDay == 0:
		return fmt.Sprintf("%dd", v/siteDay)
	case v >= time.Hour && v%time.Hour == 0:
		return fmt.Sprintf("%dh", v/time.Hour)
	case v >= time.Minute && v%time.Minute == 0:
		return fmt.Sprintf("%dm", v/time.Minute)
	}
	return v.String()
}

// MarshalYAML writes the text form.
func (t siteDuration) MarshalYAML() (any, error) { return t.String(), nil }

// siteMap is a map in the order of the file.
type siteMap[T any] []siteEntry[T]

type siteEntry[T any] struct {
	Key   string
	Value T
}

func (m *siteMap[T]) decodeSite(d *siteDoc, n ast.Node, path string) {
	entries, ok := d.entries(n, path)
	if !ok {
		return
	}
	*m = make(siteMap[T], len(entries))
	for i, e := range entries {
		(*m)[i].Key = e.key
		d.decode(e.value, reflect.ValueOf(&(*m)[i].Value).Elem(), siteJoin(path, e.key))
	}
}

// MarshalYAML keeps the order.
func (m siteMap[T]) MarshalYAML() (any, error) {
	s := make(yaml.MapSlice, len(m))
	for i, e := range m {
		s[i] = yaml.MapItem{Key: e.Key, Value: e.Value}
	}
	return s, nil
}

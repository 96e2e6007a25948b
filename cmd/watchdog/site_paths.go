package main

import (
	"strconv"
	"strings"

	"github.com/goccy/go-yaml/ast"
)

func siteJoin(path, key string) string {
	if path == "" {
		return key
	}
	return path + "/" + key
}

func siteParent(path string) string {
	i := strings.LastIndexByte(path, '/')
	return path[:max(i, 0)]
}

// siteLeaf is the last key of a path: what a message calls the value.
func siteLeaf(path string) string { return path[strings.LastIndexByte(path, '/')+1:] }

// siteLabel is a path as people write it: "gateways[0].name".
func siteLabel(path string) string {
	var b strings.Builder
	for i, key := range strings.Split(path, "/") {
		_, err := strconv.Atoi(key)
		switch {
		case path == "":
			return "a site file"
		case err == nil && i > 0:
			b.WriteString("[" + key + "]")
		case i > 0:
			b.WriteString("." + key)
		default:
			b.WriteString(key)
		}
	}
	return siteClip(b.String())
}

// siteQuote shows a value from the file: bounded, without control characters
// and without the credentials of a URL.
func siteQuote(s string) string { return strconv.Quote(siteClip(siteHideUserInfo(s))) }

func siteClip(s string) string {
	if r := []rune(s); len(r) > 80 {
		return string(r[:80]) + "…"
	}
	return s
}

// siteScalar tells single values from maps and lists.
func siteScalar(n ast.Node) bool {
	switch n.Type() {
	case ast.MappingType, ast.MappingValueType, ast.SequenceType:
		return false
	}
	return true
}

// siteKind says what a value is, in the words of the messages.
func siteKind(n ast.Node) string {
	switch n.Type() {
	case ast.MappingType, ast.MappingValueType:
		return "a map"
	case ast.SequenceType:
		return "a list"
	case ast.IntegerType, ast.FloatType, ast.InfinityType, ast.NanType:
		return "a number"
	case ast.BoolType:
		return "true or false"
	case ast.NullType:
		return "nothing"
	}
	return "text"
}

// siteNearest is the known word that a person most likely meant, or none.
func siteNearest(word string, known []string) string {
	best, least := "", max(2, min(3, len(word)/3))+1
	for _, k := range known {
		if n := siteDistance(strings.ToLower(word), k); n < least && n < len(k) {
			best, least = k, n
		}
	}
	return best
}

// siteDistance counts the edits between two words: a letter more, less, other,
// or two swapped (optimal string alignment).
func siteDistance(a, b string) int {
	if len(a) > 64 || len(b) > 64 {
		return 64
	}
	var d [65][65]int
	for i := range len(a) + 1 {
		for j := range len(b) + 1 {
			if i == 0 || j == 0 {
				d[i][j] = i + j
				continue
			}
			other := 1
			if a[i-1] == b[j-1] {
				other = 0
			}
			d[i][j] = min(d[i-1][j]+1, d[i][j-1]+1, d[i-1][j-1]+other)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				d[i][j] = min(d[i][j], d[i-2][j-2]+1)
			}
		}
	}
	return d[len(a)][len(b)]
}

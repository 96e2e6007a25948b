package main

import (
	"bytes"
	"errors"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// Bounds of a site file. The YAML library takes time that grows with the square
// of some inputs, and recurses as deep as they nest; no site comes near.
const (
	siteMaxBytes  = 1 << 20
	siteMaxLines  = 5000
	siteMaxTokens = 20000
	siteMaxDepth  = 16
)

// parse turns the text into the root of a tree of maps, lists and scalars, or
// reports why it can't and returns nil.
func (d *siteDoc) parse(data []byte) ast.Node {
	if !d.checkText(data) {
		return nil
	}
	tokens := lexer.Tokenize(string(data))
	if !d.checkTokens(tokens) {
		return nil
	}
	file, err := parser.Parse(tokens, 0, parser.AllowDuplicateMapKey())
	if err != nil {
		d.failSyntax(err)
		return nil
	}
	if len(file.Docs) == 0 || file.Docs[0].Body == nil {
		d.failAt(sitePlace{}, "is empty; write a starter file with: watchdog site init")
		return nil
	}
	if len(file.Docs) > 1 {
		at := sitePlace{line: 1, column: 1}
		if start := file.Docs[1].Start; start != nil {
			at = sitePlaceOf(start)
		} else if file.Docs[1].Body != nil {
			at = sitePlaceOf(siteStart(file.Docs[1].Body))
		}
		d.failAt(at, "a second document begins here; a site file is one")
		return nil
	}
	return file.Docs[0].Body
}

// checkText refuses what is no text, and characters that nobody can see: they
// make a line mean something else than it shows.
func (d *siteDoc) checkText(data []byte) bool {
	if len(data) > siteMaxBytes {
		d.failAt(sitePlace{}, "is larger than 1 MiB; no site file is")
		return false
	}
	if len(bytes.TrimSpace(data)) == 0 {
		d.failAt(sitePlace{}, "is empty; write a starter file with: watchdog site init")
		return false
	}
	if bytes.IndexByte(data, 0) >= 0 {
		d.failAt(sitePlace{}, "is not text")
		return false
	}
	if len(d.lines) > siteMaxLines {
		d.failAt(sitePlace{}, "has more than %d lines; no site file has", siteMaxLines)
		return false
	}
	for i, line := range d.lines {
		if !utf8.ValidString(line) {
			d.failAt(sitePlace{i + 1, utf8.RuneCountInString(validPart(line)) + 1}, "is not text in UTF-8 from here on; save the file as UTF-8")
			return false
		}
		d.checkLine(i+1, line)
	}
	return len(d.problems) == 0
}

// validPart is line up to its first byte that is not UTF-8.
func validPart(line string) string {
	for i, r := range line {
		if r == utf8.RuneError {
			if _, size := utf8.DecodeRuneInString(line[i:]); size == 1 {
				return line[:i]
			}
		}
	}
	return line
}

func (d *siteDoc) checkLine(n int, line string) {
	column, indent := 0, true
	for _, r := range line {
		column++
		indent = indent && (r == ' ' || r == '\t')
		switch {
		case r == '\t' && indent:
			d.failAt(sitePlace{n, column}, "a tab in the indentation; YAML takes spaces only")
			return
		case r != '\t' && !sitePrintable(r):
			d.failAt(sitePlace{n, column}, "an invisible character, %U; remove it or write a space", r)
			return
		}
	}
}

// sitePrintable tells characters that are seen from those that are not. The
// plain space is the only one of its kind that counts as seen.
func sitePrintable(r rune) bool { return unicode.IsPrint(r) }

// checkTokens refuses the parts of YAML that a site file has no use for, before
// the parser follows them: references can grow without bound, and what spans
// lines or hides its type reads differently than it looks.
func (d *siteDoc) checkTokens(tokens token.Tokens) bool {
	if len(tokens) > siteMaxTokens {
		d.failAt(sitePlace{}, "has more than %d words and signs; no site file has", siteMaxTokens)
		return false
	}
	depth, dashes, dashLine := 0, 0, 0
	refused := map[string]bool{}
	for _, t := range tokens {
		switch t.Type {
		case token.MappingStartType, token.SequenceStartType:
			depth++
		case token.MappingEndType, token.SequenceEndType:
			depth--
		case token.SequenceEntryType:
			if t.Position.Line != dashLine {
				dashes, dashLine = 0, t.Position.Line
			}
			dashes++
		}
		if max(depth, dashes) > siteMaxDepth {
			d.failAt(sitePlaceOf(t), "nests deeper than any site file")
			return false
		}
		if what, ok := siteRefused(t); ok && !refused[what] {
			refused[what] = true // once is enough
			d.failAt(sitePlaceOf(t), "%s", what)
		}
	}
	return len(d.problems) == 0
}

func siteRefused(t *token.Token) (string, bool) {
	switch t.Type {
	case token.AnchorType, token.AliasType, token.MergeKeyType:
		return "anchors (&), aliases (*) and merges (<<) are not taken; write the value out, or quote it", true
	case token.TagType:
		return "tags (!) are not taken; leave it out, or quote the value", true
	case token.DirectiveType:
		return "directives (%) are not taken; leave the line out", true
	case token.MappingKeyType:
		return "complex keys (?) are not taken; write key: value", true
	case token.LiteralType, token.FoldedType:
		return "blocks of text (| and >) are not taken; write the value in one line", true
	}
	return "", false
}

func (d *siteDoc) failSyntax(err error) {
	var syntax yaml.Error
	if !errors.As(err, &syntax) || syntax.GetToken() == nil {
		message, _, _ := strings.Cut(err.Error(), "\n")
		d.failAt(sitePlace{}, "is not YAML: %s", message)
		return
	}
	message := syntax.GetMessage()
	if strings.Contains(message, "mapping value is not allowed") {
		message += "; quote a value that holds or ends in a colon"
	}
	d.failAt(sitePlaceOf(syntax.GetToken()), "not YAML: %s", message)
}

package main

import (
	"fmt"
	"regexp"
	"strings"
)

// siteExcerpts draws parts of a file from its own lines, and not by the YAML
// library's printer: that one rebuilds lines from tokens (an empty value
// becomes "null"), has no bound, and would print a password that somebody put
// beside a typing error.
type siteExcerpts struct {
	lines  []string
	hidden map[int]bool // lines below a secret's key, by index
}

const (
	siteExcerptBefore = 2
	siteExcerptAfter  = 1
	siteExcerptWidth  = 160 // runes of a line that are shown
	siteRedacted      = "[redacted]"
)

var (
	// siteSecretKey matches the names of keys that hold a secret elsewhere.
	siteSecretKey = regexp.MustCompile(`(?i)passw|passphrase|secret|credential|private.?key|api.?key|token`)
	// siteLineKeys matches each "key:" of a line.
	siteLineKeys = regexp.MustCompile(`["']?([\w.-]+)["']?\s*:`)
	siteUserInfo = regexp.MustCompile(`://[^/@\s"']*@`)
)

func newSiteExcerpts(lines []string) siteExcerpts {
	e := siteExcerpts{lines: lines, hidden: map[int]bool{}}
	below := -1 // indentation of the secret's key whose value may go on
	for i, line := range lines {
		indent := len(line) - len(strings.TrimLeft(line, " "))
		if blank := strings.TrimSpace(line) == ""; below >= 0 && (blank || indent > below) {
			e.hidden[i] = true
			continue
		}
		below = -1
		if _, ok := siteSecretAt(line); ok {
			below = indent
		}
	}
	return e
}

// siteSecretAt returns the index behind the colon of the first key in line that
// sounds like a secret.
func siteSecretAt(line string) (int, bool) {
	for _, m := range siteLineKeys.FindAllStringSubmatchIndex(line, -1) {
		if isSiteSecret(line[m[2]:m[3]]) {
			return m[1], true
		}
	}
	return 0, false
}

// isSiteSecret tells keys that hold a secret from the realm's lifetime of tokens.
func isSiteSecret(key string) bool {
	return key != "access_token" && siteSecretKey.MatchString(key)
}

// siteHideUserInfo removes the user and password of a URL in s.
func siteHideUserInfo(s string) string {
	return siteUserInfo.ReplaceAllString(s, "://"+siteRedacted+"@")
}

func (e siteExcerpts) text(i int) string {
	line := e.lines[i]
	if e.hidden[i] {
		return siteRedacted
	}
	if at, ok := siteSecretAt(line); ok && strings.TrimSpace(line[at:]) != "" {
		line = line[:at] + " " + siteRedacted
	}
	line = siteHideUserInfo(line)
	if r := []rune(line); len(r) > siteExcerptWidth {
		line = string(r[:siteExcerptWidth]) + "…"
	}
	return strings.Map(siteVisible, line)
}

// siteVisible keeps terminal control sequences out of messages.
func siteVisible(r rune) rune {
	if r == '\t' {
		return ' '
	}
	if !sitePrintable(r) {
		return '\uFFFD'
	}
	return r
}

// at draws the lines about a place, with a caret under it.
func (e siteExcerpts) at(line, column int) string {
	if line < 1 || line > len(e.lines) {
		return ""
	}
	var b strings.Builder
	for n := max(1, line-siteExcerptBefore); n <= min(len(e.lines), line+siteExcerptAfter); n++ {
		mark, text := " ", e.text(n-1)
		if n == line {
			mark = ">"
		}
		b.WriteString(strings.TrimRight(fmt.Sprintf("%s%4d | %s", mark, n, text), " ") + "\n")
		if n == line {
			column := min(column, len([]rune(text))+1)
			fmt.Fprintf(&b, "      | %s^\n", strings.Repeat(" ", max(0, column-1)))
		}
	}
	return b.String()
}

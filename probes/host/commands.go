package host

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// A form is one way of calling a program that only looks: its fixed words,
// then options in any order, then words by pattern.
type form struct {
	words   []string
	options map[string]*regexp.Regexp // by option, its value; nil for one without
	must    []string                  // options that may not be left out
	last    *regexp.Regexp            // the words that follow; nil for none
	max     int                       // how many of them, at least one
}

// What a caller may choose. Only a time may begin with a dash, and only where
// nothing but a time is read.
var (
	aName    = regexp.MustCompile(`^[A-Za-z0-9:][A-Za-z0-9.:_-]*$`)
	aUnit    = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9@._:\\-]*$`)
	aFile    = regexp.MustCompile(`^(/[A-Za-z0-9@._:+-]+)+$`)
	aDir     = regexp.MustCompile(`^(/|(/[A-Za-z0-9@._:+-]+)+)$`)
	aPackage = regexp.MustCompile(`^[a-z0-9][a-z0-9.+-]*$`)
	aTime    = regexp.MustCompile(`^(@[0-9]+(\.[0-9]+)?|[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?( UTC)?|-[0-9]+(s|m|min|h|d))$`)
	aCount   = regexp.MustCompile(`^[1-9][0-9]{0,3}$`)
	aFields  = regexp.MustCompile(`^[A-Z_]+(,[A-Z_]+)*$`)
	isJSON   = regexp.MustCompile(`^json$`)
)

// forms is the closed list: everything that looking at a machine may run.
var forms = []form{
	{words: []string{"getent", "ahosts"}, last: aName, max: 1},
	{words: []string{"nft", "-j", "list", "ruleset"}},
	{words: []string{"nginx", "-T"}},
	{words: []string{"sshd", "-T"}},
	{words: []string{"journalctl"}, must: []string{"-u", "-o", "-n"}, options: map[string]*regexp.Regexp{
		"-u": aUnit, "-o": isJSON, "-n": aCount, "--since": aTime, "--until": aTime, "--output-fields": aFields,
		"--no-pager": nil, "-b": nil, "-r": nil, "-a": nil, "-q": nil,
	}},
	{words: []string{"systemctl", "cat"}, options: map[string]*regexp.Regexp{"--no-pager": nil}, last: aUnit, max: 1},
	{words: []string{"pg_restore", "--list"}, last: aFile, max: 1},
	{words: []string{"dpkg-query", "-W", `-f=${Package} ${db:Status-Status} ${Version}\n`}, last: aPackage, max: 32},
	{words: []string{"du", "-x", "-k", "-d", "3"}, last: aDir, max: 1},
	{words: []string{"timedatectl", "show"}},
	{words: []string{"ip", "-j", "addr", "show"}},
	{words: []string{"ip", "-j", "-4", "route", "show"}},
	{words: []string{"ip", "-j", "-6", "route", "show"}},
	{words: []string{"ip", "-j", "-6", "neigh", "show"}},
}

// CheckCommand reports why argv is not on the closed list of commands that
// [Exec] runs:
//
//	getent ahosts NAME
//	nft -j list ruleset
//	nginx -T
//	sshd -T
//	journalctl -u UNIT -o json -n N [--since TIME] [--until TIME] [--output-fields F,…] [-b] [-r] [-a] [-q] [--no-pager]
//	systemctl cat [--no-pager] UNIT
//	pg_restore --list FILE
//	dpkg-query -W '-f=${Package} ${db:Status-Status} ${Version}\n' PACKAGE…
//	du -x -k -d 3 DIRECTORY
//	timedatectl show
//	ip -j addr show, ip -j -4|-6 route show, ip -j -6 neigh show
//
// Options come in any order. TIME is "@SECONDS" since 1970, "2026-11-23
// 12:00:00 UTC" or "-5min"; FILE is absolute; N is at most 9999.
func CheckCommand(argv ...string) error {
	for _, f := range forms {
		if f.fits(argv) {
			return nil
		}
	}
	return fmt.Errorf("run %q: not on the list of commands that only look", strings.Join(argv, " "))
}

func (f form) fits(argv []string) bool {
	if len(argv) < len(f.words) || !slices.Equal(argv[:len(f.words)], f.words) {
		return false
	}
	rest, seen := argv[len(f.words):], map[string]bool{}
	for len(rest) > 0 {
		pattern, ok := f.options[rest[0]]
		if !ok {
			break
		}
		if seen[rest[0]] {
			return false
		}
		seen[rest[0]] = true
		if rest = rest[1:]; pattern == nil {
			continue
		}
		if len(rest) == 0 || !pattern.MatchString(rest[0]) {
			return false
		}
		rest = rest[1:]
	}
	for _, option := range f.must {
		if !seen[option] {
			return false
		}
	}
	if f.last == nil {
		return len(rest) == 0
	}
	return len(rest) >= 1 && len(rest) <= f.max && !slices.ContainsFunc(rest, func(word string) bool {
		return !f.last.MatchString(word) || strings.Contains(word, "..")
	})
}
